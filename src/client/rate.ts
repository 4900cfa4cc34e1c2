/** Rates as people write and read them: an amount per period. */

/** An amount per period, exact. */
export interface RateAmount {
  /** Tokens in a period, 1 to 1,000,000,000. */
  readonly tokens: number;
  /** ms, to 366 days, in whole microseconds. */
  readonly per: number;
}

/** `"10/m"`, `"50/d"`, `"5/2h"`, `{ tokens: 10, per: 60_000 }` (ms) or `{ tokens: 10, per: "60s" }`. */
export type RateInput = string | { readonly tokens: number; readonly per: number | string };

/** µs. A month is 30 days, a year 365. */
const UNITS = {
  us: 1,
  ms: 1_000,
  s: 1_000_000,
  m: 60_000_000,
  h: 3_600_000_000,
  d: 86_400_000_000,
  w: 604_800_000_000,
  month: 2_592_000_000_000,
  y: 31_536_000_000_000,
} as const;

type Unit = keyof typeof UNITS;

/** Other words for a unit. */
const NAMES: Readonly<Record<string, Unit>> = {
  µs: "us",
  sec: "s",
  second: "s",
  min: "m",
  minute: "m",
  hr: "h",
  hour: "h",
  day: "d",
  week: "w",
  mo: "month",
  yr: "y",
  year: "y",
};

const EXAMPLES = "such as 10/m, 50/d, 100/s or 5/2h";
const RATE = /^([^/]+)\/(.+)$/;
const PART = /(\d+(?:\.\d+)?)?\s*([a-zµ]+)\s*/y;

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
  const written = text.trim();
  let micros = 0;
  PART.lastIndex = 0;
  while (PART.lastIndex < written.length) {
    const [, count = "1", name] = PART.exec(written) ?? [];
    if (name === undefined)
      throw new RangeError(`must have a period such as s, m, 2h or 60s after the amount, ${EXAMPLES}`);
    micros += Number(count) * UNITS[unitNamed(name)];
  }
  return wholeMicros(micros);
}

function unitNamed(name: string): Unit {
  if (Object.hasOwn(UNITS, name)) return name as Unit;
  const singular = name.length > 2 && name.endsWith("s") ? name.slice(0, -1) : name;
  if (Object.hasOwn(UNITS, singular)) return singular as Unit;
  const unit = Object.hasOwn(NAMES, name) ? NAMES[name] : Object.hasOwn(NAMES, singular) ? NAMES[singular] : undefined;
  if (unit !== undefined) return unit;
  throw new RangeError(
    `must have a period in us, ms, s, m, h, d, w, month (30 days) or y (365 days), not in "${name}"`,
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
