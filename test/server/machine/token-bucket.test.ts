import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  createRate,
  MAX_BURST,
  MAX_RPS,
  MIN_RPS,
  microsUntil,
  microsUntilFull,
  refill,
  TOKEN,
} from "../../../src/server/machine/token-bucket.ts";

/** A hundred years of µs, and every smaller scale as often. */
const span = fc.oneof(...[10, 1e3, 1e6, 1e9, 1e12, 3.2e15].map((max) => fc.integer({ min: 0, max })));
const milliRps = fc.oneof(...[10, 1e3, 1e6, 1e9].map((max) => fc.integer({ min: 1, max })));
const burst = fc.oneof(...[1, 10, 1e3, MAX_BURST].map((max) => fc.integer({ min: 1, max })));
const rates = fc.record({ milliRps, capacity: burst.map((tokens) => tokens * TOKEN) });

/** The same bucket in exact integers, from the definition: a millitoken a second is a nanotoken a µs. */
function exactBucket(rate: { milliRps: number; capacity: number }) {
  const capacity = BigInt(rate.capacity);
  let level = capacity;
  return {
    get level() {
      return level;
    },
    gain(micros: number) {
      const full = level + BigInt(micros) * BigInt(rate.milliRps);
      level = full < capacity ? full : capacity;
    },
    take(tokens: number) {
      level -= BigInt(tokens) * BigInt(TOKEN);
    },
  };
}

describe("token bucket", () => {
  it("gains and loses nothing to rounding, over any sequence of refills and grants", () => {
    const steps = fc.array(fc.record({ wait: span, take: fc.integer({ min: 0, max: MAX_BURST }) }), { maxLength: 50 });
    fc.assert(
      fc.property(rates, steps, (rate, sequence) => {
        const exact = exactBucket(rate);
        const bucket = { level: rate.capacity, at: 0 };
        let now = 0;
        for (const { wait, take } of sequence) {
          now = Math.min(now + wait, Number.MAX_SAFE_INTEGER);
          exact.gain(now - bucket.at);
          refill(bucket, rate, now);
          expect(BigInt(bucket.level)).toBe(exact.level);
          expect(bucket.level).toBeLessThanOrEqual(rate.capacity);
          if (microsUntil(bucket, rate, take) > 0) continue;
          bucket.level -= take * TOKEN;
          exact.take(take);
          expect(bucket.level).toBeGreaterThanOrEqual(0);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("holds the same however often it is looked at", () => {
    const looks = fc.array(fc.integer({ min: 0, max: 1e6 }), { maxLength: 200 });
    fc.assert(
      fc.property(rates, looks, (rate, waits) => {
        const watched = { level: 0, at: 0 };
        let now = 0;
        for (const wait of waits) {
          now += wait;
          refill(watched, rate, now);
        }
        const unwatched = { level: 0, at: 0 };
        refill(unwatched, rate, now);
        expect(watched).toEqual(unwatched);
      }),
    );
  });

  it("says to the microsecond when it will hold what is asked", () => {
    fc.assert(
      fc.property(rates, fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(), (rate, fullness, ask) => {
        const level = Math.floor(rate.capacity * fullness);
        const tokens = ask % (rate.capacity / TOKEN + 1);
        const wait = microsUntil({ level, at: 0 }, rate, tokens);
        const holds = (micros: number) =>
          BigInt(level) + BigInt(micros) * BigInt(rate.milliRps) >= BigInt(tokens) * BigInt(TOKEN);
        expect(holds(wait)).toBe(true);
        if (wait > 0) expect(holds(wait - 1)).toBe(false);
      }),
      { numRuns: 5000 },
    );
  });

  it("is full when it says so, and not a microsecond earlier", () => {
    fc.assert(
      fc.property(rates, fc.double({ min: 0, max: 1, noNaN: true }), (rate, fullness) => {
        const bucket = { level: Math.floor(rate.capacity * fullness), at: 0 };
        const wait = microsUntilFull(bucket, rate);
        const levelAt = (now: number) => {
          const later = { ...bucket };
          refill(later, rate, now);
          return later.level;
        };
        expect(levelAt(wait)).toBe(rate.capacity);
        if (wait > 0) expect(levelAt(wait - 1)).toBeLessThan(rate.capacity);
      }),
      { numRuns: 2000 },
    );
  });

  it("estimates for more tokens than there will ever be, and comes back from it", () => {
    fc.assert(
      fc.property(rates, fc.integer({ min: 1, max: 1e12 }), (rate, tokens) => {
        const wait = microsUntil({ level: 0, at: 0 }, rate, tokens);
        const exact = (BigInt(tokens) * BigInt(TOKEN) + BigInt(rate.milliRps) - 1n) / BigInt(rate.milliRps);
        expect(Math.abs(wait - Number(exact))).toBeLessThanOrEqual(1 + Number(exact) * 2 ** -50);
      }),
    );
  });
});

describe("createRate", () => {
  it("takes every rate in steps of a thousandth, exactly", () => {
    fc.assert(
      fc.property(milliRps, burst, (milli, tokens) => {
        expect(createRate(Number(`${milli}e-3`), tokens)).toEqual({ milliRps: milli, capacity: tokens * TOKEN });
      }),
      { numRuns: 5000 },
    );
  });

  it("refuses what is finer, rather than rounding it", () => {
    fc.assert(
      fc.property(fc.double({ min: MIN_RPS, max: MAX_RPS, noNaN: true }), (rps) => {
        const rate = createRate(rps, 1);
        expect(rate === undefined || rate.milliRps / 1000 === rps).toBe(true);
      }),
    );
    expect(createRate(1 / 3, 1)).toBeUndefined();
    expect(createRate(0.0015, 1)).toBeUndefined();
  });

  it.each([
    [0, 1],
    [-1, 1],
    [MIN_RPS / 2, 1],
    [MAX_RPS + 0.001, 1],
    [Number.NaN, 1],
    [Number.POSITIVE_INFINITY, 1],
    [1, 0],
    [1, -1],
    [1, 1.5],
    [1, MAX_BURST + 1],
    [1, Number.NaN],
    [1, Number.POSITIVE_INFINITY],
  ])("refuses %d tokens a second with a burst of %d", (maxRps, burstSize) => {
    expect(createRate(maxRps, burstSize)).toBeUndefined();
  });
});
