/** Durations as people write them, into those of protobuf's JSON. */

/** ns. */
const UNITS: Readonly<Record<string, number>> = {
  h: 3_600e9,
  m: 60e9,
  s: 1e9,
  ms: 1e6,
  us: 1e3,
  µs: 1e3,
};

const DURATION = /^(?:\d+(?:\.\d+)?(?:ms|us|µs|h|m|s))+$/;
const PART = /(\d+(?:\.\d+)?)(ms|us|µs|h|m|s)/g;

/** Seconds; protobuf's own bound, ten thousand years. */
const MAX_SECONDS = 315_576_000_000;

/** `1m30s`, `250ms` or `1.5h` as `90s`, `0.250000000s` or `5400s`; undefined if the text is no duration. */
export function durationJson(text: string): string | undefined {
  if (!DURATION.test(text)) return undefined;
  let nanos = 0;
  for (const [, count, unit] of text.matchAll(PART)) nanos += Number(count) * (UNITS[unit as string] as number);
  const whole = Math.round(nanos);
  const seconds = Math.floor(whole / 1e9);
  if (seconds >= MAX_SECONDS) return `${MAX_SECONDS}s`;
  const rest = whole - seconds * 1e9;
  return rest === 0 ? `${seconds}s` : `${seconds}.${String(rest).padStart(9, "0")}s`;
}
