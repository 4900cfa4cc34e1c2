/** Latencies in an HDR histogram: three digits of precision from a µs to minutes, whatever was recorded. */

import { createHistogram } from "node:perf_hooks";

export interface LatencyRecorder {
  /** ms, as `performance.now()` counts. */
  record(ms: number): void;
  /** Throws where nothing was recorded. */
  summary(): Latency;
}

/** In µs. */
export interface Latency {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  /** The whole distribution: how many in a hundred took at most so many µs. */
  readonly curve: readonly (readonly [percentile: number, micros: number])[];
}

const NANOS_IN_MS = 1_000_000;
const NANOS_IN_MICRO = 1_000;
const LONGEST = 600_000 * NANOS_IN_MS;

export function createLatencyRecorder(): LatencyRecorder {
  const histogram = createHistogram({ lowest: 1, highest: LONGEST, figures: 3 });
  const micros = (nanos: number) => nanos / NANOS_IN_MICRO;
  const at = (percentile: number) => micros(histogram.percentile(percentile));
  return {
    record(ms) {
      histogram.record(Math.min(LONGEST, Math.max(1, Math.round(ms * NANOS_IN_MS))));
    },
    summary() {
      if (histogram.count === 0) throw new RangeError("nothing was recorded");
      return {
        count: histogram.count,
        mean: micros(histogram.mean),
        p50: at(50),
        p90: at(90),
        p99: at(99),
        p999: at(99.9),
        max: micros(histogram.max),
        curve: [...histogram.percentiles].map(([percentile, nanos]) => [percentile, micros(nanos)] as const),
      };
    },
  };
}
