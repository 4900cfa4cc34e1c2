/** What goes through a limiter: what is measured of it, lately and since it was made. */

import { boundsInSeconds, Histogram } from "../structures/histogram.ts";
import { Durations, Meter } from "../structures/meter.ts";
import type { LeaseEnd, WorkOutcome } from "./outcomes.ts";

export interface Flow {
  readonly arrivals: Meter;
  readonly grants: Meter;
  readonly completions: Meter;
  readonly waits: Durations;
  readonly holds: Durations;
  lastGrantAt: number | undefined;
  readonly totals: FlowTotals;
}

/** What adds up for as long as the limiter lives, for whoever compares two looks at it. */
export interface FlowTotals {
  /** Tokens that grants have taken. */
  tokens: number;
  readonly ends: Record<LeaseEnd, number>;
  readonly releases: Record<WorkOutcome, number>;
  readonly waits: Histogram;
  readonly holds: Histogram;
}

/** Of waits and holds. */
export const TIME_BOUNDS = boundsInSeconds(
  ...[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5],
  ...[1, 2.5, 5, 10, 30, 60, 120, 300],
);

/** `since`: µs, from when on it is measured. */
export function createFlow(since: number): Flow {
  return {
    arrivals: new Meter(since),
    grants: new Meter(since),
    completions: new Meter(since),
    waits: new Durations(since),
    holds: new Durations(since),
    lastGrantAt: undefined,
    totals: createTotals(),
  };
}

export function createTotals(): FlowTotals {
  return {
    tokens: 0,
    ends: { released: 0, cancelled: 0, expired: 0, revoked: 0, deleted: 0 },
    releases: { success: 0, overloaded: 0, ignored: 0 },
    waits: new Histogram(TIME_BOUNDS),
    holds: new Histogram(TIME_BOUNDS),
  };
}
