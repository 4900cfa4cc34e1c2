/** Pages of lists: as many things as were asked for, and no more than go into one message of about 1 MB. */

import type { Page } from "./view.ts";

/** Bytes of a page, beyond which standard clients would refuse the message long before: they take 4 MB. */
const MAX_BYTES = 1_000_000;
/** UTF-8 takes at most so many bytes for a UTF-16 unit. */
const BYTES_A_UNIT = 3;

export interface PageOptions<S, T> {
  readonly limit: number;
  readonly view: (source: S) => T;
  /** Bytes that it takes in a message, at most. */
  readonly bytes: (source: S) => number;
  /** Where the page after it begins. */
  readonly token: (source: S) => string;
}

/** Takes a page from the start of a list, one thing at least. */
export function takePage<S, T>(sources: Iterable<S>, { limit, view, bytes, token }: PageOptions<S, T>): Page<T> {
  const items: T[] = [];
  let next = "";
  let taken = 0;
  for (const source of sources) {
    taken += bytes(source);
    if (items.length === limit || (items.length > 0 && taken > MAX_BYTES)) return { items, next };
    items.push(view(source));
    next = token(source);
  }
  return { items, next: "" };
}

/** Bytes that texts take in a message, at most. */
export function bytesOf(...texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + BYTES_A_UNIT * text.length, 0);
}
