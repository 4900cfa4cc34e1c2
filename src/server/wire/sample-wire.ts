/** How a limiter stood: domain to protobuf. */

import { create } from "@bufbuild/protobuf";
import { LimiterSampleSchema, type LimiterSample as WireSample } from "../gen/ggen/backpressure/v1/limiter_pb.ts";
import type { LimiterSample } from "../machine/limiter/view.ts";
import { microsToDuration, msToTimestamp, optionalDuration } from "./time-wire.ts";

export function sampleMessage(sample: LimiterSample): WireSample {
  return create(LimiterSampleSchema, {
    time: msToTimestamp(sample.at),
    span: microsToDuration(sample.span),
    permitsInUse: BigInt(sample.permitsInUse),
    permitsLimit: BigInt(sample.permitsLimit),
    waiters: BigInt(sample.waiters),
    oldestWait: optionalDuration(sample.oldestWait),
    arrivalRate: sample.arrivalRate,
    admissionRate: sample.admissionRate,
    completionRate: sample.completionRate,
    refusalRate: sample.refusalRate,
  });
}
