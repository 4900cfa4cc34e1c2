/** Limiters for tests: everything unlimited but what the test is about. */

import type { LimiterConfig } from "../../src/server/machine/limiter.ts";
import { createRate, type Rate } from "../../src/server/machine/rate.ts";

export function limiterOf(about: Partial<LimiterConfig> & { readonly name?: string } = {}): LimiterConfig {
  return {
    name: "db",
    description: "",
    rate: undefined,
    maxConcurrent: undefined,
    keyed: false,
    maxKeys: 10_000,
    maxWaiters: 10_000,
    maxWait: undefined,
    refuseLongWaits: false,
    ttl: 30_000_000,
    maxTtl: 300_000_000,
    trustCancel: true,
    paused: false,
    ...about,
  };
}

/** A rate that is known to be one. */
export function rateOf(maxRps: number, burstSize: number): Rate {
  const rate = createRate({ kind: "per-second", maxRps }, burstSize);
  if (rate === undefined) throw new RangeError(`no rate: ${maxRps}/s, burst ${burstSize}`);
  return rate;
}

/** So many tokens in each period of `per` µs. */
export function amountOf(tokens: number, per: number, burstSize?: number): Rate {
  const rate = createRate({ kind: "amount", tokens, per }, burstSize);
  if (rate === undefined) throw new RangeError(`no rate: ${tokens} in ${per} µs, burst ${burstSize}`);
  return rate;
}
