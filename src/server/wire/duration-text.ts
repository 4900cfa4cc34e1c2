/** Durations as people write them, into those of protobuf's JSON. */

/** ns. */
const UNITS: Readonly<Record<string, bigint>> = {
  d: 86_400_000_000_000n,
  h: 3_600_000_000_000n,
  m: 60_000_000_000n,
  s: 1_000_000_000n,
  ms: 1_000_000n,
  us: 1_000n,
  µs: 1_000n,
};
const SECOND = 1_000_000_000n;

const DURATION = /^(?:\d+(?:\.\d+)?(?:ms|us|µs|d|h|m|s))+$/;
const PART = /(\d+(?:\.\d+)?)(ms|us|µs|d|h|m|s)/g;

/** Seconds; protobuf's own bound, ten thousand years. */
const MAX_SECONDS = 315_576_000_000n;

/** `1m30s`, `250ms` or `1.5h` as `90s`, `0.250000000s` or `5400s`; undefined if the text is no duration. */
export function durationJson(text: string): string | undefined {
  if (!DURATION.test(text)) return undefined;
  let nanos = 0n;
  for (const [, count, unit] of text.matchAll(PART)) nanos += nanosOf(count as string, UNITS[unit as string] as bigint);
  const seconds = nanos / SECOND;
  if (seconds >= MAX_SECONDS) return `${MAX_SECONDS}s`;
  const rest = nanos % SECOND;
  return rest === 0n ? `${seconds}s` : `${seconds}.${String(rest).padStart(9, "0")}s`;
}

/** `90s`, `0.250s` of protobuf's JSON as `1m30s`, `250ms`. */
export function durationText(json: string): string {
  let left = nanosOf(json.slice(0, -1), SECOND);
  let text = "";
  for (const [unit, size] of WRITTEN) {
    const count = left / size;
    left -= count * size;
    if (count > 0n) text += `${count}${unit}`;
  }
  return text === "" ? "0s" : text;
}

const WRITTEN = (["d", "h", "m", "s", "ms", "us"] as const).map((unit) => [unit, UNITS[unit] as bigint] as const);

/** Rounded to the nearest; in integers, since a double has no room for ns beyond a few months. */
function nanosOf(count: string, unit: bigint): bigint {
  const [whole, fraction = ""] = count.split(".") as [string, string?];
  const scale = 10n ** BigInt(fraction.length);
  return (2n * BigInt(whole + fraction) * unit + scale) / (2n * scale);
}
