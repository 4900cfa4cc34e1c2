/** Pages of lists: as many things as were asked for, and no more than go into one message of about 1 MB. */

export interface Page<T> {
  readonly items: readonly T[];
  /** Where the next page begins; empty on the last. */
  readonly next: string;
}

/** Bytes of a page, beyond which standard clients would refuse the message long before: they take 4 MB. */
export const MAX_PAGE_BYTES = 1_000_000;

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
    if (items.length === limit || (items.length > 0 && taken > MAX_PAGE_BYTES)) return { items, next };
    items.push(view(source));
    next = token(source);
  }
  return { items, next: "" };
}

/** Bytes that texts take in a message: those of UTF-8. */
export function bytesOf(...texts: readonly string[]): number {
  let bytes = 0;
  for (const text of texts) {
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      // A pair of surrogates takes four, so each takes two; one that is alone is written as three others, and no text has one.
      if (unit < 0x80) bytes += 1;
      else if (unit < 0x800 || (unit >= 0xd800 && unit < 0xe000)) bytes += 2;
      else bytes += 3;
    }
  }
  return bytes;
}
