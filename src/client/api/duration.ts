/** Spans of time as people write them. */

/** µs. A month is 30 days, a year 365. */
export const UNITS = {
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

export type Unit = keyof typeof UNITS;

/** Other words for a unit, without the `s` of their plural. */
const WORDS: Readonly<Record<string, Unit>> = {
  µs: "us",
  usec: "us",
  micro: "us",
  microsecond: "us",
  msec: "ms",
  milli: "ms",
  millisecond: "ms",
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

/** Those of a duration: how long a month is depends on the reader. */
const DURATION_UNITS: ReadonlySet<Unit> = new Set(["us", "ms", "s", "m", "h", "d"]);

/** Longer than any bound of the contract, and shorter than what protobuf cannot say. */
const LONGEST_DAYS = 365;

const EXAMPLES = "such as 250ms, 10s or 1m30s";
const NUMBER = /^\d+(?:\.\d+)?$/;
const PART = /(\d+(?:\.\d+)?)?\s*([a-zµ]+)\s*/y;

/** `30s` in `1m30s`. */
export interface SpanPart {
  /** Undefined: none is written, as in `10/m`. */
  readonly count: string | undefined;
  readonly word: string;
}

/** Returns the parts of `1m30s`, `15 min` or `m`; undefined for a text that is not made of such. */
export function spanParts(text: string): readonly SpanPart[] | undefined {
  const parts: SpanPart[] = [];
  PART.lastIndex = 0;
  while (PART.lastIndex < text.length) {
    const [, count, word] = PART.exec(text) ?? [];
    if (word === undefined) return undefined;
    parts.push({ count, word });
  }
  return parts;
}

/** Returns the unit that `m`, `min` or `minutes` names. */
export function unitNamed(word: string): Unit | undefined {
  const singular = word.length > 2 && word.endsWith("s") ? word.slice(0, -1) : word;
  for (const name of [word, singular]) {
    if (Object.hasOwn(UNITS, name)) return name as Unit;
    if (Object.hasOwn(WORDS, name)) return WORDS[name];
  }
  return undefined;
}

/** ms of `250ms`, `10s`, `1m30s`, `1.5h` or `1d`, a year at most; throws a `RangeError` that says what is wrong with anything else. */
export function parseDuration(text: string): number {
  const written = text.trim();
  if (written === "0") return 0;
  const parts = /\s/.test(written) ? undefined : spanParts(written);
  if (parts === undefined || parts.length === 0) throw new RangeError(whyNot(written));
  let micros = 0;
  for (const { count, word } of parts) {
    const unit = unitNamed(word);
    if (count === undefined || unit === undefined || !isShort(word, unit)) throw new RangeError(whyNot(written));
    micros += Number(count) * UNITS[unit];
  }
  if (micros > LONGEST_DAYS * UNITS.d) throw new RangeError(`a duration is at most ${LONGEST_DAYS}d`);
  return micros / UNITS.ms;
}

/** One way to write a duration is enough: `5m`, not `5min`. */
function isShort(word: string, unit: Unit): boolean {
  return DURATION_UNITS.has(unit) && (word === unit || word === "µs");
}

function whyNot(written: string): string {
  const advice = durationAdvice(written);
  return `expected a duration, ${EXAMPLES}, found ${JSON.stringify(written)}${advice === undefined ? "" : `: ${advice}`}`;
}

/**
 * Returns what a text that is no duration probably means, for the message that refuses it: `write 90s, or 90ms` for `90`,
 * `write 5m` for `5 min`; undefined where nothing can be guessed.
 */
export function durationAdvice(text: string): string | undefined {
  const written = text.trim();
  if (written.startsWith("-")) return "it cannot be negative";
  if (NUMBER.test(written)) return `write ${written}s, or ${written}ms`;
  const parts = spanParts(written.toLowerCase().replaceAll(/[\s,]+/g, ""));
  if (parts === undefined || parts.length === 0) return undefined;
  let meant = "";
  for (const { count, word } of parts) {
    const unit = unitNamed(word);
    if (count === undefined || unit === undefined || !DURATION_UNITS.has(unit)) return undefined;
    meant += `${count}${unit}`;
  }
  return `write ${meant}`;
}
