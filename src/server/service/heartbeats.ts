/** Calls back everybody who has been silent for a while: one timer for any number of streams. */

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
  const due = new Map<Heart, { readonly beat: () => void; at: number }>();
  let armed = false;

  function arm(): void {
    if (armed || due.size === 0) return;
    armed = true;
    const [first] = due.values();
    const slack = interval() / 10;
    clock.schedule((first?.at ?? 0) + slack, false, () => {
      armed = false;
      const now = clock.now();
      for (const [heart, { beat, at }] of [...due]) {
        if (at > now) break;
        heart.touch();
        beat();
      }
      arm();
    });
  }

  return {
    add(beat) {
      const heart: Heart = {
        touch() {
          if (!due.delete(heart)) return;
          due.set(heart, { beat, at: clock.now() + interval() });
        },
        stop() {
          due.delete(heart);
        },
      };
      due.set(heart, { beat, at: clock.now() + interval() });
      arm();
      return heart;
    },
  };
}
