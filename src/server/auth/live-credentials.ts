/** Callers with open streams, which end when their credential does. */

import type { Caller } from "../access/caller.ts";
import type { Clock } from "../clock.ts";

/** ms that a stream goes on after the end of its credential: its client moves to another one before. */
const GRACE = 30_000;

export interface LiveCredentials {
  /** Calls back once, when the credential counts no more. Returns what calls it off. */
  watch(caller: Caller, onEnded: () => void): () => void;
  /** Ends the streams of all callers that do not count any more. */
  review(counts: (caller: Caller) => boolean): void;
  close(): void;
}

interface Watched {
  readonly listeners: Set<() => void>;
  cancel: () => void;
}

export function createLiveCredentials(clock: Clock): LiveCredentials {
  const callers = new Map<Caller, Watched>();

  /** The wall clock may be set meanwhile, so it is asked once more when the time has come. */
  function arm(caller: Caller, watched: Watched): void {
    // A certificate's end is the connection's.
    if (caller.expiresAt === undefined || caller.kind === "certificate") return;
    const now = clock.now();
    const left = (Number(caller.expiresAt) + GRACE - clock.wallTime(now)) * 1000;
    watched.cancel = clock.schedule(now + Math.max(0, left), false, () => {
      if (clock.wallTime(clock.now()) < Number(caller.expiresAt) + GRACE) arm(caller, watched);
      else end(caller);
    });
  }

  function end(caller: Caller): void {
    const watched = callers.get(caller);
    callers.delete(caller);
    watched?.cancel();
    for (const listener of watched?.listeners ?? []) listener();
  }

  return {
    watch(caller, onEnded) {
      const watched = callers.get(caller) ?? { listeners: new Set(), cancel: () => {} };
      if (!callers.has(caller)) {
        callers.set(caller, watched);
        arm(caller, watched);
      }
      const listener = () => onEnded();
      watched.listeners.add(listener);
      return () => {
        watched.listeners.delete(listener);
        if (watched.listeners.size > 0 || callers.get(caller) !== watched) return;
        watched.cancel();
        callers.delete(caller);
      };
    },
    review(counts) {
      for (const caller of [...callers.keys()]) if (!counts(caller)) end(caller);
    },
    close() {
      for (const { cancel } of callers.values()) cancel();
      callers.clear();
    },
  };
}
