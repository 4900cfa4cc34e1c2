/** Lets some of what comes too often through, and counts the rest. */

import type { Clock } from "../clock.ts";

export interface Sampler {
  /** Returns how many were left out since the last that was let through; undefined: this one is left out, too. */
  take(): number | undefined;
}

const BURST = 20;
/** µs in which another is let through. */
const INTERVAL = 1_000_000;

export function createSampler(clock: Pick<Clock, "now">): Sampler {
  let left = BURST;
  let refilledAt = clock.now();
  let leftOut = 0;
  return {
    take() {
      const gained = Math.floor((clock.now() - refilledAt) / INTERVAL);
      if (gained > 0) {
        left = Math.min(BURST, left + gained);
        refilledAt += gained * INTERVAL;
      }
      if (left === 0) {
        leftOut += 1;
        return undefined;
      }
      left -= 1;
      const more = leftOut;
      leftOut = 0;
      return more;
    },
  };
}
