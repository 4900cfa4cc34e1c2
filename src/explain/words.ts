/** Parts of the sentences that explain a limiter. */

import type { LeaseInfo } from "../client/api/limiter.ts";
import type { Reason } from "../client/api/reasons.ts";
import { formatRoughly } from "../text/duration.ts";
import { formatCount, formatTimeOfDay } from "../text/number.ts";
import type { OverdueLease } from "./overdue.ts";
import type { Cause, State } from "./standing.ts";

/** States as headings. */
export const STATE_WORDS: Readonly<Record<State, string>> = {
  stuck: "Stuck",
  shedding: "Shedding",
  full: "Full",
  paused: "Paused",
  draining: "Draining",
  calm: "Calm",
};

/** What each state means, for a legend. */
export const STATE_MEANINGS: Readonly<Record<State, string>> = {
  stuck:
    "Requests wait, and none has been granted for ten seconds and three usual holds, though the rate is not the reason.",
  shedding: "One request in twenty or more is refused.",
  full: "Requests wait and the queue moves, or all permits are in use.",
  paused:
    "Nothing is granted: an operator has paused it, or the server has been restarted and may not know every lease.",
  draining: "It was deleted, and goes with its last lease.",
  calm: "Nothing waits, and hardly anything is refused.",
};

/** What holds a queue back, in a word or two; empty where nothing does. */
export function causeWords(cause: Cause): string {
  switch (cause.kind) {
    case "nothing":
      return "";
    case "no-release":
      return "no release";
    case "limiter":
      return `limiter ${nameOf(cause.limiter, cause.key)}`;
    default:
      return cause.kind;
  }
}

/** `db`, `tenants[a]`. */
export function nameOf(limiter: string, key: string): string {
  return key === "" ? limiter : `${limiter}[${key}]`;
}

/** What is in the way of a waiter in another queue. */
export function obstacleWords(reason: Reason): string {
  return OBSTACLES[reason] ?? "it is held back";
}

const OBSTACLES: Partial<Record<Reason, string>> = {
  WAITERS_AHEAD: "others are ahead of it",
  CONCURRENCY_EXHAUSTED: "no permits are free",
  RATE_EXHAUSTED: "the rate limit has no tokens yet",
  PAUSED: "it is paused",
  LEARNING: "the server grants nothing yet",
};

/** What a holder holds, and for how long already. */
export function overdueWords({ lease, permits, heldMs, usualMs }: OverdueLease): string {
  const { id, holder, grantTime } = lease;
  const since = grantTime === undefined ? "" : ` since ${formatTimeOfDay(grantTime)}`;
  const usual =
    usualMs === undefined
      ? "no lease has ended there for a minute or more"
      : `leases are usually held for ${formatRoughly(usualMs)}`;
  return `${holder || "A holder without a name"} has held ${formatCount(permits, "permit")} for ${formatRoughly(heldMs)}${since} (lease ${id}); ${usual}.`;
}

/** How a lease that is held long goes on; undefined: it is for its holder to say. */
export function outlookWords({ state, revoking, expireTime }: LeaseInfo, readAt: number): string | undefined {
  const left = expireTime && Math.max(0, expireTime.getTime() - readAt);
  if (left === undefined) return undefined;
  if (revoking) return `It was asked back, and ends in ${formatRoughly(left)} at the latest.`;
  if (state === "orphaned")
    return `Its connection is lost: it ends in ${formatRoughly(left)} unless its holder resumes it.`;
  return `Its holder renews it; without that it ends in ${formatRoughly(left)}.`;
}
