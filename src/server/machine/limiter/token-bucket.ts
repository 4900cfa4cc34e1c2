/**
 * The token bucket, in exact whole numbers.
 *
 * A rate in lowest terms brings `gain` parts each µs, and `unit` parts are a token. The level is kept as whole tokens and
 * the parts of the next one, so refilling multiplies and carries, and nothing is lost or gained by rounding, however
 * often it is done. Numbers below 2^53 are exact doubles; where a product may not be, a few lines of BigInt take over,
 * which only rates and bursts of many digits reach.
 *
 * A full bucket gains nothing. A claim that takes all of it therefore waits for the first whole µs at which it is full,
 * and what that one brought beyond is lost: granting it would put two grants nearer than the rate allows. Where the burst
 * exceeds the claim by what one µs brings, at least by one token, nothing is lost.
 */

import { FOREVER, type Rate } from "./rate.ts";

/** How full a bucket was at an instant. */
export interface Bucket {
  /** Whole tokens. */
  tokens: number;
  /** Parts of the next token, below the rate's `unit`; 0 in a full bucket. */
  parts: number;
  /** µs. */
  at: number;
}

export function fullBucket(rate: Rate | undefined, now: number): Bucket {
  return { tokens: rate?.capacity ?? 0, parts: 0, at: now };
}

/** Brings the bucket up to `now`. */
export function refill(bucket: Bucket, rate: Rate, now: number): void {
  const elapsed = now - bucket.at;
  bucket.at = now;
  if (elapsed === 0 || bucket.tokens === rate.capacity) return;
  // A sum that is not exact is above 2^53, and is not used.
  const parts = bucket.parts + elapsed * rate.gain;
  if (parts < rate.unit) bucket.parts = parts;
  else if (elapsed >= rate.fillTime) fill(bucket, rate);
  else if (parts <= Number.MAX_SAFE_INTEGER) carry(bucket, rate, parts);
  else carryLarge(bucket, rate, elapsed);
}

/**
 * µs from the bucket's own instant until it has gained enough to hold `tokens`; 0 if it does. `tokens` may exceed the
 * capacity, as the estimate for a long queue does. At most `FOREVER`.
 */
export function microsUntil(bucket: Bucket, rate: Pick<Rate, "gain" | "unit">, tokens: number): number {
  if (tokens <= bucket.tokens) return 0;
  const missing = (tokens - bucket.tokens) * rate.unit;
  // The quotient of two whole numbers below 2^53 is never rounded to a whole number that it is not: another double is nearer.
  if (missing <= Number.MAX_SAFE_INTEGER) return Math.min(FOREVER, Math.ceil((missing - bucket.parts) / rate.gain));
  const gain = BigInt(rate.gain);
  const parts = BigInt(tokens - bucket.tokens) * BigInt(rate.unit) - BigInt(bucket.parts);
  return Math.min(FOREVER, Number((parts + gain - 1n) / gain));
}

/** µs from the bucket's own instant until it is full. */
export function microsUntilFull(bucket: Bucket, rate: Pick<Rate, "gain" | "unit" | "capacity">): number {
  return microsUntil(bucket, rate, rate.capacity);
}

/** Tokens in the bucket, as the nearest double; for people. */
export function levelOf(bucket: Bucket, rate: Rate): number {
  return bucket.tokens + bucket.parts / rate.unit;
}

/**
 * Goes on under another rate: what is there stays, as far as there is room. Less than a part of the new rate is cut off, so
 * that nothing is gained.
 */
export function changeRate(bucket: Bucket, before: Pick<Rate, "unit">, after: Rate): void {
  if (bucket.tokens >= after.capacity) fill(bucket, after);
  else if (before.unit !== after.unit) {
    bucket.parts = Number((BigInt(bucket.parts) * BigInt(after.unit)) / BigInt(before.unit));
  }
}

function fill(bucket: Bucket, rate: Rate): void {
  bucket.tokens = rate.capacity;
  bucket.parts = 0;
}

function carry(bucket: Bucket, rate: Rate, parts: number): void {
  // Exact, as above.
  const tokens = Math.floor(parts / rate.unit);
  bucket.tokens += tokens;
  bucket.parts = parts - tokens * rate.unit;
  if (bucket.tokens >= rate.capacity) fill(bucket, rate);
}

function carryLarge(bucket: Bucket, rate: Rate, elapsed: number): void {
  const unit = BigInt(rate.unit);
  const parts = BigInt(bucket.parts) + BigInt(elapsed) * BigInt(rate.gain);
  bucket.tokens += Number(parts / unit);
  bucket.parts = Number(parts % unit);
  if (bucket.tokens >= rate.capacity) fill(bucket, rate);
}
