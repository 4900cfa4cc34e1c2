/** Tells watchers which limiters have changed, by comparing now and then: the hot path pays one counter for it. */

import type { Clock } from "../../clock.ts";
import type { Limiter } from "../../machine/limiter.ts";
import { viewLimiter } from "../../machine/read.ts";
import type { State } from "../../machine/state.ts";
import type { LimiterChanges } from "../engine.ts";

export interface LimiterWatch {
  /** Returns what ends it. */
  add(listener: (changes: LimiterChanges) => void): () => void;
  close(): void;
}

interface LimiterWatchOptions {
  readonly clock: Clock;
  /** µs between two looks. */
  readonly interval: number;
  readonly state: State;
  /** Brings the state up to now. */
  readonly settle: () => void;
}

/** What a limiter looked like at the last look. */
interface Seen {
  readonly limiter: Limiter;
  activity: number;
  /** Looks for which its rates still change though nothing happens. */
  fading: number;
}

/** µs for which a rate remembers what happened, and a little more. */
const RATE_MEMORY = 12_000_000;

export function createLimiterWatch({ clock, interval, state, settle }: LimiterWatchOptions): LimiterWatch {
  const listeners = new Set<(changes: LimiterChanges) => void>();
  const fadingLooks = Math.ceil(RATE_MEMORY / interval);
  const seen = new Map<string, Seen>();
  let cancel: (() => void) | undefined;

  function look(): LimiterChanges {
    const changed: Limiter[] = [];
    for (const [name, limiter] of state.limiters) {
      const before = seen.get(name);
      const { activity } = limiter.statistics;
      if (before === undefined || before.limiter !== limiter || before.activity !== activity) {
        seen.set(name, { limiter, activity, fading: fadingLooks });
        changed.push(limiter);
      } else if (before.fading > 0) {
        before.fading -= 1;
        if (before.fading % LOOKS_A_FADE === 0) changed.push(limiter);
      }
    }
    const removed = [...seen.keys()].filter((name) => !state.limiters.has(name));
    for (const name of removed) seen.delete(name);
    return { changed: changed.map((limiter) => viewLimiter(state, limiter)), removed };
  }

  function arm(): void {
    cancel = clock.schedule(clock.now() + interval, false, () => {
      settle();
      const changes = look();
      if (changes.changed.length + changes.removed.length > 0) for (const listener of listeners) listener(changes);
      if (listeners.size > 0) arm();
      else cancel = undefined;
    });
  }

  return {
    add(listener) {
      // Whoever is first has just read all that there is.
      if (cancel === undefined) {
        look();
        arm();
      }
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      cancel?.();
      listeners.clear();
    },
  };
}

/** While nothing happens but the fading of rates, only every fourth look tells. */
const LOOKS_A_FADE = 4;
