/** Many limiters at a glance: those that need an operator first. */

import type { Limiter } from "../client/api/limiter.ts";
import { formatNumber } from "../text/number.ts";
import type { Standing, State } from "./standing.ts";

/** A limiter and how it stands. */
export interface Seen {
  readonly limiter: Limiter;
  readonly standing: Standing;
}

/** The worst first: those that may need an operator, then those that only work at their limit. */
const STATES: readonly State[] = ["stuck", "shedding", "full", "paused", "draining", "calm"];
const RANK = new Map(STATES.map((state, rank) => [state, rank]));

/** Compares by trouble: state, then the oldest wait, then how many wait, then the name. */
export function byTrouble(a: Seen, b: Seen): number {
  return (
    rankOf(a) - rankOf(b) ||
    (b.standing.oldestWaitMs ?? 0) - (a.standing.oldestWaitMs ?? 0) ||
    b.limiter.status.waiters - a.limiter.status.waiters ||
    byName(a, b)
  );
}

export function byName(a: Seen, b: Seen): number {
  return a.limiter.name < b.limiter.name ? -1 : a.limiter.name > b.limiter.name ? 1 : 0;
}

function rankOf({ standing }: Seen): number {
  return RANK.get(standing.state) ?? STATES.length;
}

/** Whether an operator should look: it stands still or refuses, or is paused while requests wait. */
export function needsOperator({ limiter, standing: { state, cause } }: Seen): boolean {
  return state === "stuck" || state === "shedding" || (cause.kind === "paused" && limiter.status.waiters > 0);
}

export interface Totals {
  readonly limiters: number;
  readonly needing: number;
  readonly waiting: number;
  readonly holding: number;
  /** ms; undefined: none waits. */
  readonly oldestWaitMs: number | undefined;
  readonly refusedPerMinute: number;
}

export function totalsOf(all: Iterable<Seen>): Totals {
  let limiters = 0;
  let needing = 0;
  let waiting = 0;
  let holding = 0;
  let refused = 0;
  let oldestWaitMs: number | undefined;
  for (const seen of all) {
    const { status } = seen.limiter;
    limiters += 1;
    if (needsOperator(seen)) needing += 1;
    waiting += status.waiters;
    holding += status.leases;
    refused += status.refusalRate;
    const wait = seen.standing.oldestWaitMs;
    if (wait !== undefined && wait > (oldestWaitMs ?? -1)) oldestWaitMs = wait;
  }
  return { limiters, needing, waiting, holding, oldestWaitMs, refusedPerMinute: refused * 60 };
}

/** `3 of 214 limiters need you`. */
export function totalsSentence({ limiters, needing }: Pick<Totals, "limiters" | "needing">): string {
  if (limiters === 0) return "There are no limiters.";
  if (needing === 0) return `None of ${formatNumber(limiters)} limiters needs you.`;
  return `${formatNumber(needing)} of ${formatNumber(limiters)} limiters ${needing === 1 ? "needs" : "need"} you.`;
}
