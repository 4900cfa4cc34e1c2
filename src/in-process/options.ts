/** The options of an in-process limiter, in the units of its callers, checked before the machine sees it. */

import type { ClaimOptions, Claim as ClientClaim } from "../client/api/claim.ts";
import { type RateInput, readRateInput } from "../client/api/rate.ts";
import type { Claim } from "../server/machine/limiter/claim.ts";
import { LIMITER_DEFAULTS, type LimiterConfig } from "../server/machine/limiter/limiter.ts";
import { createRate, MAX_TOKENS, type Rate, type StatedRate } from "../server/machine/limiter/rate.ts";

/** At least one of `rate`, `maxRps` and `maxConcurrent`. */
export interface RateLimiterOptions {
  /** Tokens a second, from one in 30 days to 10,000,000; 10 / 60 is exactly 10 a minute. Unset: no rate limit. */
  readonly maxRps?: number | undefined;
  /** An amount per period instead of `maxRps`: `"10/m"`, `"50/d"` or `{ tokens: 10, per: 60_000 }` (ms). */
  readonly rate?: RateInput | undefined;
  /** Permits, 1 to 1,000,000. Unset: no concurrency limit. */
  readonly maxConcurrent?: number | undefined;
  /** Tokens that an idle limiter saves up, 1 to 1,000,000,000. Unset: what 50 ms bring, at least 1. */
  readonly burstSize?: number | undefined;
  /** Requests that may wait, 0 to 1,000,000. Default 10,000. */
  readonly maxWaiters?: number | undefined;
  /** ms that a request waits at most; a request may ask for less. Unset: as long as it takes. */
  readonly maxWait?: number | undefined;
  /** Refuses at once a request that is likely to wait longer than it will, instead of at the end. Default false. */
  readonly refuseLongWaits?: boolean | undefined;
  /** One bucket and one count of permits for each key that is asked for. Default false. */
  readonly keyed?: boolean | undefined;
  /** Keys that may be in use at once, 1 to 1,000,000. Default 10,000. */
  readonly maxKeys?: number | undefined;
  /** For messages. Default "in-process". */
  readonly name?: string | undefined;
}

const MOST = 1_000_000;

export function limiterConfig(options: RateLimiterOptions): LimiterConfig {
  const { maxConcurrent, burstSize, maxWait, maxWaiters = LIMITER_DEFAULTS.maxWaiters, name = "in-process" } = options;
  const { keyed = false, maxKeys = LIMITER_DEFAULTS.maxKeys, refuseLongWaits = false } = options;
  const rate = rateOf(options);
  if (rate === undefined && maxConcurrent === undefined) {
    throw new RangeError("a limiter needs a rate (rate or maxRps), maxConcurrent or both");
  }
  if (burstSize !== undefined && rate === undefined) throw new RangeError("burstSize needs rate or maxRps");
  if (maxConcurrent !== undefined) checkWhole("maxConcurrent", maxConcurrent, 1, MOST);
  checkWhole("maxWaiters", maxWaiters, 0, MOST);
  checkWhole("maxKeys", maxKeys, 1, MOST);
  if (options.maxKeys !== undefined && !keyed) throw new RangeError("maxKeys needs keyed: true");
  return {
    ...LIMITER_DEFAULTS,
    name,
    rate,
    maxConcurrent,
    keyed,
    maxKeys,
    maxWaiters,
    maxWait: waitToMicros(maxWait),
    refuseLongWaits,
    // No connection can be lost in here: leases end by their release alone.
    ttl: 0,
    maxTtl: 0,
  };
}

function rateOf({ rate, maxRps, burstSize }: RateLimiterOptions): Rate | undefined {
  if (rate !== undefined && maxRps !== undefined) throw new RangeError("give rate or maxRps, not both");
  if (burstSize !== undefined) checkWhole("burstSize", burstSize, 1, MAX_TOKENS);
  if (rate !== undefined) {
    const created = createRate(amountOf(rate), burstSize);
    if (created === undefined) throw new RangeError(`rate ${BOUNDS}, not ${JSON.stringify(rate)}`);
    return created;
  }
  if (maxRps === undefined) return undefined;
  const created = createRate({ kind: "per-second", maxRps }, burstSize);
  if (created === undefined) throw new RangeError(`maxRps ${BOUNDS}, not ${maxRps}`);
  return created;
}

const BOUNDS = "must be from one token in 30 days to 10,000,000 a second";

function amountOf(rate: RateInput): StatedRate {
  try {
    const { tokens, perMicros } = readRateInput(rate);
    return { kind: "amount", tokens, per: perMicros };
  } catch (error) {
    throw new RangeError(`rate ${(error as Error).message}; it is ${JSON.stringify(rate)}`);
  }
}

const MOST_CLAIMS = 8;

/** The claims that a caller makes: a limiter's name with options, or several; throws a `RangeError` for what are none. */
export function checkClaims(wanted: string | readonly ClientClaim[], options: ClaimOptions): readonly Claim[] {
  if (typeof wanted === "string") {
    const { key, permits, tokens, slots } = options;
    return [checkClaim({ limiter: wanted, key, permits, tokens, slots })];
  }
  if (wanted.length === 0 || wanted.length > MOST_CLAIMS) {
    throw new RangeError(`1 to ${MOST_CLAIMS} claims can be made together, not ${wanted.length}`);
  }
  const claims = wanted.map(checkClaim);
  const names = new Set(claims.map(({ limiter, key }) => JSON.stringify([limiter, key])));
  if (names.size < claims.length) {
    throw new RangeError("two claims name the same limiter and key; ask for more permits instead");
  }
  return claims;
}

function checkClaim({ limiter, key = "", permits = 1, tokens = 1, slots = false }: ClientClaim): Claim {
  checkWhole("permits", permits, 0, MOST);
  checkWhole("tokens", tokens, 0, MAX_TOKENS);
  if (permits === 0 && tokens === 0) throw new RangeError("permits and tokens must not both be 0");
  return { limiter, key, permits, tokens, slots };
}

/** ms to µs, rounded up so that a bound never shrinks to nothing. */
export function waitToMicros(maxWait: number | undefined): number | undefined {
  if (maxWait === undefined) return undefined;
  if (!(maxWait >= 0)) throw new RangeError(`maxWait must be 0 ms or more, not ${maxWait}`);
  return Math.ceil(maxWait * 1000);
}

function checkWhole(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new RangeError(`${name} must be a whole number from ${least} to ${most}, not ${value}`);
}
