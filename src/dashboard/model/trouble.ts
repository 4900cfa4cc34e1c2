/** What state a limiter is in, at a glance: one word, in the order in which they want a person. */

import type { Limiter } from "../../client/api/limiter.ts";

export type Trouble = "stuck" | "full" | "shedding" | "paused" | "draining" | "calm";

/** The worst first. */
export const TROUBLES: readonly Trouble[] = ["stuck", "full", "shedding", "paused", "draining", "calm"];

/** What each means, for the page's legend. */
export const TROUBLE_MEANING: Readonly<Record<Trouble, string>> = {
  stuck: "Requests wait, and none has been granted for ten seconds, though the rate limit is not the reason.",
  full: "Requests wait, and the queue moves.",
  shedding: "Requests are refused.",
  paused: "An operator has paused it: it grants nothing.",
  draining: "It was deleted, and goes with its last lease.",
  calm: "Nothing waits, and nothing is refused.",
};

/** ms without a grant after which a queue stands still. */
const STANDSTILL = 10_000;

/** `age`: ms since the limiter was heard of. */
export function troubleOf({ paused, state, status }: Limiter, age: number): Trouble {
  if (state === "deleting") return "draining";
  if (paused) return "paused";
  if (status.waiters > 0) return isStuck(status, age) ? "stuck" : "full";
  return status.refusalRate > 0 ? "shedding" : "calm";
}

/** Whether a person should look: its queue stands still, or waits for an operator, or requests are turned away. */
export function needsAttention(trouble: Trouble, { status }: Limiter): boolean {
  return trouble === "stuck" || trouble === "shedding" || (trouble === "paused" && status.waiters > 0);
}

function isStuck({ oldestWaitMs, sinceLastGrantMs, obstacles }: Limiter["status"], age: number): boolean {
  // A slow rate is no standstill: it is known when the next is granted.
  if (obstacles.some(({ reason }) => reason === "RATE_EXHAUSTED")) return false;
  const waited = (oldestWaitMs ?? 0) + age;
  const since = sinceLastGrantMs === undefined ? Number.POSITIVE_INFINITY : sinceLastGrantMs + age;
  return waited >= STANDSTILL && since >= STANDSTILL;
}
