/** Limiters as the page knows them. */

import { create } from "@bufbuild/protobuf";
import type { Limiter, LimiterStatus } from "../../../src/client/api/limiter.ts";
import { LimiterSchema } from "../../../src/client/gen/ggen/backpressure/v1/limiter_pb.ts";
import { limiterFromWire } from "../../../src/client/wire/limiter.ts";

/** An idle limiter `db`, but for what is given. */
export function limiterOf(about: Partial<Limiter>, status: Partial<LimiterStatus> = {}): Limiter {
  const idle = limiterFromWire(create(LimiterSchema, { name: "db" }));
  const permitsLimit = about.maxConcurrent ?? 0;
  return { ...idle, ...about, status: { ...idle.status, permitsLimit, ...status } };
}
