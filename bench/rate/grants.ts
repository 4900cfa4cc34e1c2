/** What came of a limiter's grants: whether its rate was delivered, and whether it was ever exceeded. In whole numbers. */

export interface RateLimit {
  /** Tokens a second, whole. */
  readonly maxRps: number;
  readonly burstSize: number;
}

const NANOTOKENS = 1_000_000_000n;
const NANOTOKENS_A_MICRO = 1_000n;

/**
 * The share of the limit that was delivered between the first grant and the last: as many tokens as came after the first,
 * over those that the time brought. `instants`: µs, of one token each, in order.
 */
export function deliveredShare(instants: readonly number[], { maxRps }: RateLimit): number {
  const [first] = instants;
  const last = instants.at(-1);
  if (first === undefined || last === undefined || first === last) throw new RangeError("too few grants");
  return ((instants.length - 1) * 1e6) / ((last - first) * maxRps);
}

/**
 * Tokens by which any window, from a grant to a later one or the same, exceeds `burst_size + max_rps · t`; at most 0 if
 * none does. Every window is looked at: with x(i) = i tokens - what the time until grant i brings, the window from i to j
 * holds 1 + x(j) - x(i) more than its time brings, so the least x so far decides.
 */
export function excessInAnyWindow(instants: readonly number[], { maxRps, burstSize }: RateLimit): number {
  let least: bigint | undefined;
  let most = -BigInt(burstSize) * NANOTOKENS;
  for (const [index, instant] of instants.entries()) {
    const x = BigInt(index) * NANOTOKENS - BigInt(instant) * BigInt(maxRps) * NANOTOKENS_A_MICRO;
    if (least === undefined || x < least) least = x;
    const excess = NANOTOKENS + x - least - BigInt(burstSize) * NANOTOKENS;
    if (excess > most) most = excess;
  }
  return Number(most) / Number(NANOTOKENS);
}
