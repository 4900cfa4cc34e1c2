/** Etags: a revision comes back as it was, and a text that is no etag matches nothing. */

import fc from "fast-check";
import { expect, it } from "vitest";
import { revisionOf } from "../../../src/server/service/etag.ts";

it("an etag is the revision that it was made of", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9_999_999_999_999 }), (revision) => {
      expect(revisionOf(String(revision))).toBe(revision);
    }),
  );
});

it("a text that is no etag matches no revision, and is not taken for any", () => {
  const text = fc.oneof(
    fc.string({ minLength: 1 }),
    fc.integer({ max: 0 }).map(String),
    fc.double({ noInteger: true }).map(String),
    fc.nat().map((number) => `0${number}`),
    fc.nat().map((number) => ` ${number}`),
    fc.nat().map((number) => `${number}\n`),
  );
  fc.assert(
    fc.property(text, (etag) => {
      const revision = revisionOf(etag);
      if (revision === undefined) throw new Error("it would match any");
      expect(revision === -1 || String(revision) === etag).toBe(true);
    }),
    { numRuns: 1_000 },
  );
});
