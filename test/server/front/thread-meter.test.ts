/** How late an event loop is, is what a timer finds. */

import { expect, test } from "vitest";
import { createThreadMeter } from "../../../src/server/front/thread-meter.ts";
import { createFakeClock } from "../../support/fake-clock.ts";

test("each timer that comes late is counted with its lateness", () => {
  const clock = createFakeClock({ lateness: 3_000 });
  const meter = createThreadMeter(clock);
  clock.advance(4 * 23_000);
  const { loopDelay, recentDelay } = meter.read();
  expect(recentDelay).toEqual({ p50: 3_000, p99: 3_000, longest: 3_000 });
  expect(loopDelay.bounds.filter((_, bucket) => loopDelay.counts[bucket] !== 0)).toEqual([5_000]);
  expect(loopDelay.sum).toBe(4 * 3_000);
  meter.stop();
  expect(clock.scheduled).toBe(0);
});

test("the heap is that of this thread", () => {
  const meter = createThreadMeter(createFakeClock());
  const { heapUsed, heapTotal } = meter.read();
  expect(heapUsed).toBeGreaterThan(1e6);
  expect(heapTotal).toBeGreaterThanOrEqual(heapUsed);
  meter.stop();
});
