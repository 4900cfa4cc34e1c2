/** How a limiter stands, from its status alone: its state, and what holds its queue back. Durations are ms. */

import type { Limiter, Obstacle } from "../client/api/limiter.ts";
import type { Reason } from "../client/api/reasons.ts";

/**
 * `stuck`: waiters stand, and nothing has been granted for so long that an operator should look. `shedding`: requests are
 * refused. `full`: there are waiters, or no permits left, and grants go on. `paused`: nothing is granted, by decision.
 * `draining`: it was deleted, and goes with its last lease. `calm`: none of these.
 */
export type State = "stuck" | "shedding" | "full" | "paused" | "draining" | "calm";

/** What keeps the oldest waiter from its grant. */
export type Cause =
  | { readonly kind: "nothing" }
  /** The limiter's own rate limit: tokens come by themselves. */
  | { readonly kind: "rate" }
  /** The limiter's own concurrency limit, and holders release. */
  | { readonly kind: "concurrency" }
  /** The limiter's own concurrency limit, and no holder releases. */
  | { readonly kind: "no-release" }
  /** Another limiter of the same request; `reason` is what is in the way there. */
  | { readonly kind: "limiter"; readonly limiter: string; readonly key: string; readonly reason: Reason }
  | { readonly kind: "paused" }
  /** The server may not know every lease from before its start. */
  | { readonly kind: "learning" }
  | { readonly kind: "draining" };

export interface Standing {
  readonly state: State;
  readonly cause: Cause;
  /** How long the oldest waiter has waited; undefined: none waits, or the server does not say. */
  readonly oldestWaitMs: number | undefined;
  /** How long ago the last grant was; undefined where it is not known. */
  readonly sinceLastGrantMs: number | undefined;
}

/** ms that waiters stand at least before their limiter counts as stuck, while nothing is granted. */
const STUCK_AFTER = 10_000;
/** And at least so many times as long as a lease is usually held: then no present holder is a usual one. */
const STUCK_HOLDS = 3;
/** Of the requests, the share that is refused from which on a limiter sheds. */
const SHEDDING_SHARE = 0.05;

export interface StandingOptions {
  /** The key whose status it is; empty: of all keys, or there are none. */
  readonly key?: string;
  /** ms since the status was received: what waits has waited so much longer. */
  readonly elapsed?: number;
}

/** Returns how a limiter stands. */
export function standingOf(limiter: Limiter, { key = "", elapsed = 0 }: StandingOptions = {}): Standing {
  const { status } = limiter;
  const oldestWaitMs = longer(status.oldestWaitMs, elapsed);
  const sinceLastGrantMs = longer(status.sinceLastGrantMs, elapsed);
  const ages = { oldestWaitMs, sinceLastGrantMs };
  if (limiter.state === "deleting") return { state: "draining", cause: { kind: "draining" }, ...ages };
  const cause = causeOf(limiter, key);
  if (cause.kind === "paused" || cause.kind === "learning") return { state: "paused", cause, ...ages };
  if (cause.kind !== "nothing" && !goesOnByItself(cause) && standsStill(limiter, ages)) {
    return { state: "stuck", cause: cause.kind === "concurrency" ? { kind: "no-release" } : cause, ...ages };
  }
  const state = sheds(limiter) ? "shedding" : isFull(limiter, key) ? "full" : "calm";
  return { state, cause, ...ages };
}

function longer(ms: number | undefined, elapsed: number): number | undefined {
  return ms === undefined ? undefined : ms + elapsed;
}

function causeOf(limiter: Limiter, key: string): Cause {
  if (limiter.paused) return { kind: "paused" };
  const { waiters, obstacles } = limiter.status;
  if (waiters === 0) return { kind: "nothing" };
  if (obstacles.length === 0) return causeByFigures(limiter);
  const isOwn = (each: Obstacle) => each.limiter === limiter.name && (key === "" || each.key === key);
  const reasons = new Set(obstacles.filter(isOwn).map(({ reason }) => reason));
  if (reasons.has("LEARNING")) return { kind: "learning" };
  if (reasons.has("CONCURRENCY_EXHAUSTED")) return { kind: "concurrency" };
  const others = obstacles.filter((each) => !isOwn(each));
  // A rate brings its tokens by itself, so whatever else is in the way is what the waiter waits for.
  const other = others.find(({ reason }) => reason !== "RATE_EXHAUSTED");
  if (other !== undefined) return causeElsewhere(other);
  if (reasons.has("RATE_EXHAUSTED")) return { kind: "rate" };
  const [slow] = others;
  return slow === undefined ? { kind: "nothing" } : causeElsewhere(slow);
}

function causeElsewhere({ limiter, key, reason }: Obstacle): Cause {
  return reason === "LEARNING" ? { kind: "learning" } : { kind: "limiter", limiter, key, reason };
}

/** A server that does not say what is in the way still says how much is in use. */
function causeByFigures({ maxConcurrent, maxRps, status }: Limiter): Cause {
  if (maxConcurrent !== undefined && status.permitsInUse >= status.permitsLimit) return { kind: "concurrency" };
  return maxRps !== undefined && status.tokensAvailable < 1 ? { kind: "rate" } : { kind: "nothing" };
}

function goesOnByItself(cause: Cause): boolean {
  return cause.kind === "rate" || (cause.kind === "limiter" && cause.reason === "RATE_EXHAUSTED");
}

function standsStill(
  { status }: Limiter,
  { oldestWaitMs, sinceLastGrantMs }: Pick<Standing, "oldestWaitMs" | "sinceLastGrantMs">,
): boolean {
  const patience = Math.max(STUCK_AFTER, STUCK_HOLDS * (status.meanHoldTimeMs ?? 0));
  return oldestWaitMs !== undefined && oldestWaitMs >= patience && (sinceLastGrantMs ?? patience) >= patience;
}

function sheds({ status: { refusalRate, arrivalRate } }: Limiter): boolean {
  return refusalRate > 0 && refusalRate >= SHEDDING_SHARE * arrivalRate;
}

/** Of a keyed limiter as a whole no number of permits is a limit: another key has its own. */
function isFull({ keyed, maxConcurrent, status }: Limiter, key: string): boolean {
  if (status.waiters > 0) return true;
  const isOne = !keyed || key !== "";
  return isOne && maxConcurrent !== undefined && status.permitsInUse >= status.permitsLimit;
}
