/** Claims and times for tests of the machine, whose time is in µs. */

import type { Claim } from "../../../src/server/machine/limiter/claim.ts";

export const MILLISECOND = 1_000;
export const SECOND = 1_000_000;
export const MINUTE = 60 * SECOND;

/** One permit and one token, unless said otherwise. */
export function claimOn(limiter: string, claim: Partial<Omit<Claim, "limiter">> = {}): Claim {
  return { limiter, key: "", permits: 1, tokens: 1, slots: false, ...claim };
}

/** Shows instants as the machine has them. */
export const asIs = (micros: number): number => micros;
