/**
 * The last hour of each limiter: a sample every 15 s, in rings of fixed size.
 *
 * A limiter without traffic takes no ring, since its samples say nothing. The rings of many limiters stand in one array: thousands
 * of small ones outside of the heap would keep a full collection busy.
 */

import type { Clock } from "../../clock.ts";
import type { Limiter } from "../../machine/limiter/limiter.ts";
import { type Reading, readLimiter } from "../../machine/limiter/read.ts";
import type { State } from "../../machine/limiter/state.ts";
import type { LimiterSample } from "../../machine/limiter/view.ts";
import { createSlices } from "./slices.ts";

export interface LimiterHistory {
  /** The samples from `from` (ms since 1970) on, the latest last. */
  samples(limiter: Limiter, from: number): LimiterSample[];
  close(): void;
}

export interface LimiterHistoryOptions {
  readonly clock: Clock;
  readonly state: State;
  /** Brings the state up to now. */
  readonly settle: () => void;
  /** How many limiters have a ring at once; unset: 5,000, which take 38 MB. */
  readonly maxLimiters?: number;
}

/** µs. */
const INTERVAL = 15_000_000;
/** An hour. */
const SAMPLES = 240;
const MAX_LIMITERS = 5_000;
const SECOND = 1e6;

/** What a sample says, each in a column of its ring. */
const FIELDS = [
  "permitsInUse",
  "permitsLimit",
  "waiters",
  "oldestWait",
  "arrivals",
  "grants",
  "completions",
  "refusals",
] as const satisfies readonly (keyof Reading)[];
/** Those of which a sample has the growth. */
const COUNTERS = ["arrivals", "grants", "completions", "refusals"] as const satisfies readonly (keyof Reading)[];

const LIMIT_COLUMN = FIELDS.indexOf("permitsLimit");
const RING = SAMPLES * FIELDS.length;
/** Rings in one array: half a MB. */
const RINGS_AT_ONCE = 64;
/** Limiters that are looked at before others have a turn. */
const LOOKED_AT_ONCE = 1_000;

/** A limiter that has had traffic. */
interface Known {
  readonly limiter: Limiter;
  /** Its counters when it was last looked at. */
  before: Reading;
  /** Undefined: its last hour is empty, or no ring was free. */
  ring: Float32Array | undefined;
  /** The last look at which it was not idle. */
  busyAt: number;
}

export function createLimiterHistory(options: LimiterHistoryOptions): LimiterHistory {
  const { clock, state, settle, maxLimiters = MAX_LIMITERS } = options;
  const known = new Map<string, Known>();
  const rings = createRings(maxLimiters);
  /** When each look was, µs, and how long after the one before. */
  const times = new Float64Array(SAMPLES);
  const spans = new Float64Array(SAMPLES);
  const slices = createSlices({ clock, size: LOOKED_AT_ONCE, handle: look });
  /** How many looks there were, and how many of them have come to their end. */
  let looks = 0;
  let done = 0;
  let lookedAt = clock.now();
  let cancel = arm();

  function arm(): () => void {
    return clock.schedule(lookedAt + INTERVAL, false, () => {
      settle();
      const { now } = state;
      times[looks % SAMPLES] = now;
      spans[looks % SAMPLES] = Math.max(1, now - lookedAt);
      looks += 1;
      lookedAt = now;
      forgetGone();
      slices.begin(state.limiters.values());
      cancel = arm();
    });
  }

  function look(limiters: readonly Limiter[], last: boolean): void {
    for (const limiter of limiters) note(limiter);
    if (last) done = looks;
  }

  function note(limiter: Limiter): void {
    const { name } = limiter.config;
    // One whose turn comes when another has its name is not there any more.
    if (state.limiters.get(name) !== limiter) return;
    const one = known.get(name);
    if (one === undefined && limiter.statistics.activity === 0) return;
    const reading = readLimiter(state, limiter);
    const before = one?.before ?? NOTHING_YET;
    const busy = isBusy(reading, before);
    if (one === undefined) {
      if (!busy) return;
      const ring = takeRing(reading);
      fill(ring, reading, before);
      known.set(name, { limiter, before: reading, ring, busyAt: looks });
      return;
    }
    if (busy) {
      one.busyAt = looks;
      one.ring ??= takeRing(reading);
    } else if (one.ring !== undefined && !isRecent(one)) {
      rings.giveBack(one.ring);
      one.ring = undefined;
    }
    fill(one.ring, reading, before);
    one.before = reading;
  }

  /** Whether its last hour has more than nothing in it. */
  function isRecent({ busyAt }: Known): boolean {
    return looks - busyAt < SAMPLES;
  }

  /** A limiter that was idle so far had its permits meanwhile. */
  function takeRing({ permitsLimit }: Reading): Float32Array | undefined {
    const ring = rings.take();
    if (ring === undefined) return undefined;
    for (let index = LIMIT_COLUMN; index < RING; index += FIELDS.length) ring[index] = permitsLimit;
    return ring;
  }

  function fill(ring: Float32Array | undefined, reading: Reading, before: Reading): void {
    if (ring === undefined) return;
    const start = ((looks - 1) % SAMPLES) * FIELDS.length;
    for (const [column, field] of FIELDS.entries()) {
      const grows = (COUNTERS as readonly string[]).includes(field);
      const value = reading[field] ?? Number.NaN;
      ring[start + column] = grows ? value - (before[field] ?? 0) : value;
    }
  }

  function forgetGone(): void {
    for (const [name, { limiter, ring }] of known) {
      if (state.limiters.get(name) === limiter) continue;
      known.delete(name);
      if (ring !== undefined) rings.giveBack(ring);
    }
  }

  return {
    samples(limiter, from) {
      const found = known.get(limiter.config.name);
      const one = found?.limiter === limiter ? found : undefined;
      // It had traffic, and no ring was free for it.
      if (one !== undefined && one.ring === undefined && isRecent(one)) return [];
      const idle = idleRow(readLimiter(state, limiter));
      const samples: LimiterSample[] = [];
      for (let index = Math.max(0, looks - SAMPLES); index < done; index++) {
        const slot = index % SAMPLES;
        const time = times[slot] as number;
        const at = clock.wallTime(time);
        if (at < from || time < limiter.createdAt) continue;
        const start = slot * FIELDS.length;
        samples.push(sampleOf(one?.ring?.subarray(start, start + FIELDS.length) ?? idle, at, spans[slot] as number));
      }
      return samples;
    },
    close() {
      cancel();
      slices.clear();
    },
  };
}

const NOTHING_YET: Reading = {
  permitsInUse: 0,
  permitsLimit: 0,
  waiters: 0,
  oldestWait: undefined,
  arrivals: 0,
  grants: 0,
  completions: 0,
  refusals: 0,
};

function idleRow({ permitsLimit }: Reading): Float32Array {
  const row = new Float32Array(FIELDS.length);
  row[LIMIT_COLUMN] = permitsLimit;
  return row;
}

function isBusy(reading: Reading, before: Reading): boolean {
  return reading.permitsInUse + reading.waiters > 0 || COUNTERS.some((field) => reading[field] !== before[field]);
}

function sampleOf(row: Float32Array, at: number, span: number): LimiterSample {
  const [permitsInUse = 0, permitsLimit = 0, waiters = 0, oldestWait = 0, ...grown] = row;
  const [arrivalRate = 0, admissionRate = 0, completionRate = 0, refusalRate = 0] = grown.map(
    (count) => (count * SECOND) / span,
  );
  return {
    at,
    span,
    permitsInUse,
    permitsLimit,
    waiters,
    oldestWait: waiters === 0 || Number.isNaN(oldestWait) ? undefined : oldestWait,
    arrivalRate,
    admissionRate,
    completionRate,
    refusalRate,
  };
}

interface Rings {
  /** An empty one; undefined: all are taken. */
  take(): Float32Array | undefined;
  giveBack(ring: Float32Array): void;
}

function createRings(most: number): Rings {
  const free: Float32Array[] = [];
  let made = 0;
  return {
    take() {
      if (free.length === 0 && made < most) {
        const count = Math.min(RINGS_AT_ONCE, most - made);
        const slab = new Float32Array(count * RING);
        for (let index = 0; index < count; index++) free.push(slab.subarray(index * RING, (index + 1) * RING));
        made += count;
      }
      return free.pop();
    },
    giveBack(ring) {
      ring.fill(0);
      free.push(ring);
    },
  };
}
