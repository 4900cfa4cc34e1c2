/** Calls back each stream that has been silent for a while: one timer for any number of streams. */

import type { Clock } from "../clock.ts";

export interface Heartbeats {
  /** `beat` is called each time when the interval has passed since the last `touch`. */
  add(beat: () => void): Heart;
}

export interface Heart {
  /** Something was said: the next beat is an interval away. */
  touch(): void;
  stop(): void;
}

/** `interval` in µs; a beat may be late by a tenth of it. */
export function createHeartbeats(clock: Clock, interval: () => number): Heartbeats {
  // All have the same interval, so the order of their beats is the order in which they were last touched.
  const due = new Set<Beating>();
  let disarm: (() => void) | undefined;

  function arm(): void {
    if (disarm !== undefined || due.size === 0) return;
    const [first] = due;
    const slack = interval() / 10;
    disarm = clock.schedule((first?.at ?? 0) + slack, false, () => {
      disarm = undefined;
      for (const heart of dueAt(clock.now())) {
        // A beat before may have stopped it.
        if (!due.has(heart)) continue;
        heart.touch();
        heart.beat();
      }
      arm();
    });
  }

  /** Looks at those that are due, and at no others: there may be a hundred thousand. */
  function dueAt(now: number): readonly Beating[] {
    const those: Beating[] = [];
    for (const heart of due) {
      if (heart.at > now) break;
      those.push(heart);
    }
    return those;
  }

  class Beating implements Heart {
    readonly beat: () => void;
    at = clock.now() + interval();

    constructor(beat: () => void) {
      this.beat = beat;
    }

    touch(): void {
      if (!due.delete(this)) return;
      this.at = clock.now() + interval();
      due.add(this);
    }

    stop(): void {
      due.delete(this);
      if (due.size > 0) return;
      // A server that has ended must not wait for a beat without a stream.
      disarm?.();
      disarm = undefined;
    }
  }

  return {
    add(beat) {
      const heart = new Beating(beat);
      due.add(heart);
      arm();
      return heart;
    },
  };
}
