/** What a caller asks of one limiter. */

/** The part of a claim that does not name the limiter. */
export interface ClaimOptions {
  /** Which of a keyed limiter's keys; required there, refused elsewhere. At most 256 bytes. */
  readonly key?: string | undefined;
  /** Units of concurrency, held until the lease ends. Default 1; 0 to 1,000,000; 0 for work that only wants rate. */
  readonly permits?: number | undefined;
  /** Units of rate, spent at the grant. Default 1; 0 to 1,000,000, and not 0 where `permits` is 0 too. */
  readonly tokens?: number | undefined;
  /** Asks for a slot for each permit, for a resource that keeps the highest fencing token per slot. Default false. */
  readonly slots?: boolean | undefined;
}

/** A claim on one limiter. Up to 8 of them are granted whole, at one instant, or not at all. */
export interface Claim extends ClaimOptions {
  /** The limiter's name. */
  readonly limiter: string;
}

/** What a lease holds of one limiter. */
export interface GrantedClaim {
  readonly limiter: string;
  /** Empty for a limiter without keys. */
  readonly key: string;
  /** Permits held; 0 for a limiter without a concurrency limit. */
  readonly permits: number;
  /** Tokens spent; 0 for a limiter without a rate limit. */
  readonly tokens: number;
  /**
   * Rises for ever with each grant of this limiter. Hand it to the guarded resource: one that remembers the highest it
   * has seen (per slot, where more than one may hold) can refuse a holder whose lease has gone. An unsigned 64-bit
   * number.
   */
  readonly fencingToken: bigint;
  /** One number a permit, if the claim asked for them; else empty. */
  readonly slots: readonly number[];
}
