/** Delays of the last minute are known exactly, and those of before are forgotten. */

import { expect, test } from "vitest";
import { RECENT, RecentDelays } from "../../../src/server/front/recent-delays.ts";

const SECOND = 1_000_000;

test("of no delay there is nothing to say", () => {
  expect(new RecentDelays().read(0)).toEqual({ p50: 0, p99: 0, longest: 0 });
});

test("half of them were not longer than p50, 99 of 100 not longer than p99", () => {
  const delays = new RecentDelays();
  for (let delay = 1; delay <= 1_000; delay++) delays.record(delay, delay * 10_000);
  expect(delays.read(10 * SECOND)).toEqual({ p50: 500, p99: 990, longest: 1_000 });
});

test("a long one is told for a minute, give or take what is forgotten at once, and no longer", () => {
  const delays = new RecentDelays();
  delays.record(7_000, 0);
  for (let now = SECOND; now < RECENT; now += SECOND) {
    delays.record(10, now);
    expect(delays.read(now).longest).toBe(7_000);
  }
  expect(delays.read(RECENT).longest).toBe(10);
  expect(delays.read(3 * RECENT)).toEqual({ p50: 0, p99: 0, longest: 0 });
});
