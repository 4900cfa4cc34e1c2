/** What is measured of one thread: how late its event loop is, and its heap. */

import { getHeapStatistics } from "node:v8";
import type { Clock } from "../clock.ts";
import { boundsInSeconds, Histogram, type HistogramCounts } from "../machine/structures/histogram.ts";
import { type RecentDelay, RecentDelays } from "./recent-delays.ts";

export interface ThreadFigures {
  /** How late a timer has come, since the thread's start. */
  readonly loopDelay: HistogramCounts;
  /** The same of the last minute. */
  readonly recentDelay: RecentDelay;
  /** Bytes. */
  readonly heapUsed: number;
  readonly heapTotal: number;
}

export interface ThreadMeter {
  read(): ThreadFigures;
  stop(): void;
}

/** µs: a turn of the loop that takes longer than that is seen in any case. */
const INTERVAL = 20_000;
const BOUNDS = boundsInSeconds(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5);

/** Begins to look at the event loop of this thread. */
export function createThreadMeter(clock: Clock): ThreadMeter {
  const loopDelay = new Histogram(BOUNDS);
  const recentDelays = new RecentDelays();
  let cancel = () => {};

  function arm(): void {
    const dueAt = clock.now() + INTERVAL;
    cancel = clock.schedule(dueAt, false, () => {
      const now = clock.now();
      loopDelay.record(now - dueAt);
      recentDelays.record(now - dueAt, now);
      arm();
    });
  }

  arm();
  return {
    read() {
      const { used_heap_size, total_heap_size } = getHeapStatistics();
      return {
        loopDelay: loopDelay.copy(),
        recentDelay: recentDelays.read(clock.now()),
        heapUsed: used_heap_size,
        heapTotal: total_heap_size,
      };
    },
    stop: () => cancel(),
  };
}
