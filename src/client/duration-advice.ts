/** Returns what a text that is no duration probably means, for the message that refuses it. */

const NUMBER = /^\d+(?:\.\d+)?$/;
const PART = /(\d+(?:\.\d+)?)([a-zµ]+)/g;

const MEANT: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries({
    d: ["d", "day", "days"],
    h: ["h", "hr", "hrs", "hour", "hours"],
    m: ["m", "min", "mins", "minute", "minutes"],
    s: ["s", "sec", "secs", "second", "seconds"],
    ms: ["ms", "msec", "millis", "millisecond", "milliseconds"],
    us: ["us", "µs", "usec", "micros", "microsecond", "microseconds"],
  }).flatMap(([unit, names]) => names.map((name) => [name, unit])),
);

/** Returns `write 90s, or 90ms` for `90`, `write 5m` for `5 min`; undefined where nothing can be guessed. */
export function durationAdvice(text: string): string | undefined {
  const written = text.trim();
  if (written.startsWith("-")) return "it cannot be negative";
  if (NUMBER.test(written)) return `write ${written}s, or ${written}ms`;
  const tight = written.toLowerCase().replaceAll(/[\s,]+/g, "");
  const parts = [...tight.matchAll(PART)];
  const isWhole = parts.length > 0 && parts.map(([part]) => part).join("") === tight;
  const meant = parts.map(([, count = "", unit = ""]) => `${count}${MEANT[unit] ?? "?"}`).join("");
  return isWhole && !meant.includes("?") ? `write ${meant}` : undefined;
}
