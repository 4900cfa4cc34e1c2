/** What is measured of limiters: plain numbers as of one instant, for whoever compares two looks. */

import type { Reason } from "../reasons.ts";
import { createTotals, type FlowTotals } from "./flow.ts";
import type { Instance, Limiter } from "./limiter.ts";
import { readLimiter, tokensAvailable } from "./read.ts";
import type { State } from "./state.ts";

/** Of one limiter, or of several together. */
export interface LimiterFigures {
  /** Undefined: it has no concurrency limit. */
  readonly permits: number | undefined;
  readonly permitsInUse: number;
  readonly waiters: number;
  /** µs; 0: none waits. Of several the longest. */
  readonly oldestWait: number;
  readonly leases: number;
  readonly orphanedLeases: number;
  /** Undefined: it is not keyed. */
  readonly keys: number | undefined;
  /** Undefined: it has not one bucket. */
  readonly tokensAvailable: number | undefined;
  /** How many are paused. */
  readonly paused: number;
  readonly requests: number;
  readonly grants: number;
  readonly refusals: ReadonlyMap<Reason, number>;
  readonly totals: FlowTotals;
}

/** Of one key of a keyed limiter. */
export interface KeyFigures {
  readonly permitsInUse: number;
  readonly waiters: number;
  /** µs; 0: none waits. */
  readonly oldestWait: number;
  /** Undefined: the limiter has no rate limit. */
  readonly tokensAvailable: number | undefined;
}

export type LimiterSum = { -readonly [Field in keyof LimiterFigures]: LimiterFigures[Field] } & {
  readonly refusals: Map<Reason, number>;
};

export function createSum(): LimiterSum {
  return {
    permits: undefined,
    permitsInUse: 0,
    waiters: 0,
    oldestWait: 0,
    leases: 0,
    orphanedLeases: 0,
    keys: undefined,
    tokensAvailable: undefined,
    paused: 0,
    requests: 0,
    grants: 0,
    refusals: new Map(),
    totals: createTotals(),
  };
}

/** Adds what is measured of a limiter to that of others. */
export function addLimiter(sum: LimiterSum, state: State, limiter: Limiter): void {
  const { config, statistics, leases, orphanedLeases, instances } = limiter;
  const { maxConcurrent, keyed, paused } = config;
  const { permitsInUse, permitsLimit, waiters, oldestWait, arrivals, grants } = readLimiter(state, limiter);
  if (maxConcurrent !== undefined) sum.permits = (sum.permits ?? 0) + permitsLimit;
  sum.permitsInUse += permitsInUse;
  sum.waiters += waiters;
  sum.oldestWait = Math.max(sum.oldestWait, oldestWait ?? 0);
  sum.leases += leases;
  sum.orphanedLeases += orphanedLeases;
  if (keyed) sum.keys = (sum.keys ?? 0) + instances.size;
  const tokens = tokensAvailable(limiter, instances.get(""), "", state.now);
  if (tokens !== undefined) sum.tokensAvailable = (sum.tokensAvailable ?? 0) + tokens;
  if (paused) sum.paused += 1;
  sum.requests += arrivals;
  sum.grants += grants;
  for (const [reason, count] of statistics.refusals) {
    sum.refusals.set(reason, (sum.refusals.get(reason) ?? 0) + count);
  }
  if (statistics.flow !== undefined) addTotals(sum.totals, statistics.flow.totals);
}

/** Returns what is measured of one limiter, which does not go on changing. */
export function measureLimiter(state: State, limiter: Limiter): LimiterFigures {
  const sum = createSum();
  addLimiter(sum, state, limiter);
  return sum;
}

/** Returns what is measured of one key; one that is not in use has nothing but a full bucket. */
export function measureKey({ now }: State, limiter: Limiter, key: string): KeyFigures {
  const instance: Instance | undefined = limiter.instances.get(key);
  const oldest = instance?.queue.first;
  return {
    permitsInUse: instance?.permitsInUse ?? 0,
    waiters: instance?.queue.presentCount ?? 0,
    oldestWait: oldest === undefined ? 0 : now - oldest.waiter.arrivedAt,
    tokensAvailable: tokensAvailable(limiter, instance, key, now),
  };
}

function addTotals(sum: FlowTotals, { tokens, ends, releases, waits, holds }: FlowTotals): void {
  sum.tokens += tokens;
  for (const end of Object.keys(ends) as (keyof typeof ends)[]) sum.ends[end] += ends[end];
  for (const outcome of Object.keys(releases) as (keyof typeof releases)[]) sum.releases[outcome] += releases[outcome];
  sum.waits.add(waits);
  sum.holds.add(holds);
}
