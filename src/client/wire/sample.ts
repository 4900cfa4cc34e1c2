/** How a limiter stood: protobuf to what the client shows. */

import type { LimiterSample } from "../api/limiter.ts";
import type { LimiterSample as WireSample } from "../gen/ggen/backpressure/v1/limiter_pb.ts";
import { durationToMs, timestampToDate } from "./time.ts";

/** Counts are numbers here: none of them reaches 2^53. */
export function sampleFromWire(wire: WireSample): LimiterSample {
  const { arrivalRate, admissionRate, completionRate, refusalRate } = wire;
  return {
    time: wire.time ? timestampToDate(wire.time) : new Date(Number.NaN),
    spanMs: wire.span ? durationToMs(wire.span) : 0,
    permitsInUse: Number(wire.permitsInUse),
    permitsLimit: Number(wire.permitsLimit),
    waiters: Number(wire.waiters),
    oldestWaitMs: wire.oldestWait && durationToMs(wire.oldestWait),
    arrivalRate,
    admissionRate,
    completionRate,
    refusalRate,
  };
}
