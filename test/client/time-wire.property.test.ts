/** The client's durations, on their way to the server's. */

import { create } from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { expect, it } from "vitest";
import { durationToMs, msToDuration, timestampToDate } from "../../src/client/wire/time.ts";
import { durationToMicros } from "../../src/server/wire/time-wire.ts";

/** Ten years, and every smaller scale as often; fractions of a ms too. */
const ms = fc.oneof(...[1, 1e3, 1e6, 3.2e11].map((max) => fc.double({ min: 0, max, noNaN: true })));

it("a duration of so many ms comes back as that, to the ns, and is in its form", () => {
  fc.assert(
    fc.property(ms, (span) => {
      const sent = msToDuration(span, "ttl");
      expect(sent.nanos >= 0 && sent.nanos < 1e9).toBe(true);
      // A double of ten years has a grain of its own.
      expect(Math.abs(durationToMs(sent) - span)).toBeLessThanOrEqual(1e-6 + span * 2 ** -51);
    }),
  );
});

it("the server grants no less time than the client asked for, and no µs more than it has to", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e11 }), (micros) => {
      expect(durationToMicros(msToDuration(micros / 1000, "ttl"))).toBeGreaterThanOrEqual(micros);
      expect(durationToMicros(msToDuration(micros / 1000, "ttl"))).toBeLessThanOrEqual(micros + 1);
    }),
  );
});

it("what is no duration is refused, and named", () => {
  const wrong = fc.oneof(
    fc.double({ max: -Number.MIN_VALUE, noNaN: true }),
    fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY),
  );
  fc.assert(
    fc.property(wrong, fc.constantFrom("ttl", "maxWait"), (span, field) => {
      expect(() => msToDuration(span, field)).toThrow(new RegExp(`^${field} must be`));
    }),
  );
});

it("an instant of the server's is the ms in which it was", () => {
  const instant = fc.record({
    seconds: fc.bigInt({ min: -62_135_596_800n, max: 253_402_300_799n }),
    nanos: fc.integer({ min: 0, max: 999_999_999 }),
  });
  fc.assert(
    fc.property(instant, (fields) => {
      const exact = fields.seconds * 1000n + BigInt(Math.floor(fields.nanos / 1e6));
      expect(BigInt(timestampToDate(create(TimestampSchema, fields)).getTime())).toBe(exact);
    }),
  );
});
