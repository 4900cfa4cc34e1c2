import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Durations, Meter } from "../../../../src/server/machine/structures/meter.ts";

const SECOND = 1e6;
const MINUTE = 60 * SECOND;
/** From none to idle gaps of days. */
const gap = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 2 * SECOND }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 40 * SECOND }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 3 * 86_400 * SECOND }) },
);
const start = fc.integer({ min: 0, max: 1e12 });

describe("meter", () => {
  it("tells the rate over ten whole seconds and the one begun, or since its start, over a second at least", () => {
    const steps = fc.array(fc.record({ wait: gap, events: fc.integer({ min: 0, max: 20 }) }), { maxLength: 60 });
    fc.assert(
      fc.property(start, steps, (startedAt, sequence) => {
        const meter = new Meter(startedAt);
        const times: number[] = [];
        let now = startedAt;
        for (const { wait, events } of sequence) {
          now += wait;
          for (let i = 0; i < events; i++) {
            meter.count(now);
            times.push(now);
          }
          const since = (Math.floor(now / SECOND) - 10) * SECOND;
          const seconds = Math.max(1, Math.min(now - since, now - startedAt) / SECOND);
          expect(meter.rate(now)).toBeCloseTo(times.filter((at) => at >= since).length / seconds, 9);
          expect(meter.total).toBe(times.length);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("tells a steady flow as what it is, at any instant after the first second", () => {
    fc.assert(
      fc.property(
        start,
        fc.integer({ min: 1, max: 500 }),
        fc.integer({ min: SECOND, max: 30 * SECOND }),
        (at, rps, for_) => {
          const meter = new Meter(at);
          for (let i = 0; (i * SECOND) / rps <= for_; i++) meter.count(at + Math.floor((i * SECOND) / rps));
          const seconds = Math.min(10, for_ / SECOND);
          expect(Math.abs(meter.rate(at + for_) - rps)).toBeLessThanOrEqual(1.01 / Math.min(1, seconds));
        },
      ),
      { numRuns: 300 },
    );
  });

  it("does not exaggerate in its first second", () => {
    const meter = new Meter(900_000);
    for (let i = 0; i < 5; i++) meter.count(900_010);
    expect(meter.rate(900_010)).toBe(5);
    expect(meter.rate(1_000_000)).toBe(5);
  });

  it("is at zero after eleven idle seconds", () => {
    const meter = new Meter(0);
    meter.count(999_999);
    expect(meter.rate(10_999_999)).toBeGreaterThan(0);
    expect(meter.rate(11_000_000)).toBe(0);
  });
});

describe("durations", () => {
  const micros = fc.oneof(...[1, 100, 1e5, 1e8, 86_400e6].map((max) => fc.integer({ min: 0, max })));
  const steps = fc.array(fc.record({ wait: gap, micros }), { minLength: 1, maxLength: 80 });
  const shares = fc.constantFrom(0.01, 0.5, 0.9, 0.99, 1);

  it("are those of one to two minutes: mean exact, percentiles never too short and at most a tenth too long", () => {
    fc.assert(
      fc.property(start, steps, shares, gap, (startedAt, sequence, share, rest) => {
        const durations = new Durations(startedAt);
        const log: { at: number; micros: number }[] = [];
        let now = startedAt;
        for (const step of sequence) {
          now += step.wait;
          durations.record(step.micros, now);
          log.push({ at: now, micros: step.micros });
        }
        now += rest;
        const mean = durations.mean(now);
        const percentile = durations.percentile(share, now);
        // Since when it looks back is its own affair, within one and two minutes; from there on it forgets nothing.
        const sinces = [
          now - MINUTE,
          ...log.map(({ at }) => at).filter((at) => at > now - 2 * MINUTE && at < now - MINUTE),
        ];
        const explained = sinces.some((since) => {
          const recent = log.filter(({ at }) => at >= since).map((entry) => entry.micros);
          if (recent.length === 0) return mean === undefined && percentile === undefined;
          if (mean === undefined || percentile === undefined) return false;
          const sorted = recent.toSorted((a, b) => a - b);
          const true_ = sorted[Math.ceil(sorted.length * share) - 1] as number;
          const sum = recent.reduce((a, b) => a + b, 0);
          const close = Math.abs(mean - sum / recent.length) <= 1e-9 * mean;
          return close && percentile >= true_ * (1 - 1e-9) && percentile <= true_ * 1.1 * (1 + 1e-9);
        });
        expect(explained).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it("are unknown while nothing was recorded, and again after two idle minutes", () => {
    const durations = new Durations(0);
    expect(durations.mean(5)).toBeUndefined();
    expect(durations.percentile(0.5, 5)).toBeUndefined();
    durations.record(7, 10);
    expect(durations.mean(MINUTE)).toBe(7);
    expect(durations.mean(10 + 2 * MINUTE)).toBeUndefined();
  });

  it("forget what is older than two minutes, though they were not read meanwhile", () => {
    const durations = new Durations(0);
    durations.record(1_000, 0);
    durations.record(3_000, 119 * SECOND);
    expect(durations.mean(125 * SECOND)).toBe(3_000);
  });
});

describe("the figures of 1,000 limiters in use", () => {
  it("take no memory outside the heap, where each piece costs a full collection", () => {
    const { arrayBuffers } = process.memoryUsage();
    const kept = Array.from({ length: 1_000 }, () => ({ meter: new Meter(0), durations: new Durations(0) }));
    for (const { meter, durations } of kept) {
      meter.count(0);
      durations.record(1_000, 0);
    }
    expect(process.memoryUsage().arrayBuffers - arrayBuffers).toBeLessThan(10_000);
    expect(kept).toHaveLength(1_000);
  });
});
