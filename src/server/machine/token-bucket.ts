/**
 * The rate limit: a token bucket in exact integers.
 *
 * A rate is kept in millitokens a second, time in microseconds and the level in nanotokens, so that one microsecond at
 * one millitoken a second brings exactly one nanotoken: refilling multiplies, never divides, and loses nothing to
 * rounding however often it is done. With the bounds below every level is an exact double (10^15 < 2^53).
 *
 * A full bucket gains nothing. A claim that takes all of it therefore waits for the first whole microsecond at which it
 * is full, and what that one brought beyond is lost: granting it would put two grants nearer than the rate allows. With a
 * burst of even one token more than the claim nothing is lost.
 */

/** Nanotokens in a token. */
export const TOKEN = 1e9;
/** Tokens a second: the bounds of a rate, and its step. */
export const MIN_RPS = 0.001;
export const MAX_RPS = 1e6;
/** Tokens: the bound of a burst. */
export const MAX_BURST = 1e6;

/** Of a second's tokens, what an idle bucket saves up where nobody says otherwise: what 50 ms bring. */
const DEFAULT_BURSTS_A_SECOND = 20;

/** What a bucket may do. */
export interface Rate {
  /** Millitokens a second, an integer from 1 to 10^9. */
  readonly milliRps: number;
  /** Nanotokens that an idle bucket saves up. */
  readonly capacity: number;
}

/** How full a bucket was at an instant. */
export interface Bucket {
  /** Nanotokens. */
  level: number;
  /** µs. */
  at: number;
}

/** A rate from its public figures, or undefined if `maxRps` is not a multiple of 0.001 within bounds. */
export function createRate(maxRps: number, burstSize: number): Rate | undefined {
  const milliRps = Math.round(maxRps * 1000);
  const exact = milliRps / 1000 === maxRps && maxRps >= MIN_RPS && maxRps <= MAX_RPS;
  const burstFits = Number.isInteger(burstSize) && burstSize >= 1 && burstSize <= MAX_BURST;
  return exact && burstFits ? { milliRps, capacity: burstSize * TOKEN } : undefined;
}

/** Tokens, at least 1. The server may be away for so long (a collection of garbage, say) and still deliver its rate. */
export function defaultBurst(maxRps: number): number {
  return Math.max(1, Math.floor(maxRps / DEFAULT_BURSTS_A_SECOND));
}

/** Brings the bucket up to `now`. */
export function refill(bucket: Bucket, rate: Rate, now: number): void {
  // Exact where it matters: a product below 2^53 is exact, a larger one exceeds any capacity and is cut to it.
  const gain = (now - bucket.at) * rate.milliRps;
  bucket.level = gain >= rate.capacity - bucket.level ? rate.capacity : bucket.level + gain;
  bucket.at = now;
}

/**
 * µs from the bucket's own instant until it has gained enough to hold `tokens`; 0 if it does. `tokens` may exceed the
 * capacity: it is exact to 9 million tokens, and nearly so beyond, which only an estimate for a long queue is.
 */
export function microsUntil(bucket: Bucket, rate: Rate, tokens: number): number {
  const missing = tokens * TOKEN - bucket.level;
  // The quotient of two integers below 2^53 is never rounded to a whole number that it is not: another double is nearer.
  return missing <= 0 ? 0 : Math.ceil(missing / rate.milliRps);
}

/** µs from the bucket's own instant until it is full. */
export function microsUntilFull(bucket: Bucket, rate: Rate): number {
  return microsUntil(bucket, rate, rate.capacity / TOKEN);
}
