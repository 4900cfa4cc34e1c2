/** Limiters and claims for tests: what a test does not say is as plain as can be. */

import type { Claim } from "../../../src/server/machine/claim.ts";
import type { LimiterConfig } from "../../../src/server/machine/limiter.ts";
import { createRate, type Rate } from "../../../src/server/machine/token-bucket.ts";

export const MILLISECOND = 1_000;
export const SECOND = 1_000_000;
export const MINUTE = 60 * SECOND;

/** A rate by its public figures. */
export function rateOf(maxRps: number, burstSize: number): Rate {
  const rate = createRate(maxRps, burstSize);
  if (rate === undefined) throw new Error(`no rate: ${maxRps} a second, burst ${burstSize}`);
  return rate;
}

export function limiterConfig(config: Partial<LimiterConfig> & { readonly name: string }): LimiterConfig {
  return {
    description: "",
    rate: undefined,
    maxConcurrent: undefined,
    keyed: false,
    maxKeys: 10_000,
    maxWaiters: 10_000,
    maxWait: undefined,
    refuseLongWaits: false,
    ttl: 10 * SECOND,
    maxTtl: 5 * MINUTE,
    trustCancel: true,
    paused: false,
    ...config,
  };
}

export function claimOn(limiter: string, claim: Partial<Omit<Claim, "limiter">> = {}): Claim {
  return { limiter, key: "", permits: 1, tokens: 1, slots: false, ...claim };
}
