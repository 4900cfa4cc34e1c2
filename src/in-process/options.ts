/** What an in-process limiter is told, in the units of its callers, checked before the machine sees it. */

import type { TryAdmitOptions } from "../client/admission-controller.ts";
import { type RateInput, readRateInput } from "../client/rate.ts";
import type { Claim } from "../server/machine/claim.ts";
import type { LimiterConfig } from "../server/machine/limiter.ts";
import { createRate, MAX_TOKENS, type Rate, type StatedRate } from "../server/machine/rate.ts";

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
  /** How many may wait, 0 to 1,000,000. Default 10,000. */
  readonly maxWaiters?: number | undefined;
  /** For messages. Default "in-process". */
  readonly name?: string | undefined;
}

const MOST = 1_000_000;

export function limiterConfig(options: RateLimiterOptions): LimiterConfig {
  const { maxConcurrent, burstSize, maxWaiters = 10_000, name = "in-process" } = options;
  const rate = rateOf(options);
  if (rate === undefined && maxConcurrent === undefined) {
    throw new RangeError("a limiter needs a rate (rate or maxRps), maxConcurrent or both");
  }
  if (burstSize !== undefined && rate === undefined) throw new RangeError("burstSize needs rate or maxRps");
  if (maxConcurrent !== undefined) checkWhole("maxConcurrent", maxConcurrent, 1, MOST);
  checkWhole("maxWaiters", maxWaiters, 0, MOST);
  return {
    name,
    description: "",
    rate,
    maxConcurrent,
    keyed: false,
    maxKeys: 1,
    maxWaiters,
    maxWait: undefined,
    refuseLongWaits: false,
    // No connection can be lost in here: leases end by their release alone.
    ttl: 0,
    maxTtl: 0,
    trustCancel: true,
    paused: false,
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

/** The claim that a caller makes; throws a `RangeError` for one that is none. */
export function checkClaim(config: LimiterConfig, options: TryAdmitOptions): Claim {
  const { permits = 1, tokens = 1, slots = false } = options;
  checkWhole("permits", permits, 0, MOST);
  checkWhole("tokens", tokens, 0, MAX_TOKENS);
  if (permits === 0 && tokens === 0) throw new RangeError("permits and tokens must not both be 0");
  return { limiter: config.name, key: "", permits, tokens, slots };
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
