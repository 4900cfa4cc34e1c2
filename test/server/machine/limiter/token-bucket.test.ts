import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FOREVER, MAX_TOKENS, type Rate } from "../../../../src/server/machine/limiter/rate.ts";
import {
  type Bucket,
  changeRate,
  fullBucket,
  microsUntil,
  microsUntilFull,
  refill,
} from "../../../../src/server/machine/limiter/token-bucket.ts";
import { amountOf } from "../../../support/limiter-config.ts";
import { anyRate } from "./any-rate.ts";

/** A hundred years of µs, and every smaller scale as often. */
const span = fc.oneof(...[10, 1e3, 1e6, 1e9, 1e12, 3.2e15].map((max) => fc.integer({ min: 0, max })));

/** A bucket at a share of its capacity. */
const share = fc.double({ min: 0, max: 1, noNaN: true });

/** Parts of a token, from the definition, in exact integers. */
function partsOf({ tokens, parts }: Pick<Bucket, "tokens" | "parts">, { unit }: Rate): bigint {
  return BigInt(tokens) * BigInt(unit) + BigInt(parts);
}

function exactBucket(rate: Rate) {
  const capacity = BigInt(rate.capacity) * BigInt(rate.unit);
  let level = capacity;
  return {
    get level() {
      return level;
    },
    gain(micros: number) {
      const full = level + BigInt(micros) * BigInt(rate.gain);
      level = full < capacity ? full : capacity;
    },
    take(tokens: number) {
      level -= BigInt(tokens) * BigInt(rate.unit);
    },
  };
}

function bucketAt(rate: Rate, fullness: number): Bucket {
  const level = (BigInt(rate.capacity) * BigInt(rate.unit) * BigInt(Math.floor(fullness * 2 ** 32))) / 2n ** 32n;
  return { tokens: Number(level / BigInt(rate.unit)), parts: Number(level % BigInt(rate.unit)), at: 0 };
}

describe("token bucket", () => {
  it("gains and loses nothing to rounding, over any sequence of refills and grants", () => {
    const steps = fc.array(fc.record({ wait: span, take: fc.integer({ min: 0, max: MAX_TOKENS }) }), { maxLength: 50 });
    fc.assert(
      fc.property(anyRate, steps, (rate, sequence) => {
        const exact = exactBucket(rate);
        const bucket = fullBucket(rate, 0);
        let now = 0;
        for (const { wait, take } of sequence) {
          now = Math.min(now + wait, Number.MAX_SAFE_INTEGER);
          exact.gain(now - bucket.at);
          refill(bucket, rate, now);
          expect(partsOf(bucket, rate)).toBe(exact.level);
          expect(bucket.parts).toBeLessThan(rate.unit);
          const tokens = take % (rate.capacity + 1);
          if (microsUntil(bucket, rate, tokens) > 0) continue;
          bucket.tokens -= tokens;
          exact.take(tokens);
          expect(bucket.tokens).toBeGreaterThanOrEqual(0);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it("holds the same however often it is looked at", () => {
    const looks = fc.array(fc.oneof(fc.integer({ min: 0, max: 1e6 }), span), { maxLength: 200 });
    fc.assert(
      fc.property(anyRate, looks, (rate, waits) => {
        const watched = { tokens: 0, parts: 0, at: 0 };
        let now = 0;
        for (const wait of waits) {
          now = Math.min(now + wait, Number.MAX_SAFE_INTEGER);
          refill(watched, rate, now);
        }
        const unwatched = { tokens: 0, parts: 0, at: 0 };
        refill(unwatched, rate, now);
        expect(watched).toEqual(unwatched);
      }),
      { numRuns: 1000 },
    );
  });

  it("says to the microsecond when it will hold what is asked", () => {
    fc.assert(
      fc.property(anyRate, share, fc.nat(), (rate, fullness, ask) => {
        const bucket = bucketAt(rate, fullness);
        const tokens = ask % (rate.capacity + 1);
        const wait = microsUntil(bucket, rate, tokens);
        const holds = (micros: number) =>
          partsOf(bucket, rate) + BigInt(micros) * BigInt(rate.gain) >= BigInt(tokens) * BigInt(rate.unit);
        if (wait < FOREVER) expect(holds(wait)).toBe(true);
        if (wait > 0) expect(holds(wait - 1)).toBe(false);
      }),
      { numRuns: 5000 },
    );
  });

  it("is full when it says so, and not a microsecond earlier", () => {
    fc.assert(
      fc.property(anyRate, share, (rate, fullness) => {
        const bucket = bucketAt(rate, fullness);
        const wait = microsUntilFull(bucket, rate);
        if (wait >= FOREVER) return;
        const at = (now: number) => {
          const later = { ...bucket };
          refill(later, rate, now);
          return later;
        };
        expect(at(wait)).toEqual(fullBucket(rate, wait));
        if (wait > 0) expect(at(wait - 1).tokens).toBeLessThan(rate.capacity);
      }),
      { numRuns: 2000 },
    );
  });

  it("estimates for more tokens than there will ever be, and comes back from it", () => {
    fc.assert(
      fc.property(anyRate, fc.integer({ min: 1, max: 1e15 }), (rate, tokens) => {
        const wait = microsUntil({ tokens: 0, parts: 0, at: 0 }, rate, tokens);
        const exact = (BigInt(tokens) * BigInt(rate.unit) + BigInt(rate.gain) - 1n) / BigInt(rate.gain);
        expect(wait).toBe(Math.min(FOREVER, Number(exact)));
      }),
    );
  });

  it("keeps its level when the rate changes, but for less than a part of the new one, and never gains", () => {
    fc.assert(
      fc.property(anyRate, anyRate, share, (before, after, fullness) => {
        const bucket = bucketAt(before, fullness);
        const [level, unit] = [partsOf(bucket, before), BigInt(before.unit)];
        changeRate(bucket, before, after);
        const capacity = BigInt(after.capacity) * BigInt(after.unit);
        const kept = (level * BigInt(after.unit)) / unit;
        expect(partsOf(bucket, after)).toBe(kept < capacity ? kept : capacity);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ["10 million a second", amountOf(10_000_000, 1_000_000, 1_000_000_000), 1_000_000_000],
    ["one in 30 days", amountOf(1, 30 * 86_400_000_000, 1_000_000_000), 1_000_000_000],
    ["50 a day", amountOf(50, 86_400_000_000, 1), 1],
  ])("a billion refills of %s bring what one brings", (_, rate, micros) => {
    // In steps of prime length, the fast path a million times.
    const bucket = { tokens: 0, parts: 0, at: 0 };
    for (let now = 0; now < micros; now += 997) refill(bucket, rate, now);
    refill(bucket, rate, micros);
    const exact = exactBucket(rate);
    exact.take(rate.capacity);
    exact.gain(micros);
    expect(partsOf(bucket, rate)).toBe(exact.level);
  });
});
