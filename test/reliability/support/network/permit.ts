/** One permit, and the holders at work under it by their own `lease.signal`: all clocks are that of this process. */

import type { Lease } from "../../../../src/client/index.ts";

export interface Permit {
  /** The most that were at work at once. */
  readonly most: number;
  /** Begins work; returns what ends it. */
  enter(lease: Lease): () => void;
}

export function createPermit(): Permit {
  const atWork = new Set<Lease>();
  let most = 0;
  return {
    get most() {
      return most;
    },
    enter(lease) {
      atWork.add(lease);
      // Reading the signal checks the clocks: a holder that was to stop counts as stopped, however late its timer.
      most = Math.max(most, [...atWork].filter(({ signal }) => !signal.aborted).length);
      return () => void atWork.delete(lease);
    },
  };
}
