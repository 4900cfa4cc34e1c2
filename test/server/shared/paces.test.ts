import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createRate, type Rate } from "../../../src/server/machine/limiter/rate.ts";
import { fullBucket, refill } from "../../../src/server/machine/limiter/token-bucket.ts";
import { hasOne, isFull, paceOf, takeAnyway, takeOne } from "../../../src/server/shared/paces.ts";

const times = () => new BigInt64Array(1);

describe("a bucket that threads share", () => {
  test("gives a burst at once, then one each interval, and says when the next is there", () => {
    const bucket = times();
    const pace = paceOf(2, 3);
    expect([0, 0, 0, 0].map((now) => takeOne(bucket, 0, pace, now))).toEqual([0, 0, 0, 500_000]);
    expect(takeOne(bucket, 0, pace, 499_999)).toBe(1);
    expect(hasOne(bucket, 0, pace, 499_999)).toBe(false);
    expect(hasOne(bucket, 0, pace, 500_000)).toBe(true);
    expect(takeOne(bucket, 0, pace, 500_000)).toBe(0);
    expect(isFull(bucket, 0, 1_999_999)).toBe(false);
    expect(isFull(bucket, 0, 2_000_000)).toBe(true);
  });

  test("that is charged beyond what it has owes no more than it holds", () => {
    const bucket = times();
    const pace = paceOf(1, 20);
    for (let i = 0; i < 1_000; i++) takeAnyway(bucket, 0, pace, 0);
    expect(takeOne(bucket, 0, pace, 999_999)).toBe(1);
    expect(takeOne(bucket, 0, pace, 1_000_000)).toBe(0);
  });

  test("goes on under another pace, and owes the time that it owed", () => {
    const bucket = times();
    for (let i = 0; i < 10; i++) takeOne(bucket, 0, paceOf(10, 10), 0);
    expect(takeOne(bucket, 0, paceOf(1_000, 1_000), 0)).toBe(1_000);
    expect(takeOne(bucket, 0, paceOf(1_000, 1_000), 1_000)).toBe(0);
  });

  test("lets through exactly what a limiter's bucket does", () => {
    // Rates whose intervals are whole µs, so that both are exact.
    const rates = fc.constantFrom(1, 2, 5, 10, 64, 500, 10_000, 1_000_000);
    const pauses = fc.array(fc.nat({ max: 2_000_000 }), { maxLength: 200 });
    const anyUse = fc.property(rates, fc.integer({ min: 1, max: 50 }), pauses, (rate, burst, all) => {
      const exact = createRate({ kind: "per-second", maxRps: rate }, burst) as Rate;
      const [machine, bucket, pace] = [fullBucket(exact, 0), times(), paceOf(rate, burst)];
      let now = 0;
      for (const pause of all) {
        now += pause % (2 * Math.ceil(1_000_000 / rate) + 1);
        refill(machine, exact, now);
        const has = machine.tokens >= 1;
        if (has) machine.tokens -= 1;
        expect(takeOne(bucket, 0, pace, now) === 0).toBe(has);
      }
    });
    fc.assert(anyUse);
  });
});
