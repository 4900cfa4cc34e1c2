/** Durations and instants, held against exact integers, to the bounds of the contract and beyond. */

import { create, fromBinary, toBinary, toJson } from "@bufbuild/protobuf";
import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { durationToMs, timestampToDate } from "../../../src/client/wire/time.ts";
import {
  durationToMicros,
  microsToDuration,
  msToTimestamp,
  timestampToMs,
} from "../../../src/server/wire/time-wire.ts";

/** Ten years of µs, beyond every bound of the contract, and every smaller scale as often. */
const micros = fc.oneof(...[1e3, 1e6, 1e9, 86_400e6, 3.2e14].map((max) => fc.integer({ min: 0, max })));
const duration = fc
  .record({ seconds: fc.bigInt({ min: 0n, max: 315_576_000n }), nanos: fc.integer({ min: 0, max: 999_999_999 }) })
  .map((fields) => create(DurationSchema, fields));
const nanosOf = ({ seconds, nanos }: { seconds: bigint; nanos: number }) => seconds * 1_000_000_000n + BigInt(nanos);
/** Of the years 1970 to 2200. */
const wallMs = fc.integer({ min: 0, max: 7_258_118_400_000 });

describe("a duration", () => {
  it("of whole µs comes back as it was, over the wire", () => {
    fc.assert(
      fc.property(micros, (span) => {
        const sent = fromBinary(DurationSchema, toBinary(DurationSchema, microsToDuration(span)));
        expect(nanosOf(sent)).toBe(BigInt(span) * 1000n);
        expect(durationToMicros(sent)).toBe(span);
        // What protobuf would not take for one throws here.
        expect(toJson(DurationSchema, sent)).toMatch(/^\d+(\.\d+)?s$/);
      }),
    );
  });

  it("is read as the next whole µs, and as none only if it is none", () => {
    fc.assert(
      fc.property(duration, (sent) => {
        const read = BigInt(durationToMicros(sent)) * 1000n;
        expect(read >= nanosOf(sent) && read < nanosOf(sent) + 1000n).toBe(true);
      }),
    );
  });

  it("of any µs is rounded to the nearest, and never out of its form", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e15, noNaN: true }), (span) => {
        const sent = microsToDuration(span);
        expect(sent.nanos).toBeGreaterThanOrEqual(0);
        expect(sent.nanos).toBeLessThan(1_000_000_000);
        expect(Math.abs(Number(nanosOf(sent) / 1000n) - span)).toBeLessThanOrEqual(0.5);
      }),
    );
  });

  it("means the same to the client, in ms", () => {
    fc.assert(
      fc.property(micros, (span) => {
        expect(durationToMs(microsToDuration(span))).toBeCloseTo(span / 1000, 6);
      }),
    );
  });
});

describe("an instant", () => {
  it("of whole ms comes back as it was, over the wire, to the server and to the client", () => {
    fc.assert(
      fc.property(wallMs, (ms) => {
        const sent = fromBinary(TimestampSchema, toBinary(TimestampSchema, msToTimestamp(ms)));
        expect(timestampToMs(sent)).toBe(ms);
        expect(timestampToDate(sent).getTime()).toBe(ms);
        expect(toJson(TimestampSchema, sent)).toMatch(/Z$/);
      }),
    );
  });

  it("keeps its order, and is in its form, to the year 9999", () => {
    const instant = fc.double({ min: 0, max: 253_402_300_799_000, noNaN: true });
    fc.assert(
      fc.property(instant, instant, (one, other) => {
        const [early, late] = [Math.min(one, other), Math.max(one, other)].map(msToTimestamp) as [
          ReturnType<typeof msToTimestamp>,
          ReturnType<typeof msToTimestamp>,
        ];
        expect(nanosOf(early) <= nanosOf(late)).toBe(true);
        for (const { nanos } of [early, late]) expect(nanos >= 0 && nanos < 1_000_000_000).toBe(true);
      }),
    );
  });
});
