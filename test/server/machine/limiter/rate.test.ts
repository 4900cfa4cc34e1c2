import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  createRate,
  defaultBurst,
  MAX_TOKENS,
  sameRate,
  toMaxRps,
} from "../../../../src/server/machine/limiter/rate.ts";
import { simplestFraction } from "../../../../src/server/machine/structures/fraction.ts";
import { amountOf, rateOf } from "../../../support/limiter-config.ts";
import { anyStatedRate } from "./any-rate.ts";

const [SECOND, MINUTE, HOUR, DAY] = [1e6, 6e7, 3.6e9, 8.64e10];

describe("a rate in tokens a second", () => {
  it.each([
    [10 / 60, 10, MINUTE],
    [0.1 + 0.2, 3, 10 * SECOND],
    [1 / 3600, 1, HOUR],
    [50 / 86_400, 50, DAY],
    [1 / (30 * 86_400), 1, 30 * DAY],
    [1 / 3 + 1 / 3, 2, 3 * SECOND],
    [0.7 * 3, 21, 10 * SECOND],
    [1e-3, 1, 1_000 * SECOND],
    [10_000_000, 10, 1],
    [1234567.891, 1_234_567_891, 1_000 * SECOND],
    [0.123456789, 123_456_789, 1_000_000_000 * SECOND],
  ])("%d is exactly %d in %d µs", (maxRps, tokens, per) => {
    const rate = rateOf(maxRps, 1);
    expect(BigInt(rate.gain) * BigInt(per)).toBe(BigInt(rate.unit) * BigInt(tokens));
  });

  it("is what was written, whatever multiple of a thousandth it is", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e9 }), (milli) => {
        const rate = rateOf(Number(`${milli}e-3`), 1);
        expect(BigInt(rate.gain) * 1_000_000_000n).toBe(BigInt(rate.unit) * BigInt(milli));
      }),
      { numRuns: 3000 },
    );
  });

  it("is the fraction that its sum or quotient stands for", () => {
    const part = fc.integer({ min: 1, max: 1_000 });
    fc.assert(
      fc.property(part, part, part, (a, b, c) => {
        const rate = createRate({ kind: "per-second", maxRps: a / b + a / c }, 1);
        if (rate === undefined) return;
        const [numerator, denominator] = [BigInt(a) * BigInt(b + c), BigInt(b) * BigInt(c) * 1_000_000n];
        expect(BigInt(rate.gain) * denominator).toBe(BigInt(rate.unit) * numerator);
      }),
      { numRuns: 3000 },
    );
  });

  it("is within ten digits of any other double, and read again it is the same", () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-6, max: 1e7, noNaN: true }), (value) => {
        const { numerator, denominator } = simplestFraction(value);
        expect(Math.abs(numerator / denominator - value)).toBeLessThanOrEqual(value * 1e-9);
        expect(simplestFraction(numerator / denominator)).toEqual({ numerator, denominator });
      }),
      { numRuns: 5000 },
    );
    expect(rateOf(0.1 + 0.2, 1)).toEqual(rateOf(0.3, 1));
  });

  it("has the nearest fraction with a bounded denominator where it needs a larger one", () => {
    expect(simplestFraction(0.5 + 2 ** -49)).toEqual({ numerator: 1, denominator: 2 });
    expect(simplestFraction(Math.PI).denominator).toBeLessThanOrEqual(9e9);
  });
});

describe("a rate as an amount per period", () => {
  it("is the same rate however it is written", () => {
    const same = [amountOf(10, MINUTE, 1), amountOf(1, 6 * SECOND, 1), amountOf(600, HOUR, 1), rateOf(10 / 60, 1)];
    for (const rate of same) expect(sameRate(rate, same[0])).toBe(true);
  });

  it.each([
    ["one token in more than 30 days", { tokens: 1, per: 30 * DAY + 1 }],
    ["more than 10 million a second", { tokens: 10_000_001, per: SECOND }],
    ["11 a µs", { tokens: 11, per: 1 }],
    ["no tokens", { tokens: 0, per: SECOND }],
    ["half a token", { tokens: 0.5, per: SECOND }],
    ["too many tokens", { tokens: MAX_TOKENS + 1, per: 365 * DAY }],
    ["no period", { tokens: 1, per: 0 }],
    ["half a µs", { tokens: 1, per: 0.5 }],
    ["more than 366 days", { tokens: 1000, per: 366 * DAY + 1 }],
    ["NaN", { tokens: Number.NaN, per: Number.NaN }],
  ])("is not %s", (_, amount) => {
    expect(createRate({ kind: "amount", ...amount }, 1)).toBeUndefined();
  });

  it("reaches from one in 30 days to 10 million a second", () => {
    expect(amountOf(1, 30 * DAY, 1)).toMatchObject({ gain: 1, unit: 30 * DAY });
    expect(amountOf(MAX_TOKENS, 100 * SECOND, MAX_TOKENS)).toMatchObject({ gain: 10, unit: 1 });
  });

  it.each([0, -1, 1.5, MAX_TOKENS + 1, Number.NaN, Number.POSITIVE_INFINITY])("has no burst of %d", (burst) => {
    expect(createRate({ kind: "amount", tokens: 1, per: SECOND }, burst)).toBeUndefined();
  });

  it("is shown in tokens a second as the nearest double, which stands for the same rate", () => {
    fc.assert(
      fc.property(anyStatedRate, (stated) => {
        const maxRps = toMaxRps(stated);
        const again = createRate({ kind: "per-second", maxRps }, 1);
        if (again === undefined) return;
        const rate = createRate(stated, 1);
        const drift = again.gain / again.unit / ((rate?.gain ?? 0) / (rate?.unit ?? 1)) - 1;
        expect(Math.abs(drift)).toBeLessThanOrEqual(1e-9);
      }),
    );
    expect(toMaxRps({ kind: "amount", tokens: 10, per: MINUTE })).toBe(10 / 60);
  });
});

describe("the default burst", () => {
  it.each([
    [1, 30 * DAY, 1],
    [10, MINUTE, 1],
    [39, SECOND, 1],
    [40, SECOND, 2],
    [1_000, SECOND, 50],
    [10_000_000, SECOND, 500_000],
  ])("of %d in %d µs is %d: what 50 ms bring, at least 1", (tokens, per, burst) => {
    expect(defaultBurst({ kind: "amount", tokens, per })).toBe(burst);
    expect(amountOf(tokens, per).capacity).toBe(burst);
  });
});
