/**
 * How long a place in a queue is likely to take: exact where only the rate limit holds one up; for the concurrency limit
 * by Little's law from the hold times measured lately (permits come back at `in use / mean hold time` a second).
 */

import type { Claim } from "./claim.ts";
import type { Instance, Waiter } from "./limiter.ts";
import { microsUntil, refill } from "./token-bucket.ts";

/** What must be served until it is somebody's turn, their own claim included. */
export interface Demand {
  readonly permits: number;
  readonly tokens: number;
}

/** µs until the demand has been served; undefined where that cannot be known. */
function estimateWait(instance: Instance, demand: Demand, now: number): number | undefined {
  const { config, statistics } = instance.limiter;
  if (config.paused) return undefined;
  let wait = 0;
  if (config.rate !== undefined) {
    refill(instance.bucket, config.rate, now);
    wait = microsUntil(instance.bucket, config.rate, demand.tokens);
  }
  if (config.maxConcurrent === undefined || demand.permits === 0) return wait;
  const toComeBack = demand.permits - Math.max(0, config.maxConcurrent - instance.permitsInUse);
  if (toComeBack <= 0) return wait;
  const hold = statistics.holds.mean(now);
  return hold === undefined ? undefined : Math.max(wait, Math.ceil((toComeBack * hold) / config.maxConcurrent));
}

/** µs that a claim which joins the queue now is likely to wait there; undefined where that cannot be known. */
export function estimateIn(instance: Instance, claim: Claim, now: number): number | undefined {
  const permits = instance.queuedPermits + claim.permits;
  const tokens = instance.queuedTokens + claim.tokens;
  return estimateWait(instance, { permits, tokens }, now);
}

/** The longest of several estimates; undefined if one of them cannot be known. */
export function longest(estimates: readonly (number | undefined)[]): number | undefined {
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

/** Notes for everybody present in a queue who stands before them and how long that is likely to take. */
export function survey(instance: Instance, now: number): void {
  let ahead = 0;
  let permits = 0;
  let tokens = 0;
  for (const place of instance.queue.present()) {
    permits += place.claim.permits;
    tokens += place.claim.tokens;
    place.ahead = ahead;
    place.estimate = estimateWait(instance, { permits, tokens }, now);
    ahead += 1;
  }
}
