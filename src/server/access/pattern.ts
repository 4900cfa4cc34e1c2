/** Patterns of names: `*` stands for any text, `${caller}`, `${tenant}` and `${claim.NAME}` for what a caller's credential says. */

export type Matcher = (text: string) => boolean;

/** What a pattern may ask of a caller. */
export interface PatternValues {
  readonly name: string;
  readonly tenant: string;
  readonly claims: Readonly<Record<string, string>>;
}

const PLACEHOLDER = /\$\{([^}]*)\}/g;
const KNOWN = /^(?:caller|tenant|claim\.[^}]+)$/;

/** Whether what stands between the braces of `${…}` stands for something of a caller. */
export function isPlaceholder(inside: string): boolean {
  return KNOWN.test(inside);
}

/** Returns the placeholder of a pattern that stands for nothing; undefined: there is none. */
export function unknownPlaceholder(pattern: string): string | undefined {
  for (const [whole, name = ""] of pattern.matchAll(PLACEHOLDER)) if (!isPlaceholder(name)) return whole;
  return undefined;
}

/** Returns what the pattern matches for a caller; undefined: nothing, since a value is missing, or is no plain text. */
export function compileFor(pattern: string, values: PatternValues): Matcher | undefined {
  let isWhole = true;
  const text = pattern.replaceAll(PLACEHOLDER, (_, name: string) => {
    const value = standsFor(name, values);
    // A star in a value would reach further than whoever wrote the pattern has meant.
    if (value === undefined || value === "" || value.includes("*")) isWhole = false;
    return value ?? "";
  });
  return isWhole ? compile(text) : undefined;
}

/** Returns what a pattern without placeholders matches. */
export function compile(pattern: string): Matcher {
  const [first = "", ...rest] = pattern.split("*");
  const last = rest.pop();
  if (last === undefined) return (text) => text === first;
  const least = first.length + last.length;
  const around: Matcher = (text) => text.length >= least && text.startsWith(first) && text.endsWith(last);
  const middle = rest.filter((piece) => piece !== "");
  return middle.length === 0 ? around : (text) => around(text) && hasInOrder(text, middle, first.length, last.length);
}

/** Whether the pieces stand in the text one behind the other, between its first and last characters. */
function hasInOrder(text: string, pieces: readonly string[], before: number, after: number): boolean {
  let at = before;
  for (const piece of pieces) {
    const found = text.indexOf(piece, at);
    if (found === -1) return false;
    at = found + piece.length;
  }
  return at <= text.length - after;
}

function standsFor(name: string, { name: caller, tenant, claims }: PatternValues): string | undefined {
  if (name === "caller") return caller;
  if (name === "tenant") return tenant;
  if (!name.startsWith("claim.")) return undefined;
  const claim = name.slice("claim.".length);
  return Object.hasOwn(claims, claim) ? claims[claim] : undefined;
}
