/** What an in-process limiter is told, in the units of its callers, checked before the machine sees it. */

import type { TryAdmitOptions } from "../client/admission-controller.ts";
import type { Claim } from "../server/machine/claim.ts";
import type { LimiterConfig } from "../server/machine/limiter.ts";
import { createRate, defaultBurst, MAX_BURST, MAX_RPS, MIN_RPS } from "../server/machine/token-bucket.ts";

/** At least one of `maxRps` and `maxConcurrent`. */
export interface RateLimiterOptions {
  /** Tokens a second, 0.001 to 1,000,000 in steps of 0.001. Unset: no rate limit. */
  readonly maxRps?: number | undefined;
  /** Permits, 1 to 1,000,000. Unset: no concurrency limit. */
  readonly maxConcurrent?: number | undefined;
  /** Tokens that an idle limiter saves up, 1 to 1,000,000. Unset: what 50 ms bring, at least 1. */
  readonly burstSize?: number | undefined;
  /** How many may wait, 0 to 1,000,000. Default 10,000. */
  readonly maxWaiters?: number | undefined;
  /** For messages. Default "in-process". */
  readonly name?: string | undefined;
}

const MOST = 1_000_000;

export function limiterConfig(options: RateLimiterOptions): LimiterConfig {
  const { maxRps, maxConcurrent, burstSize, maxWaiters = 10_000, name = "in-process" } = options;
  if (maxRps === undefined && maxConcurrent === undefined) {
    throw new RangeError("a limiter needs maxRps, maxConcurrent or both");
  }
  if (burstSize !== undefined && maxRps === undefined) throw new RangeError("burstSize needs maxRps");
  if (maxConcurrent !== undefined) checkWhole("maxConcurrent", maxConcurrent, 1, MOST);
  if (burstSize !== undefined) checkWhole("burstSize", burstSize, 1, MAX_BURST);
  checkWhole("maxWaiters", maxWaiters, 0, MOST);
  const rate = maxRps === undefined ? undefined : createRate(maxRps, burstSize ?? defaultBurst(maxRps));
  if (maxRps !== undefined && rate === undefined) {
    throw new RangeError(`maxRps must be ${MIN_RPS} to ${MAX_RPS} in steps of 0.001, not ${maxRps}`);
  }
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

/** The claim that a caller makes; throws a `RangeError` for one that is none. */
export function checkClaim(config: LimiterConfig, options: TryAdmitOptions): Claim {
  const { permits = 1, tokens = 1, slots = false } = options;
  checkWhole("permits", permits, 0, MOST);
  checkWhole("tokens", tokens, 0, MOST);
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
