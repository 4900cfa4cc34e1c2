import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatLimiterRate } from "../../../src/cli/text/rate.ts";
import { formatRate, parseRate } from "../../../src/client/api/rate.ts";
import { type Limiter, LimiterSchema } from "../../../src/client/gen/ggen/backpressure/v1/limiter_pb.ts";

const MINUTE = 60_000_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

describe("a rate", () => {
  it.each([
    ["10/m", 10, MINUTE],
    ["10/min", 10, MINUTE],
    ["10 per minute", 10, MINUTE],
    ["10 / minutes", 10, MINUTE],
    ["50/d", 50, DAY],
    ["50/day", 50, DAY],
    ["1/h", 1, HOUR],
    ["1000/hours", 1_000, HOUR],
    ["5/2h", 5, 2 * HOUR],
    ["100/15 min", 100, 15 * MINUTE],
    ["3/1m30s", 3, 90_000_000],
    ["1/1.5h", 1, 1.5 * HOUR],
    ["100/s", 100, 1_000_000],
    ["1/30d", 1, 30 * DAY],
    ["1/month", 1, 30 * DAY],
    ["7/w", 7, 7 * DAY],
    ["365/y", 365, 365 * DAY],
    ["10/us", 10, 1],
    ["5/250ms", 5, 250_000],
  ])("is read from %s", (text, tokens, perMicros) => {
    expect(parseRate(text)).toEqual({ tokens, perMicros });
  });

  it.each([
    "",
    "10",
    "10/",
    "/m",
    "10/10",
    "-1/s",
    "1e3/s",
    "0.5/s",
    "10/M",
    "10/fortnight",
    "10//m",
    "10/m/s",
    "10/0s",
  ])("is refused with words: %s", (text) => {
    expect(() => parseRate(text)).toThrow(/^must /);
  });

  it("reads as it is written", () => {
    const amount = fc.record({
      tokens: fc.integer({ min: 1, max: 1e9 }),
      perMicros: fc.integer({ min: 1, max: 366 * DAY }),
    });
    fc.assert(
      fc.property(amount, ({ tokens, perMicros }) => {
        expect(parseRate(formatRate({ tokens, per: perMicros / 1000 }))).toEqual({ tokens, perMicros });
      }),
    );
  });

  const shown = (fields: Partial<Limiter>) => formatLimiterRate(create(LimiterSchema, fields as object));

  it.each([
    [{ rate: { tokens: 10, per: { seconds: 60n, nanos: 0 } }, maxRps: 10 / 60 }, "10/m"],
    [{ rate: { tokens: 5, per: { seconds: 7_200n, nanos: 0 } } }, "5/2h"],
    [{ rate: { tokens: 5, per: { seconds: 0n, nanos: 250_000 } } }, "5/250us"],
    [{ maxRps: 50 }, "50/s"],
    [{ maxRps: 12.5 }, "12.5/s"],
    [{ maxRps: 10 / 60 }, "10/m"],
    [{ maxRps: 1 / 3600 }, "1/h"],
    [{ maxRps: 50 / 86_400 }, "50/d"],
    [{ maxRps: 1 / 2_592_000 }, "1/30d"],
    [{}, undefined],
  ])("is shown as people write it: %#", (fields, text) => {
    expect(shown(fields as Partial<Limiter>)).toBe(text);
  });
});
