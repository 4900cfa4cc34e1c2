import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseDuration } from "../../src/client/api/duration.ts";
import { formatDuration, formatRoughly } from "../../src/text/duration.ts";

describe("parseDuration", () => {
  it.each([
    ["0", 0],
    ["0s", 0],
    ["250ms", 250],
    ["10s", 10_000],
    ["2.5s", 2500],
    ["1m30s", 90_000],
    ["1h", 3_600_000],
    ["1.5h", 5_400_000],
    ["1d", 86_400_000],
    ["1d2h3m4s5ms", 93_784_005],
    [" 10s ", 10_000],
    ["500us", 0.5],
  ])("reads %j as %d ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each([
    ["", 'expected a duration, such as 250ms, 10s or 1m30s, found ""'],
    ["soon", 'expected a duration, such as 250ms, 10s or 1m30s, found "soon"'],
    ["10s!", 'expected a duration, such as 250ms, 10s or 1m30s, found "10s!"'],
    ["10", 'expected a duration, such as 250ms, 10s or 1m30s, found "10": write 10s, or 10ms'],
    ["10sec", 'expected a duration, such as 250ms, 10s or 1m30s, found "10sec": write 10s'],
    ["1 min, 30 S", 'expected a duration, such as 250ms, 10s or 1m30s, found "1 min, 30 S": write 1m30s'],
    ["-5s", 'expected a duration, such as 250ms, 10s or 1m30s, found "-5s": it cannot be negative'],
    ["366d", "a duration is at most 365d"],
    [`${"9".repeat(400)}s`, "a duration is at most 365d"],
  ])("says what is wrong with %j", (text, message) => {
    expect(() => parseDuration(text)).toThrow(new RangeError(message));
  });
});

describe("formatDuration", () => {
  it("is read back to the millisecond", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10 ** 10 }), (ms) => {
        expect(Math.round(parseDuration(formatDuration(ms)))).toBe(ms);
      }),
    );
  });

  it.each([
    [0, "0ms"],
    [250, "250ms"],
    [10_000, "10s"],
    [90_500, "1m30.5s"],
    [7_200_000, "2h"],
  ])("writes %d ms as %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});

describe("formatRoughly", () => {
  it.each([
    [0, "0ms"],
    [0.42, "0.4ms"],
    [7.06, "7.1ms"],
    [9.96, "10ms"],
    [123.4, "123ms"],
    [999.7, "1s"],
    [2347, "2.35s"],
    [12_345, "12.3s"],
    [59_999, "1m"],
    [754_321, "12m34s"],
    [12_345_678, "3h26m"],
    [100_000_000, "1d4h"],
  ])("writes %d ms as %s", (ms, text) => {
    expect(formatRoughly(ms)).toBe(text);
  });
});
