/** When a call over grpc-js is due, on the monotonic clock. grpc-js itself hands on only headers. */

import type { IncomingHttpHeaders } from "node:http2";
import type { Clock } from "../../clock.ts";
import { Code } from "../../wire/error-wire.ts";
import { grpcTimeout, timeLeft } from "../rpc/timeouts.ts";

const KEY = "ggen-due";

/** What a call of grpc-js shows of its headers. */
export interface WithMetadata {
  readonly metadata: { get(key: string): readonly unknown[] };
}

/** Returns the first header of this name that is a text. */
export function headerOf({ metadata }: WithMetadata, name: string): string | undefined {
  const [value] = name === KEY ? [] : metadata.get(name);
  return typeof value === "string" ? value : undefined;
}

/** Notes in the headers when their call is due; takes out what a client may have written there. */
export function noteDueTime(headers: IncomingHttpHeaders, timeout: unknown, clock: Clock): void {
  const micros = grpcTimeout(timeout);
  if (micros !== undefined) headers[KEY] = String(clock.now() + micros);
  else if (KEY in headers) delete headers[KEY];
}

/** With which status a call is over whose client is gone, or has heard from grpc-js that its time has passed. */
export function codeOfGone(call: WithMetadata, clock: Clock): Code {
  const left = timeLeftOf(call, clock);
  return left !== undefined && left <= 0 ? Code.DeadlineExceeded : Code.Canceled;
}

/** µs that are left of a call's time; undefined: it has no deadline. */
export function timeLeftOf(call: WithMetadata, clock: Clock): number | undefined {
  const [due] = call.metadata.get(KEY);
  return timeLeft(due === undefined ? undefined : Number(due), clock.now());
}
