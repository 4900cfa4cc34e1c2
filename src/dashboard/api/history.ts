/** The last hour of a limiter, as charts take it. */

import type { LimiterSample } from "../../client/gen/ggen/backpressure/v1/limiter_pb.ts";
import { durationToMs, timestampToDate } from "../../client/wire/time.ts";

export interface HistoryPoint {
  readonly time: Date;
  readonly permitsInUse: number;
  readonly permitsLimit: number;
  readonly waiters: number;
  /** s. */
  readonly oldestWait: number;
  readonly arrivalRate: number;
  readonly admissionRate: number;
  readonly completionRate: number;
  readonly refusalRate: number;
}

export function historyFromWire(sample: LimiterSample): HistoryPoint {
  const { time, oldestWait, arrivalRate, admissionRate, completionRate, refusalRate } = sample;
  return {
    time: time === undefined ? new Date(Number.NaN) : timestampToDate(time),
    permitsInUse: Number(sample.permitsInUse),
    permitsLimit: Number(sample.permitsLimit),
    waiters: Number(sample.waiters),
    oldestWait: oldestWait === undefined ? 0 : durationToMs(oldestWait) / 1000,
    arrivalRate,
    admissionRate,
    completionRate,
    refusalRate,
  };
}
