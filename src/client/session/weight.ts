/** About how many bytes commands take, so that a message of them has room in what a server takes. */

import type { Claim } from "../gen/ggen/backpressure/v1/lease_pb.ts";
import type { SessionCommand } from "../gen/ggen/backpressure/v1/session_service_pb.ts";

/** Of a command without its words: ids, names and durations. */
const BARE = 300;
/** A character may take so many bytes. */
const WIDEST = 3;

/** Returns at least as many bytes as the command takes. */
export function weightOf({ case: kind, value }: SessionCommand["command"]): number {
  switch (kind) {
    case "acquire":
    case "tryAcquire":
      return BARE + WIDEST * (value.holder.length + lengthOf(value.claims));
    case "release":
      return BARE + WIDEST * value.requestId.length;
    case "pull":
    case "tryPull":
      return 2 * BARE + WIDEST * value.worker.length;
    case "finish":
      return 2 * BARE + WIDEST * value.result.length;
    case "giveBack":
    case "sendBack":
      return 2 * BARE + WIDEST * value.reason.length;
    case "renew":
    case "cancel":
    case undefined:
      return BARE;
  }
}

function lengthOf(claims: readonly Claim[]): number {
  let length = 0;
  for (const { limiter, key } of claims) length += limiter.length + key.length + 10;
  return length;
}
