/** Other people's words on a terminal and in the contract's bounds, whatever they are. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cutToBytes } from "../../../src/cli/text/bytes.ts";
import { printable, textWidth, truncate } from "../../../src/cli/text/width.ts";

const PIECES = [
  ...["a", "é", "日本", "👩‍👩‍👧", "e\u0301", "\ud800"],
  ...["\u001b[31m", "\u007f", "\u0085", "\u2028", "\u202e", "\u2066"],
];

const text = fc.oneof(
  fc.string({ unit: "grapheme" }),
  fc.string({ unit: "binary" }),
  fc.array(fc.constantFrom(...PIECES), { maxLength: 12 }).map(join),
);

describe("text on a terminal", () => {
  it("says nothing that a terminal would obey, and stays the same when that is seen to twice", () => {
    fc.assert(
      fc.property(text, (words) => {
        const shown = printable(words);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is about.
        expect(shown).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/);
        expect(printable(shown)).toBe(shown);
      }),
    );
  });

  it("is cut to the columns that there are, and only if it has to be", () => {
    fc.assert(
      fc.property(text, fc.nat({ max: 40 }), (words, columns) => {
        const cut = truncate(words, columns);
        expect(textWidth(cut)).toBeLessThanOrEqual(columns);
        if (textWidth(words) <= columns) expect(cut).toBe(words);
        else if (columns > 0) {
          expect(cut.endsWith("…")).toBe(true);
          expect(words.startsWith(cut.slice(0, -1))).toBe(true);
        }
      }),
    );
  });
});

describe("text in bytes", () => {
  it("is the longest beginning that fits, and whole letters", () => {
    fc.assert(
      fc.property(text, fc.nat({ max: 60 }), (words, most) => {
        const whole = words.toWellFormed();
        const cut = cutToBytes(words, most);
        expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(most);
        expect(whole.startsWith(cut)).toBe(true);
        expect(cut.isWellFormed()).toBe(true);
        const [next] = whole.slice(cut.length);
        if (next !== undefined) {
          const letter = String.fromCodePoint(whole.codePointAt(cut.length) ?? 0);
          expect(Buffer.byteLength(cut + letter)).toBeGreaterThan(most);
        }
      }),
    );
  });
});

function join(pieces: readonly string[]): string {
  return pieces.join("");
}
