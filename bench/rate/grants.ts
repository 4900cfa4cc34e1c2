/** What came of a limiter's grants: whether its rate was delivered, and whether it was ever exceeded. In whole numbers. */

import type { Rate } from "../../src/server/machine/limiter/rate.ts";

export interface RateLimit {
  readonly rate: Rate;
  /** Tokens of each grant. */
  readonly claim: number;
}

/**
 * The share of the limit that was delivered between the first grant and the last: as many tokens as came after the first,
 * over those that the time brought. `instants`: µs, in order.
 */
export function deliveredShare(instants: readonly number[], { rate, claim }: RateLimit): number {
  const [first] = instants;
  const last = instants.at(-1);
  if (first === undefined || last === undefined || first === last) throw new RangeError("too few grants");
  return ((instants.length - 1) * claim * rate.unit) / ((last - first) * rate.gain);
}

/**
 * Tokens by which any window, from a grant to a later one or the same, exceeds `burst_size + rate · t`; at most 0 if none
 * does. Every window is looked at: with x(i) = the tokens before grant i - what the time until it brings, the window from i
 * to j holds a claim + x(j) - x(i) more than its time brings, so the least x so far decides.
 */
export function excessInAnyWindow(instants: readonly number[], { rate, claim }: RateLimit): number {
  const [gain, unit] = [BigInt(rate.gain), BigInt(rate.unit)];
  const [size, burst] = [BigInt(claim) * unit, BigInt(rate.capacity) * unit];
  let least: bigint | undefined;
  let most = -burst;
  for (const [index, instant] of instants.entries()) {
    const x = BigInt(index) * size - BigInt(instant) * gain;
    if (least === undefined || x < least) least = x;
    const excess = size + x - least - burst;
    if (excess > most) most = excess;
  }
  return Number(most) / rate.unit;
}
