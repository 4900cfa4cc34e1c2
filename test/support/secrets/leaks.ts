/** Searches what is written while tests run for secrets, and keeps what it finds: not the text, and no secret. */

import { secretsIn, withoutSecrets } from "./secret-forms.ts";

export interface Leak {
  /** Who has written it, and where to. */
  readonly from: string;
  readonly kind: string;
  /** The line in which it stands, without it. */
  readonly line: string;
}

/** Characters of a line that is not over yet: a longer one is searched in parts. */
const LONGEST = 16_384;
/** Characters of a line that are shown. */
const SHOWN = 300;

const found = new Map<string, Leak>();

/** Takes what was found since the last time. */
export function takeLeaks(): readonly Leak[] {
  const leaks = [...found.values()];
  found.clear();
  return leaks;
}

/** Searches a text that is whole. */
export function search(from: string, text: string): void {
  for (const { kind, index } of secretsIn(text)) {
    // One of a kind is enough of each writer.
    const key = `${kind} ${from}`;
    if (found.has(key)) continue;
    const start = text.lastIndexOf("\n", index) + 1;
    const end = text.indexOf("\n", index);
    const line = withoutSecrets(text.slice(start, end === -1 ? undefined : end));
    found.set(key, { from, kind, line: line.slice(0, SHOWN) });
  }
}

/** Returns what takes a text in pieces as they are written. The last line is searched when it is over. */
export function createSearch(from: string): (piece: string) => void {
  let rest = "";
  return (piece) => {
    const text = rest + piece;
    const end = text.length > LONGEST ? text.length : text.lastIndexOf("\n") + 1;
    rest = text.slice(end);
    if (end > 0) search(from, text.slice(0, end));
  };
}
