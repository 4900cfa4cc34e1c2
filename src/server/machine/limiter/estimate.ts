/**
 * How long a place in a queue is likely to take: exact where only the rate limit holds one up. For the concurrency limit the
 * hold times measured lately say how fast permits come back, and the ages of the present holders say where that does not
 * hold: a holder that has held longer than the mean is expected to hold as long again (Lindy).
 */

import type { Claim } from "./claim.ts";
import { refilled } from "./earlier-rates.ts";
import type { Demand, Instance, Waiter } from "./limiter.ts";
import { microsUntil } from "./token-bucket.ts";

/** How permits are likely to come back to an instance. Spans are µs. */
interface Prospect {
  /** The mean hold time. */
  readonly mean: number;
  /** The present holders in permits, each weighted by how fast it is expected to come back, 1 for the mean. */
  readonly pace: number;
  /** Permits that have been held no longer than the mean. */
  readonly young: number;
  /** The age of the oldest holder. */
  readonly oldest: number;
}

/** µs: where no hold has ended lately, ages say something from here on. */
const TELLING_AGE = 1_000_000;

/** What the holders let expect; undefined where that cannot be known. Takes as many steps as there are groups of holders. */
function prospectOf({ holders, limiter }: Instance, now: number): Prospect | undefined {
  const oldest = holders?.oldest(now) ?? 0;
  const mean = limiter.statistics.flow?.holds.mean(now) ?? (oldest < TELLING_AGE ? undefined : oldest);
  if (mean === undefined) return undefined;
  const { young, pace } = holders?.weigh(now, mean) ?? NOTHING_HELD;
  return { mean, pace, young, oldest };
}

const NO_GROUPS: readonly never[] = [];
const NOTHING_HELD = { young: 0, pace: 0 };

/** µs until the demand has been served; undefined where that cannot be known. */
function estimateWait(
  instance: Instance,
  demand: Demand,
  now: number,
  prospect: Prospect | undefined,
): number | undefined {
  const { config } = instance.limiter;
  if (config.paused) return undefined;
  let wait = 0;
  if (config.rate !== undefined) {
    wait = microsUntil(refilled(instance, config.rate, now), config.rate, demand.tokens);
  }
  const { maxConcurrent } = config;
  if (maxConcurrent === undefined || demand.permits === 0) return wait;
  const toComeBack = demand.permits - Math.max(0, maxConcurrent - instance.permitsInUse);
  if (toComeBack <= 0) return wait;
  if (prospect === undefined) return undefined;
  const { mean, pace, oldest } = prospect;
  // Permits that have come back go on at the mean, so the slow ones are waited for once.
  const flow = Math.min((toComeBack * mean) / Math.max(pace, 1e-9), oldest + (toComeBack * mean) / maxConcurrent);
  const heldUp = stuckFor(instance, instance.permitsInUse + demand.largest - maxConcurrent, now, prospect);
  return Math.max(wait, Math.ceil(Math.max(flow, heldUp)));
}

/** µs that holders beyond the mean are expected to hold on, where at least one of them is among the first `count` to end. */
function stuckFor(instance: Instance, count: number, now: number, { young }: Prospect): number {
  let left = count - young;
  if (left <= 0) return 0;
  const groups = instance.holders?.groups ?? NO_GROUPS;
  // From the youngest to the oldest: those that have held shortest are expected back first.
  let age = 0;
  let seen = 0;
  for (let index = groups.length - 1; index >= 0 && left > 0; index--) {
    const { to, permits } = groups[index] as (typeof groups)[number];
    age = now - to;
    seen += permits;
    if (seen > young) left -= Math.min(permits, seen - young);
  }
  return age;
}

/** What a claim that joins the queue now waits for. */
export function demandOf(instance: Instance, claim: Claim): Demand {
  return {
    permits: instance.queuedPermits + claim.permits,
    tokens: instance.queuedTokens + claim.tokens,
    largest: Math.max(claim.permits, instance.queue.last?.largest ?? 0),
  };
}

/** µs that a claim which joins the queue now is likely to wait there; undefined where that cannot be known. */
export function estimateIn(instance: Instance, demand: Demand, now: number): number | undefined {
  return estimateWait(instance, demand, now, prospectOf(instance, now));
}

/** µs that a waiter is likely to wait still, as of `now`; those before it are as last surveyed. */
export function estimateOf(waiter: Waiter, now: number): number | undefined {
  return longest(waiter.places.map((place) => estimateIn(place.instance, place, now)));
}

/** The longest of several estimates; undefined if one of them cannot be known. */
function longest(estimates: readonly (number | undefined)[]): number | undefined {
  let most = 0;
  for (const estimate of estimates) {
    if (estimate === undefined) return undefined;
    most = Math.max(most, estimate);
  }
  return most;
}

/** How many stand before a waiter in its longest queue, as last surveyed. */
export function waitersAhead(waiter: Waiter): number {
  let most = 0;
  for (const { ahead } of waiter.places) most = Math.max(most, ahead);
  return most;
}

/** Notes for each place of a queue which places stand before it. */
export function survey(instance: Instance): void {
  let ahead = 0;
  let permits = 0;
  let tokens = 0;
  let largest = 0;
  for (const place of instance.queue.present()) {
    permits += place.claim.permits;
    tokens += place.claim.tokens;
    largest = Math.max(largest, place.claim.permits);
    place.ahead = ahead;
    place.permits = permits;
    place.tokens = tokens;
    place.largest = largest;
    ahead += 1;
  }
}
