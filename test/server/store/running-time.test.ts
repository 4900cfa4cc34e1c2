import { describe, expect, it } from "vitest";
import type { Rate } from "../../../src/server/machine/limiter/rate.ts";
import { createRunningTime } from "../../../src/server/store/running-time.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { amountOf, rateOf } from "../../support/limiter-config.ts";

const SECOND = 1_000_000;
const RAN_BEFORE = 1e12;

function setUp() {
  const clock = createFakeClock();
  const marks: number[] = [];
  const write = ({ body }: { body: string | undefined }) => marks.push(Number(body) - RAN_BEFORE);
  const running = createRunningTime({ clock, ranBefore: RAN_BEFORE, write });
  const spend = (rate: Rate) => running.note({ tokens: 0, parts: 0, at: clock.now() }, rate);
  return { clock, marks, running, spend };
}

describe("marks of running time", () => {
  it("are written while a bucket fills, twenty in the time of a token, until it is full", () => {
    const { clock, marks, spend } = setUp();
    spend(rateOf(1 / 20, 1));
    clock.advance(100 * SECOND);
    expect(marks.length).toBeGreaterThanOrEqual(20);
    expect(marks.length).toBeLessThanOrEqual(41);
    expect(marks.at(-1)).toBeGreaterThanOrEqual(20 * SECOND);
    expect(marks.at(-1)).toBeLessThanOrEqual(22 * SECOND);
  });

  it("are not written where nothing fills", () => {
    const { clock, marks, spend } = setUp();
    clock.advance(3_600 * SECOND);
    expect(marks).toEqual([]);
    spend(rateOf(1_000, 50));
    clock.advance(3_600 * SECOND);
    expect(marks).toHaveLength(1);
    expect(clock.scheduled).toBe(0);
  });

  it("come as often as the fastest that fills wants them, and seldom for a slow one", () => {
    const { clock, marks, spend } = setUp();
    spend(amountOf(1, 30 * 86_400 * SECOND, 1));
    clock.advance(640 * SECOND);
    expect(marks).toHaveLength(10);
    spend(rateOf(1 / 2, 1));
    clock.advance(3 * SECOND);
    expect(marks.length).toBeGreaterThanOrEqual(10 + 8);
    const before = marks.length;
    clock.advance(640 * SECOND);
    expect(marks.length - before).toBeLessThanOrEqual(12);
  });

  it("are not put off by a busy limiter", () => {
    const { clock, marks, spend } = setUp();
    for (let i = 0; i < 1_000; i += 1) {
      spend(rateOf(100, 5));
      clock.advance(10_000);
    }
    expect(marks.length).toBeGreaterThanOrEqual(39);
    expect(marks.length).toBeLessThanOrEqual(41);
  });

  it("end with the store", () => {
    const { clock, marks, running, spend } = setUp();
    spend(rateOf(1, 1));
    running.close();
    clock.advance(10 * SECOND);
    expect(marks).toEqual([]);
  });
});
