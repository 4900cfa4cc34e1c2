/**
 * Tells watchers which limiters have changed, by comparing now and then: the hot path pays one counter for it.
 *
 * A limiter that gets no requests changes for a while, too: rates fade, times are forgotten, a bucket fills, keys are forgotten. A
 * limiter is sent until that has come to its end, and then no more.
 */

import type { Clock } from "../../clock.ts";
import type { Limiter } from "../../machine/limiter/limiter.ts";
import { isStill, viewLimiter } from "../../machine/limiter/read.ts";
import type { State } from "../../machine/limiter/state.ts";
import type { LimiterStatus, LimiterView } from "../../machine/limiter/view.ts";
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
  /** Its figures as they were sent; undefined: what watchers know of it is older. */
  sent: LimiterStatus | undefined;
}

/** While nothing happens but what happens by itself, only every fourth look looks closely. */
const LOOKS_A_FADE = 4;
/** Limiters that are looked at, or sent, at once before others have a turn. */
const LOOKED_AT_ONCE = 1_000;
const SENT_AT_ONCE = 40;

export function createLimiterWatch({ clock, interval, state, settle }: LimiterWatchOptions): LimiterWatch {
  const listeners = new Set<(changes: LimiterChanges) => void>();
  const seen = new Map<string, Seen>();
  /** Those whose figures may still change by themselves. */
  const changing = new Set<Seen>();
  const beginning = createSlices({ clock, size: LOOKED_AT_ONCE, handle: begin });
  const looking = createSlices({ clock, size: LOOKED_AT_ONCE, handle: look });
  const telling = createSlices({ clock, size: SENT_AT_ONCE, handle: tell });
  let looks = 0;
  /** Names of limiters that have changed or may have, as far as this look has come. */
  let found: string[] = [];
  let cancel: (() => void) | undefined;

  function look(limiters: readonly Limiter[], last: boolean): void {
    for (const limiter of limiters) {
      const { activity } = limiter.statistics;
      const { name } = limiter.config;
      const before = seen.get(name);
      if (before?.limiter === limiter && before.activity === activity) continue;
      // It went while others were looked at: the next look finds it gone.
      if (state.limiters.get(name) !== limiter) continue;
      note({ limiter, activity, sent: undefined });
      found.push(name);
    }
    if (last) finishLook();
  }

  function finishLook(): void {
    const names = found;
    found = [];
    looks += 1;
    if (looks % LOOKS_A_FADE === 0) {
      const touched = new Set(names);
      for (const { limiter } of changing) if (!touched.has(limiter.config.name)) names.push(limiter.config.name);
    }
    if (seen.size > state.limiters.size)
      for (const name of seen.keys()) if (!state.limiters.has(name)) names.push(name);
    telling.begin(names);
  }

  function note(entry: Seen): void {
    const { name } = entry.limiter.config;
    forget(name);
    seen.set(name, entry);
    changing.add(entry);
  }

  function forget(name: string): void {
    const entry = seen.get(name);
    if (entry === undefined) return;
    seen.delete(name);
    changing.delete(entry);
  }

  /**
   * What there is when the first watcher comes, which it reads by itself: only what changes from then on is sent. The counters
   * are those of that instant, whenever it is their turn.
   */
  function begin(entries: readonly Seen[]): void {
    for (const entry of entries) {
      const { limiter, activity } = entry;
      const before = seen.get(limiter.config.name);
      if (before?.limiter === limiter && before.activity === activity) continue;
      note(entry);
      if (limiter.statistics.activity === activity && isStill(state, limiter)) changing.delete(entry);
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
      // One that has taken its place since is sent by the next look.
      if (entry.limiter !== limiter) continue;
      const view = viewLimiter(state, limiter, clock.wallTime);
      const { sent } = entry;
      entry.sent = view.status;
      if (isStill(state, limiter)) changing.delete(entry);
      if (sent === undefined || !sameFigures(sent, view.status)) changed.push(view);
    }
    if (changed.length + removed.length > 0) for (const listener of listeners) listener({ changed, removed });
  }

  function arm(): void {
    cancel = clock.schedule(clock.now() + interval, false, () => {
      if (!beginning.busy && !looking.busy && !telling.busy) {
        settle();
        looking.begin(state.limiters.values());
      }
      if (listeners.size > 0) arm();
      else cancel = undefined;
    });
  }

  return {
    add(listener) {
      if (cancel === undefined) {
        settle();
        for (const name of seen.keys()) if (!state.limiters.has(name)) forget(name);
        beginning.begin(
          Array.from(state.limiters.values(), (limiter) => {
            return { limiter, activity: limiter.statistics.activity, sent: undefined };
          }),
        );
        arm();
      }
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      cancel?.();
      for (const slices of [beginning, looking, telling]) slices.clear();
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
  "refusalRate",
  "meanHoldTime",
  "waitTimeP50",
  "waitTimeP99",
] as const satisfies readonly (keyof LimiterStatus)[];
