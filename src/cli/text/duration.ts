/** Durations as people write and read them; numbers are milliseconds. */

import { durationAdvice } from "../../client/duration-advice.ts";

const UNITS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1, us: 0.001, µs: 0.001 } as const;

type Unit = keyof typeof UNITS;

/** Longer than any bound of the contract, and shorter than what protobuf cannot say. */
const LONGEST = 365 * UNITS.d;

const EXAMPLES = "such as 250ms, 10s or 1m30s";
const PART = /(\d+(?:\.\d+)?)([a-zµ]*)/y;

/** ms of `250ms`, `10s`, `1m30s`, `1.5h` or `1d`, a year at most; throws a `RangeError` that says what is wrong with anything else. */
export function parseDuration(text: string): number {
  const written = text.trim();
  if (written === "0") return 0;
  if (written === "") throw new RangeError(whyNot(written));
  let total = 0;
  PART.lastIndex = 0;
  while (PART.lastIndex < written.length) {
    const [, count, unit = ""] = PART.exec(written) ?? [];
    if (count === undefined || !isUnit(unit)) throw new RangeError(whyNot(written));
    total += Number(count) * UNITS[unit];
  }
  if (total > LONGEST) throw new RangeError(`a duration is at most ${formatDuration(LONGEST)}`);
  return total;
}

function whyNot(written: string): string {
  const advice = durationAdvice(written);
  return `expected a duration, ${EXAMPLES}, found ${JSON.stringify(written)}${advice === undefined ? "" : `: ${advice}`}`;
}

/** As `parseDuration` reads it, to the millisecond: `1m30s`, `2.5s`, `250ms`. */
export function formatDuration(ms: number): string {
  let left = Math.round(ms);
  if (left < UNITS.s) return `${left}ms`;
  let text = "";
  for (const unit of ["d", "h", "m"] as const) {
    const count = Math.floor(left / UNITS[unit]);
    left -= count * UNITS[unit];
    if (count > 0) text += `${count}${unit}`;
  }
  return left > 0 ? `${text}${left / UNITS.s}s` : text;
}

/** No finer than a reader needs: `0.4ms`, `250ms`, `2.5s`, `1m30s`, `3h12m`. */
export function formatRoughly(ms: number): string {
  if (ms > 0 && ms < 10) return `${Number(ms.toFixed(1))}ms`;
  const steps = [
    { below: UNITS.s, step: 1 },
    { below: 10 * UNITS.s, step: 10 },
    { below: UNITS.m, step: 100 },
    { below: UNITS.h, step: UNITS.s },
    { below: UNITS.d, step: UNITS.m },
  ];
  const step = steps.find(({ below }) => ms < below)?.step ?? UNITS.h;
  return formatDuration(Math.round(ms / step) * step);
}

function isUnit(text: string): text is Unit {
  return Object.hasOwn(UNITS, text);
}
