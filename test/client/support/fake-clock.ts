/** A clock that goes on when the test says so, and runs the timers itself. */

import type { Clock } from "../../../src/client/rpc/clock.ts";

export interface FakeClock extends Clock {
  /** Both clocks go on; timers that fall due are run, each at its time. */
  advance(ms: number): void;
  /** The machine sleeps: the wall clock goes on, the monotonic one and the timers stand still. */
  suspend(ms: number): void;
  /** Sets the wall clock. */
  setWall(by: number): void;
  /** The process is frozen: both clocks go on, and no timer is run. */
  freeze(ms: number): void;
  /** Timers that are set, for tests that look for leaks. */
  pending(): number;
}

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

export function createFakeClock(): FakeClock {
  let monotonic = 1000;
  let wall = Date.UTC(2026, 0, 1);
  const timers = new Set<Timer>();

  function schedule(delay: number, callback: () => void): () => void {
    const timer = { at: monotonic + Math.max(0, delay), callback };
    timers.add(timer);
    return () => timers.delete(timer);
  }

  function freeze(ms: number): void {
    monotonic += ms;
    wall += ms;
  }

  function firstDue(by: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of timers) {
      if (timer.at <= by && (first === undefined || timer.at < first.at)) first = timer;
    }
    return first;
  }

  return {
    now: () => ({ monotonic, wall }),
    schedule,
    scheduleInBackground: schedule,
    advance(ms) {
      const until = monotonic + ms;
      for (let timer = firstDue(until); timer !== undefined; timer = firstDue(until)) {
        timers.delete(timer);
        freeze(Math.max(0, timer.at - monotonic));
        timer.callback();
      }
      freeze(until - monotonic);
    },
    suspend(ms) {
      wall += ms;
    },
    setWall(by) {
      wall += by;
    },
    freeze,
    pending: () => timers.size,
  };
}
