/** Rates: `max_rps` or `rate` of a limiter to what the machine keeps, and back. */

import { create } from "@bufbuild/protobuf";
import { type Limiter, RateSchema, type Rate as WireRate } from "../gen/ggen/backpressure/v1/limiter_pb.ts";
import { createRate, type Rate, type StatedRate, toMaxRps } from "../machine/limiter/rate.ts";
import type { FieldViolation } from "./error-wire.ts";
import { durationToMicros, microsToDuration } from "./time-wire.ts";

export type RateReading =
  | { readonly kind: "valid"; readonly rate: Rate | undefined }
  | { readonly kind: "invalid"; readonly violations: readonly FieldViolation[] };

type Amount = Extract<StatedRate, { kind: "amount" }>;

/** Returns the rate that a limiter's message asks for; `field` is where the message stands in what was sent. */
export function readRate({ rate, maxRps, burstSize }: Limiter, field: string): RateReading {
  const stated = rate === undefined ? perSecond(maxRps) : amountOf(rate);
  if (stated === undefined) return { kind: "valid", rate: undefined };
  const stands = rate === undefined ? `${field}.max_rps` : `${field}.rate`;
  if (rate?.per !== undefined && rate.per.nanos % 1000 !== 0) {
    return invalid(`${field}.rate.per`, "limiter.rate_period", "must be whole microseconds");
  }
  // A client that reads a limiter and sends it back sends both.
  if (rate !== undefined && maxRps !== undefined && maxRps !== toMaxRps(stated)) {
    const description = "is another rate than `rate`: give one of the two";
    return invalid(`${field}.max_rps`, "limiter.one_rate", description);
  }
  const created = createRate(stated, burstSize);
  if (created !== undefined) return { kind: "valid", rate: created };
  return invalid(stands, "limiter.rate_bounds", "must be from one token in 30 days to 10,000,000 a second");
}

export function rateMessage({ tokens, per }: Amount): WireRate {
  return create(RateSchema, { tokens, per: microsToDuration(per) });
}

function perSecond(maxRps: number | undefined): StatedRate | undefined {
  return maxRps === undefined ? undefined : { kind: "per-second", maxRps };
}

function amountOf({ tokens, per }: WireRate): Amount {
  return { kind: "amount", tokens, per: per === undefined ? 0 : durationToMicros(per) };
}

function invalid(field: string, reason: string, description: string): RateReading {
  return { kind: "invalid", violations: [{ field, reason, description }] };
}
