/**
 * Tells watchers which limiters have changed, by comparing now and then: the hot path pays one counter for it.
 *
 * What nobody touches changes for a while, too: rates fade, times are forgotten, a bucket fills, keys are forgotten. A
 * limiter is told until that has come to its end, and then no more.
 */

import type { Clock } from "../../clock.ts";
import type { Limiter } from "../../machine/limiter.ts";
import { isStill, viewLimiter } from "../../machine/read.ts";
import type { State } from "../../machine/state.ts";
import type { LimiterStatus, LimiterView } from "../../machine/view.ts";
import type { LimiterChanges } from "../engine.ts";
import { createSlices } from "./slices.ts";

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
  readonly activity: number;
  /** Its figures as they were told; undefined: what watchers know of it is older. */
  told: LimiterStatus | undefined;
}

/** While nothing happens but what happens by itself, only every fourth look looks closely. */
const LOOKS_A_FADE = 4;
/** Limiters that are told at once before others have a turn. */
const TOLD_AT_ONCE = 40;

export function createLimiterWatch({ clock, interval, state, settle }: LimiterWatchOptions): LimiterWatch {
  const listeners = new Set<(changes: LimiterChanges) => void>();
  const seen = new Map<string, Seen>();
  /** Those whose figures may still change by themselves. */
  const changing = new Set<Seen>();
  const telling = createSlices({ clock, size: TOLD_AT_ONCE, handle: tell });
  let looks = 0;
  let cancel: (() => void) | undefined;

  /** Which limiters, by name, have changed or may have. */
  function look(): string[] {
    const names: string[] = [];
    for (const [name, limiter] of state.limiters) {
      const { activity } = limiter.statistics;
      const before = seen.get(name);
      if (before?.limiter === limiter && before.activity === activity) continue;
      note(name, limiter);
      names.push(name);
    }
    looks += 1;
    if (looks % LOOKS_A_FADE === 0) {
      const touched = new Set(names);
      for (const { limiter } of changing) if (!touched.has(limiter.config.name)) names.push(limiter.config.name);
    }
    if (seen.size > state.limiters.size)
      for (const name of seen.keys()) if (!state.limiters.has(name)) names.push(name);
    return names;
  }

  function note(name: string, limiter: Limiter): void {
    forget(name);
    const entry: Seen = { limiter, activity: limiter.statistics.activity, told: undefined };
    seen.set(name, entry);
    changing.add(entry);
  }

  function forget(name: string): void {
    const entry = seen.get(name);
    if (entry === undefined) return;
    seen.delete(name);
    changing.delete(entry);
  }

  /** A watcher who is the first reads all that there is by itself: only what changes by itself from now on is told. */
  function begin(): void {
    for (const name of [...seen.keys()]) if (!state.limiters.has(name)) forget(name);
    for (const [name, limiter] of state.limiters) {
      const before = seen.get(name);
      if (before?.limiter === limiter && before.activity === limiter.statistics.activity) continue;
      note(name, limiter);
      if (isStill(state, limiter)) changing.delete(seen.get(name) as Seen);
    }
  }

  function tell(names: readonly string[]): void {
    const changed: LimiterView[] = [];
    const removed: string[] = [];
    for (const name of names) {
      const entry = seen.get(name);
      const limiter = state.limiters.get(name);
      if (entry === undefined) continue;
      if (limiter === undefined) {
        forget(name);
        removed.push(name);
        continue;
      }
      // One that has taken its place since is told by the next look.
      if (entry.limiter !== limiter) continue;
      const view = viewLimiter(state, limiter);
      const { told } = entry;
      entry.told = view.status;
      if (isStill(state, limiter)) changing.delete(entry);
      if (told === undefined || !sameFigures(told, view.status)) changed.push(view);
    }
    if (changed.length + removed.length > 0) for (const listener of listeners) listener({ changed, removed });
  }

  function arm(): void {
    cancel = clock.schedule(clock.now() + interval, false, () => {
      if (!telling.busy) {
        settle();
        telling.begin(look());
      }
      if (listeners.size > 0) arm();
      else cancel = undefined;
    });
  }

  return {
    add(listener) {
      if (cancel === undefined) {
        settle();
        begin();
        arm();
      }
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      cancel?.();
      telling.clear();
      listeners.clear();
    },
  };
}

/** Of what may change by itself; all else counts as activity. */
function sameFigures(a: LimiterStatus, b: LimiterStatus): boolean {
  return CHANGING.every((field) => a[field] === b[field]);
}

const CHANGING = [
  "tokensAvailable",
  "permitsLimit",
  "keys",
  "arrivalRate",
  "admissionRate",
  "completionRate",
  "meanHoldTime",
  "waitTimeP50",
  "waitTimeP99",
] as const satisfies readonly (keyof LimiterStatus)[];
