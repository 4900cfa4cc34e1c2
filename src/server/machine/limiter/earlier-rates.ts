/**
 * A change of a limiter's rate reaches the buckets of its keys one by one, each at its next use, exactly as if it had at the
 * instant of the change: a limiter with 300,000 keys would otherwise stop everything for a second. The limiter remembers the
 * rates that were in force until all its keys have caught up (`chores.ts` sees to that).
 */

import type { Rate } from "./rate.ts";
import { type Bucket, changeRate, fullBucket, refill } from "./token-bucket.ts";

/** A rate under which some bucket may still be counted. */
export interface EarlierRate {
  readonly rate: Rate | undefined;
  /** µs: it was in force until then. */
  readonly until: number;
}

/** A limiter, as far as it matters here. */
interface RatedLimiter {
  readonly config: { readonly rate: Rate | undefined };
  /** How often its rate has changed. */
  readonly rateChanges: number;
  /** What it was before each of the last changes. */
  readonly earlierRates: readonly EarlierRate[];
}

/** An instance, likewise. */
interface Rated {
  readonly limiter: RatedLimiter;
  readonly bucket: Bucket;
  /** How many of those changes the bucket has been through. */
  rateChanges: number;
}

/** Brings the bucket up to `now`, through all changes of the rate since it was last used, and returns it. */
export function refilled(instance: Rated, rate: Rate, now: number): Bucket {
  if (instance.rateChanges !== instance.limiter.rateChanges) catchUp(instance);
  refill(instance.bucket, rate, now);
  return instance.bucket;
}

/** Brings the bucket through all changes of the rate since it was last used. */
export function catchUp(instance: Rated): void {
  const { limiter, bucket } = instance;
  goThrough(bucket, limiter, instance.rateChanges);
  instance.rateChanges = limiter.rateChanges;
}

/** The bucket as `catchUp` would leave it, which is left as it is. */
export function caughtUp({ limiter, bucket, rateChanges }: Rated): Bucket {
  if (rateChanges === limiter.rateChanges) return bucket;
  const copy = { ...bucket };
  goThrough(copy, limiter, rateChanges);
  return copy;
}

/** What was gained so far was gained at the old rate. A rate limit that is new begins full, as a new limiter does. */
export function changeBucket(
  bucket: Bucket,
  { before, after }: { readonly before: Rate | undefined; readonly after: Rate | undefined },
  now: number,
): void {
  if (before !== undefined && after !== undefined) {
    refill(bucket, before, now);
    changeRate(bucket, before, after);
  } else {
    Object.assign(bucket, fullBucket(after, now));
  }
}

/** `seen`: how many changes of the rate the bucket has been through. */
function goThrough(bucket: Bucket, { earlierRates, rateChanges, config }: RatedLimiter, seen: number): void {
  const first = earlierRates.length - (rateChanges - seen);
  for (let index = first; index < earlierRates.length; index++) {
    const { rate, until } = earlierRates[index] as EarlierRate;
    const next = earlierRates[index + 1];
    changeBucket(bucket, { before: rate, after: next === undefined ? config.rate : next.rate }, until);
  }
}
