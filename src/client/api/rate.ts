/** Rates as people write and read them: an amount per period. */

import { spanParts, UNITS, type Unit, unitNamed } from "./duration.ts";

/** An amount per period, exact. */
export interface RateAmount {
  /** Tokens in a period, 1 to 1,000,000,000. */
  readonly tokens: number;
  /** ms, to 366 days, in whole microseconds. */
  readonly per: number;
}

/** `"10/m"`, `"50/d"`, `"5/2h"`, `{ tokens: 10, per: 60_000 }` (ms) or `{ tokens: 10, per: "60s" }`. */
export type RateInput = string | { readonly tokens: number; readonly per: number | string };

const EXAMPLES = "such as 10/m, 50/d, 100/s or 5/2h";
const RATE = /^([^/]+)\/(.+)$/;

/** Returns the amount and the period (µs) of `10/m` and the like; throws a `RangeError` that says what is wrong with a text. */
export function parseRate(text: string): { readonly tokens: number; readonly perMicros: number } {
  const [, amount, period] = RATE.exec(text.trim().replace(/\s+per\s+/, "/")) ?? [];
  if (amount === undefined || period === undefined) {
    const hint = /^[\d.]+$/.test(text.trim()) ? `: it lacks its period, write ${text.trim()}/s` : "";
    throw new RangeError(`must be an amount per period, ${EXAMPLES}${hint}`);
  }
  if (!/^\d{1,15}$/.test(amount.trim())) {
    throw new RangeError(`must be a whole amount per period, ${EXAMPLES}; half a token a second is 1/2s`);
  }
  return { tokens: Number(amount), perMicros: parsePeriod(period) };
}

/** Returns the tokens and the period (µs) of a rate in any of its notations; throws a `RangeError`. */
export function readRateInput(rate: RateInput): { readonly tokens: number; readonly perMicros: number } {
  if (typeof rate === "string") return parseRate(rate);
  const { tokens, per } = rate;
  return { tokens, perMicros: typeof per === "string" ? parsePeriod(per) : wholeMicros(per * UNITS.ms) };
}

/** As `parseRate` reads it, in the longest unit of which the period is a multiple: `10/m`, `5/2h`, `1/30d`. */
export function formatRate({ tokens, per }: RateAmount): string {
  const micros = Math.round(per * UNITS.ms);
  const unit = (["d", "h", "m", "s", "ms"] as const).find((each) => micros % UNITS[each] === 0) ?? "us";
  const count = micros / UNITS[unit];
  return `${tokens}/${count === 1 ? "" : count}${unit}`;
}

function parsePeriod(text: string): number {
  const parts = spanParts(text.trim());
  if (parts === undefined) {
    throw new RangeError(`must have a period such as s, m, 2h or 60s after the amount, ${EXAMPLES}`);
  }
  return wholeMicros(parts.reduce((micros, { count = "1", word }) => micros + Number(count) * UNITS[unitOf(word)], 0));
}

function unitOf(word: string): Unit {
  const unit = unitNamed(word);
  if (unit !== undefined) return unit;
  throw new RangeError(
    `must have a period in us, ms, s, m, h, d, w, month (30 days) or y (365 days), not in "${word}"`,
  );
}

function wholeMicros(micros: number): number {
  const whole = Math.round(micros);
  // A sum of decimals may be off in its last place.
  if (!(Math.abs(micros - whole) <= 1e-3) || whole < 1) {
    throw new RangeError("must have a period of whole microseconds, 1 or more");
  }
  return whole;
}
