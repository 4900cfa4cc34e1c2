/**
 * What the checks in `gen/codec.ts` are made of. A check that says true is right: protovalidate would find nothing. One that
 * says false knows nothing, and leaves the word to protovalidate.
 */

import type { Duration } from "@bufbuild/protobuf/wkt";

/** Whether a text has at most so many bytes of UTF-8. */
export function fits(text: string, bytes: number): boolean {
  // A unit of UTF-16 has at most three.
  return text.length * 3 <= bytes || (text.length <= bytes && Buffer.byteLength(text) <= bytes);
}

export function every<T>(items: readonly T[], isValid: (item: T) => boolean): boolean {
  for (const item of items) if (!isValid(item)) return false;
  return true;
}

/** Whether a span of time lies between two, in ns. */
export function isBetween(span: Duration, least: number, most: number): boolean {
  const nanos = nanosOf(span);
  return nanos >= least && nanos <= most;
}

/** NaN for a span that is not written as it should be, or is negative. Beyond 104 days it is rounded. */
function nanosOf({ seconds, nanos }: Duration): number {
  return nanos >= 0 && nanos < 1e9 && seconds >= 0n ? Number(seconds) * 1e9 + nanos : Number.NaN;
}
