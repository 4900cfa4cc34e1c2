/** Durations as people write them, held against exact integers. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseDuration } from "../../src/client/api/duration.ts";
import { formatDuration, formatRoughly } from "../../src/text/duration.ts";

const UNITS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const;
const YEAR = 365 * UNITS.d;
const part = fc.record({ count: fc.nat({ max: 500 }), unit: fc.constantFrom("d", "h", "m", "s", "ms") });
/** To the µs, and every scale as often. */
const ms = fc.oneof(
  ...[10, 1e3, 1e4, 1e5, 1e7, YEAR].map((max) =>
    fc.integer({ min: 0, max: max * 1_000 }).map((micros) => micros / 1_000),
  ),
);

describe("a duration that is read", () => {
  it("is the sum of its parts, in whatever order and however often, or too long", () => {
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 6 }), (parts) => {
        const text = parts.map(({ count, unit }) => `${count}${unit}`).join("");
        const sum = parts.reduce((total, { count, unit }) => total + count * UNITS[unit as keyof typeof UNITS], 0);
        if (sum <= YEAR) expect(parseDuration(text)).toBe(sum);
        else expect(() => parseDuration(text)).toThrow("at most 365d");
      }),
    );
  });

  it("is a number of ms within its bounds, or a RangeError, whatever the text", () => {
    const text = fc.oneof(
      fc.string(),
      fc
        .array(fc.constantFrom("1", "90", ".", "5", "s", "ms", "m", "h", "d", "-", " ", "e", "0"), { maxLength: 8 })
        .map((pieces) => pieces.join("")),
    );
    fc.assert(
      fc.property(text, (written) => {
        try {
          const read = parseDuration(written);
          expect(read >= 0 && read <= YEAR).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("a duration that is written", () => {
  it("is written the same again, once it was read", () => {
    fc.assert(
      fc.property(ms, (span) => {
        const written = formatDuration(span);
        expect(formatDuration(parseDuration(written))).toBe(written);
      }),
    );
  });

  it("roughly is near enough: by a tenth of a ms, or half a hundredth of it", () => {
    fc.assert(
      fc.property(ms, (span) => {
        const read = parseDuration(formatRoughly(span));
        expect(Math.abs(read - span)).toBeLessThanOrEqual(Math.max(0.51, span * 0.02));
      }),
    );
  });

  it("roughly keeps its order", () => {
    fc.assert(
      fc.property(ms, ms, (one, other) => {
        const [short, long] = [Math.min(one, other), Math.max(one, other)];
        expect(parseDuration(formatRoughly(short))).toBeLessThanOrEqual(parseDuration(formatRoughly(long)));
      }),
    );
  });
});
