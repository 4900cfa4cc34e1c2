/** Page tokens: each comes back as the place that it was made of, and nothing else is taken for one. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { WireError } from "../../../src/server/wire/error-wire.ts";
import { pageFromWire, pageTokenToWire } from "../../../src/server/wire/page-wire.ts";

const ANY = /^/;
const NUMBER = /^\d+$/;

/** Undefined: it is refused. */
function read(pageToken: string, isAfter: RegExp): string | undefined {
  try {
    return pageFromWire({ pageSize: 0, pageToken }, isAfter).after;
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}

describe("a page token", () => {
  it("comes back as the place that it was made of, whatever that is written with", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 200 }), (place) => {
        expect(read(pageTokenToWire(place), ANY)).toBe(place);
      }),
    );
  });

  it("can go into an address as it is", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1 }), (place) => {
        expect(pageTokenToWire(place)).toMatch(/^[\w-]+$/);
      }),
    );
  });

  it("of whatever text is refused, or the one that this server would have made", () => {
    const text = fc.oneof(fc.string({ minLength: 1 }), fc.base64String({ minLength: 1 }), fc.nat().map(String));
    fc.assert(
      fc.property(text, (pageToken) => {
        const after = read(pageToken, ANY);
        if (after !== undefined) expect(pageTokenToWire(after)).toBe(pageToken);
      }),
    );
  });

  it("of another list is refused", () => {
    fc.assert(
      fc.property(
        fc.string().filter((place) => !NUMBER.test(place) && place !== ""),
        (place) => {
          expect(read(pageTokenToWire(place), NUMBER)).toBeUndefined();
        },
      ),
    );
  });
});
