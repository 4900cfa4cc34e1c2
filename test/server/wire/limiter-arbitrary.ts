/** Any limiter that keeps the contract's rules, near the bounds and defaults more often than chance would have it. */

import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { type Limiter, LimiterSchema } from "../../../src/server/gen/ggen/backpressure/v1/limiter_pb.ts";
import { microsToDuration } from "../../../src/server/wire/time-wire.ts";
import { anyStatedRate } from "../machine/limiter/any-rate.ts";

const DAY = 86_400_000_000;

const often = (values: readonly number[], max: number, min = 0) =>
  fc.oneof(fc.constantFrom(...values), fc.integer({ min, max }));
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

const micros = often([0, 100_000, 10_000_000, 300_000_000, DAY], DAY, 100_000);

export const validLimiter: fc.Arbitrary<Limiter> = fc
  .record({
    name: fc.stringMatching(/^[A-Za-z0-9]([A-Za-z0-9._/-]{0,20}[A-Za-z0-9])?$/),
    description: fc.string({ maxLength: 100 }),
    stated: maybe(anyStatedRate),
    burstSize: maybe(often([1, 10, 1_000_000_000], 1_000_000_000, 1)),
    maxConcurrent: maybe(often([1, 1_000_000], 1_000_000, 1)),
    keyed: fc.boolean(),
    maxKeys: maybe(often([1, 10_000, 1_000_000], 1_000_000, 1)),
    maxWaiters: maybe(often([0, 10_000, 1_000_000], 1_000_000)),
    maxWait: maybe(fc.integer({ min: 0, max: DAY })),
    refuseLongWaits: fc.boolean(),
    ttl: maybe(micros),
    maxTtl: maybe(micros.filter((ttl) => ttl > 0)),
    trustCancel: maybe(fc.boolean()),
    paused: fc.boolean(),
  })
  .map(({ stated, burstSize, maxConcurrent, maxKeys, maxWait, ttl, maxTtl, ...rest }) =>
    create(LimiterSchema, {
      ...rest,
      maxRps: stated?.kind === "per-second" ? stated.maxRps : undefined,
      rate: stated?.kind === "amount" ? { tokens: stated.tokens, per: microsToDuration(stated.per) } : undefined,
      burstSize: stated === undefined ? undefined : burstSize,
      maxConcurrent: stated === undefined ? (maxConcurrent ?? 1) : maxConcurrent,
      maxKeys: rest.keyed ? maxKeys : undefined,
      maxWait: maxWait === undefined ? undefined : microsToDuration(maxWait),
      ttl: ttl === undefined ? undefined : microsToDuration(Math.min(ttl, maxTtl ?? DAY)),
      maxTtl: maxTtl === undefined ? undefined : microsToDuration(maxTtl),
    }),
  );
