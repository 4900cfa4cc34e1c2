/** The rate of a limiter: tokens per period, in lowest terms of whole numbers. */

import { greatestCommonDivisor, simplestFraction } from "../structures/fraction.ts";

/** What an operator wrote. */
export type StatedRate =
  /** Tokens a second; read as the simplest fraction within a double's rounding. */
  | { readonly kind: "per-second"; readonly maxRps: number }
  /** Whole tokens in each period of `per` µs. */
  | { readonly kind: "amount"; readonly tokens: number; readonly per: number };

/** What a bucket may do. A part is the share of a token that makes every gain whole. */
export interface Rate {
  readonly stated: StatedRate;
  /** Parts that come each µs. */
  readonly gain: number;
  /** Parts in a token. */
  readonly unit: number;
  /** Whole tokens that an idle bucket saves up. */
  readonly capacity: number;
  /** µs in which an empty bucket fills. */
  readonly fillTime: number;
}

/** The slowest rate: a token in so many µs, 30 days. */
const SLOWEST_PERIOD = 2_592_000_000_000;
/** The fastest rate: so many tokens a µs. */
const FASTEST_GAIN = 10;
/** Tokens of a rate's period, of a burst, of a claim. */
export const MAX_TOKENS = 1_000_000_000;
/** µs: 366 days. */
export const MAX_PERIOD = 31_622_400_000_000;
/** µs, 142 years: longer waits are not distinguished. */
export const FOREVER = 2 ** 52;

const SECOND = 1_000_000;
/** Of a second's tokens, what an idle bucket saves up by default: what 50 ms bring. */
const DEFAULT_BURST_SPAN = 50_000n;

/** Returns the rate; undefined if it is slower than one token in 30 days, faster than 10 million a second, or no number. */
export function createRate(written: StatedRate, burstSize = defaultBurst(written)): Rate | undefined {
  const stated = inShort(written);
  const terms = lowestTerms(stated);
  if (terms === undefined || !isTokens(burstSize)) return undefined;
  const [gain, unit] = terms;
  const fillTime = (BigInt(burstSize) * unit + gain - 1n) / gain;
  return {
    stated,
    gain: Number(gain),
    unit: Number(unit),
    capacity: burstSize,
    fillTime: Number(fillTime),
  };
}

/** The tokens of 50 ms, at least 1: the server may pause for so long (garbage collection, say) and still deliver the rate. */
export function defaultBurst(stated: StatedRate): number {
  const [gain, unit] = lowestTerms(stated) ?? [0n, 1n];
  return Math.max(1, Number((gain * DEFAULT_BURST_SPAN) / unit));
}

/** Tokens a second, as the nearest double. */
export function toMaxRps(stated: StatedRate): number {
  return stated.kind === "amount" ? (stated.tokens * SECOND) / stated.per : stated.maxRps;
}

/** Whether two rates let the same through. */
export function sameRate(a: Rate | undefined, b: Rate | undefined): boolean {
  return a?.gain === b?.gain && a?.unit === b?.unit && a?.capacity === b?.capacity;
}

/** Whether two rates were written in the same way. */
export function sameStatement(a: StatedRate | undefined, b: StatedRate | undefined): boolean {
  if (a?.kind === "amount") return b?.kind === "amount" && a.tokens === b.tokens && a.per === b.per;
  if (a?.kind === "per-second") return b?.kind === "per-second" && a.maxRps === b.maxRps;
  return b === undefined;
}

/** 0.30000000000000004 is 0.3 from here on. */
function inShort(stated: StatedRate): StatedRate {
  if (stated.kind === "amount" || !isNearBounds(stated.maxRps)) return stated;
  const { numerator, denominator } = simplestFraction(stated.maxRps);
  return { kind: "per-second", maxRps: numerator / denominator };
}

function lowestTerms(stated: StatedRate): readonly [gain: bigint, unit: bigint] | undefined {
  const [tokens, per] = stated.kind === "amount" ? amountTerms(stated.tokens, stated.per) : secondTerms(stated.maxRps);
  if (tokens * BigInt(SLOWEST_PERIOD) < per || tokens > per * BigInt(FASTEST_GAIN)) return undefined;
  const divisor = greatestCommonDivisor(tokens, per);
  return [tokens / divisor, per / divisor];
}

type Terms = readonly [tokens: bigint, micros: bigint];

/** No tokens in a µs: slower than any rate. */
const NONE: Terms = [0n, 1n];

function amountTerms(tokens: number, per: number): Terms {
  const isPeriod = Number.isInteger(per) && per >= 1 && per <= MAX_PERIOD;
  return isTokens(tokens) && isPeriod ? [BigInt(tokens), BigInt(per)] : NONE;
}

function secondTerms(maxRps: number): Terms {
  if (!isNearBounds(maxRps)) return NONE;
  const { numerator, denominator } = simplestFraction(maxRps);
  return [BigInt(numerator), BigInt(denominator) * BigInt(SECOND)];
}

/** Far beyond both bounds, nothing has to be read as a fraction. */
function isNearBounds(maxRps: number): boolean {
  return maxRps >= 1e-9 && maxRps <= 1e9;
}

function isTokens(tokens: number): boolean {
  return Number.isInteger(tokens) && tokens >= 1 && tokens <= MAX_TOKENS;
}
