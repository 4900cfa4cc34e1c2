/** Limiters for tests: everything unlimited but what the test is about. */

import { LIMITER_DEFAULTS, type LimiterConfig } from "../../src/server/machine/limiter/limiter.ts";
import { createRate, type Rate } from "../../src/server/machine/limiter/rate.ts";

export function limiterOf(about: Partial<LimiterConfig> & { readonly name?: string } = {}): LimiterConfig {
  return { ...LIMITER_DEFAULTS, name: "db", ...about };
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
