/** A clock that tests turn by hand: it runs the callbacks itself, each at its own instant, so that no test sleeps. */

import type { Clock } from "../../src/server/clock.ts";

export interface FakeClock extends Clock {
  /** Turns to `now + micros`, through everything scheduled on the way. */
  advance(micros: number): void;
  /** How many callbacks are scheduled. */
  readonly scheduled: number;
}

interface Scheduled {
  readonly at: number;
  readonly serial: number;
  readonly callback: () => void;
}

/** `lateness`: µs by which a callback that need not be precise comes late. */
export function createFakeClock({ lateness = 0 } = {}): FakeClock {
  const scheduled = new Set<Scheduled>();
  let now = 0;
  let serial = 0;

  function next(until: number): Scheduled | undefined {
    let first: Scheduled | undefined;
    for (const one of scheduled) {
      if (one.at > until) continue;
      if (first === undefined || one.at < first.at || (one.at === first.at && one.serial < first.serial)) first = one;
    }
    return first;
  }

  return {
    now: () => now,
    wallTime: (micros) => 1_700_000_000_000 + micros / 1000,
    schedule(at, precise, callback) {
      serial += 1;
      const one = { at: Math.max(at, now) + (precise ? 0 : lateness), serial, callback };
      scheduled.add(one);
      return () => scheduled.delete(one);
    },
    advance(micros) {
      const until = now + micros;
      for (let one = next(until); one; one = next(until)) {
        scheduled.delete(one);
        now = Math.max(now, one.at);
        one.callback();
      }
      now = until;
    },
    get scheduled() {
      return scheduled.size;
    },
  };
}
