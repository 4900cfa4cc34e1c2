import { create, type MessageInitShape } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Limiter, LimiterSchema, LimiterState } from "../../../src/server/gen/ggen/backpressure/v1/limiter_pb.ts";
import { Reason } from "../../../src/server/gen/ggen/backpressure/v1/reason_pb.ts";
import type { LimiterConfig } from "../../../src/server/machine/limiter/limiter.ts";
import type { Rate } from "../../../src/server/machine/limiter/rate.ts";
import type { LimiterStatus, LimiterView } from "../../../src/server/machine/limiter/view.ts";
import { limiterConfig, limiterMessage, refusalCounts, saidFields } from "../../../src/server/wire/limiter-wire.ts";
import { violationsOf } from "../../../src/server/wire/validate.ts";
import { amountOf, limiterOf, rateOf } from "../../support/limiter-config.ts";
import { validLimiter } from "./limiter-arbitrary.ts";

type Fields = MessageInitShape<typeof LimiterSchema>;

const SECOND = 1_000_000;
const seconds = (count: number) => ({ seconds: BigInt(count), nanos: 0 });

function configOf(fields: Fields): LimiterConfig {
  const reading = limiterConfig(create(LimiterSchema, fields));
  if (reading.kind === "invalid") throw new Error(JSON.stringify(reading.violations));
  return reading.config;
}

function viewOf(config: LimiterConfig, about: Partial<LimiterView> = {}): LimiterView {
  return {
    config,
    declared: false,
    declaration: undefined,
    deleting: false,
    revision: 1,
    createdAt: 0,
    updatedAt: 0,
    status: QUIET,
    ...about,
  };
}

const QUIET: LimiterStatus = {
  permitsInUse: 0,
  permitsLimit: 0,
  waiters: 0,
  tokensAvailable: undefined,
  leases: 0,
  orphanedLeases: 0,
  keys: 0,
  arrivalRate: 0,
  admissionRate: 0,
  completionRate: 0,
  meanHoldTime: undefined,
  waitTimeP50: undefined,
  waitTimeP99: undefined,
  granted: 0,
  refusals: [],
  overloaded: 0,
  oldestWait: undefined,
  sinceLastGrant: undefined,
  refusalRate: 0,
  obstacles: [],
};

describe("a limiter's defaults", () => {
  it.each<[string, Fields, Partial<LimiterConfig>]>([
    ["only a concurrency limit", { maxConcurrent: 3 }, { maxConcurrent: 3 }],
    ["the burst is what 50 ms bring", { maxRps: 1_000 }, { rate: rateOf(1_000, 50) }],
    ["the burst is whole tokens", { maxRps: 299.999 }, { rate: rateOf(299.999, 14) }],
    ["the burst is 1 at least", { maxRps: 0.001 }, { rate: rateOf(0.001, 1) }],
    ["the greatest rate", { maxRps: 1_000_000 }, { rate: rateOf(1_000_000, 50_000) }],
    ["a burst that was said", { maxRps: 1_000, burstSize: 1 }, { rate: rateOf(1_000, 1) }],
    ["the longest ttl is 5 minutes", { ttl: seconds(60) }, { ttl: 60 * SECOND, maxTtl: 300 * SECOND }],
    ["or the ttl where that is longer", { ttl: seconds(301) }, { ttl: 301 * SECOND, maxTtl: 301 * SECOND }],
    ["the ttl is 30 s", { maxTtl: seconds(31) }, { ttl: 30 * SECOND, maxTtl: 31 * SECOND }],
    ["or the longest where that is shorter", { maxTtl: seconds(9) }, { ttl: 9 * SECOND, maxTtl: 9 * SECOND }],
    ["a ttl of zero is no default", { ttl: seconds(0) }, { ttl: 0 }],
    ["no waiters", { maxWaiters: 0 }, { maxWaiters: 0 }],
    ["cancels are not trusted", { trustCancel: false }, { trustCancel: false }],
  ])("%s", (_rule, fields, expected) => {
    expect(configOf({ name: "db", ...fields })).toEqual(limiterOf(expected));
  });

  it("a bound finer than a µs is rounded up", () => {
    expect(configOf({ name: "db", maxConcurrent: 1, maxWait: { seconds: 0n, nanos: 1 } }).maxWait).toBe(1);
  });
});

describe("a rate", () => {
  const said = (fields: Fields) => {
    const reading = limiterConfig(create(LimiterSchema, { name: "db", ...fields }), "limiters[2]");
    return reading.kind === "valid" ? reading.config.rate : reading.violations;
  };

  it.each<[string, Fields, Rate]>([
    ["a third", { maxRps: 1 / 3 }, rateOf(1 / 3, 1)],
    ["0.1 + 0.2", { maxRps: 0.1 + 0.2 }, rateOf(0.3, 1)],
    ["10 a minute", { rate: { tokens: 10, per: seconds(60) } }, amountOf(10, 60 * SECOND)],
    ["with a burst", { rate: { tokens: 50, per: seconds(86_400) }, burstSize: 7 }, amountOf(50, 86_400 * SECOND, 7)],
    ["as it was read", { rate: { tokens: 10, per: seconds(60) }, maxRps: 10 / 60 }, amountOf(10, 60 * SECOND)],
  ])("is taken: %s", (_, fields, rate) => {
    expect(said(fields)).toEqual(rate);
  });

  it.each<[string, Fields, string, string, string]>([
    [
      "is slower than the slowest",
      { rate: { tokens: 1, per: seconds(2_592_001) } },
      "rate",
      "must be from one token in 30 days to 10,000,000 a second",
      "limiter.rate_bounds",
    ],
    [
      "is slower than the slowest by a hair",
      { maxRps: 3.81e-7 },
      "max_rps",
      "must be from one token in 30 days to 10,000,000 a second",
      "limiter.rate_bounds",
    ],
    [
      "is not in whole µs",
      { rate: { tokens: 1, per: { seconds: 1n, nanos: 1 } } },
      "rate.per",
      "must be whole microseconds",
      "limiter.rate_period",
    ],
    [
      "is two",
      { rate: { tokens: 10, per: seconds(60) }, maxRps: 10 },
      "max_rps",
      "is another rate than `rate`: give one of the two",
      "limiter.one_rate",
    ],
  ])("is refused where it %s", (_, fields, field, description, reason) => {
    expect(said(fields)).toEqual([{ field: `limiters[2].${field}`, description, reason }]);
  });

  it("is shown in both notations where it was an amount, and in tokens a second otherwise", () => {
    const shown = (rate: Rate) => limiterMessage(viewOf(limiterOf({ rate })));
    const amount = shown(amountOf(10, 60 * SECOND));
    expect(amount.rate).toMatchObject({ tokens: 10, per: { seconds: 60n, nanos: 0 } });
    expect(amount.maxRps).toBe(10 / 60);
    expect(shown(rateOf(0.1 + 0.2, 1)).maxRps).toBe(0.3);
    expect(shown(rateOf(0.1 + 0.2, 1)).rate).toBeUndefined();
  });
});

describe("a limiter as it is shown", () => {
  it("says all that is in force, defaults too, and what goes on", () => {
    const view = viewOf(limiterOf({ keyed: true, rate: rateOf(500, 7), maxWait: 1_500_000, paused: true }), {
      declared: true,
      deleting: true,
      revision: 12,
      createdAt: 1_000_001,
      updatedAt: 1_000_002.5,
      status: {
        permitsInUse: 1,
        permitsLimit: 2,
        waiters: 3,
        tokensAvailable: 4.5,
        leases: 5,
        orphanedLeases: 6,
        keys: 7,
        arrivalRate: 8.5,
        admissionRate: 9.5,
        completionRate: 10.5,
        meanHoldTime: 11,
        waitTimeP50: 12.4,
        waitTimeP99: 13,
        granted: 14,
        refusals: [["QUEUE_FULL", 15]],
        overloaded: 16,
        oldestWait: 17,
        sinceLastGrant: 18,
        refusalRate: 19.5,
        obstacles: [{ limiter: "db", key: "a", reason: "WAITERS_AHEAD", waitersAhead: 20 }],
      },
    });
    expect(limiterMessage(view)).toEqual(
      create(LimiterSchema, {
        name: "db",
        maxRps: 500,
        burstSize: 7,
        keyed: true,
        maxKeys: 10_000,
        maxWaiters: 10_000,
        maxWait: { seconds: 1n, nanos: 500_000_000 },
        ttl: { seconds: 30n, nanos: 0 },
        maxTtl: { seconds: 300n, nanos: 0 },
        trustCancel: true,
        paused: true,
        etag: "12",
        declared: true,
        state: LimiterState.DELETING,
        createTime: { seconds: 1_000n, nanos: 1_000_000 },
        updateTime: { seconds: 1_000n, nanos: 2_500_000 },
        status: {
          permitsInUse: 1n,
          permitsLimit: 2n,
          waiters: 3n,
          tokensAvailable: 4.5,
          leases: 5n,
          orphanedLeases: 6n,
          keys: 7n,
          arrivalRate: 8.5,
          admissionRate: 9.5,
          completionRate: 10.5,
          meanHoldTime: { seconds: 0n, nanos: 11_000 },
          waitTimeP50: { seconds: 0n, nanos: 12_000 },
          waitTimeP99: { seconds: 0n, nanos: 13_000 },
          grantedCount: 14n,
          refusals: [{ reason: Reason.QUEUE_FULL, count: 15n }],
          overloadedCount: 16n,
          oldestWait: { seconds: 0n, nanos: 17_000 },
          sinceLastGrant: { seconds: 0n, nanos: 18_000 },
          refusalRate: 19.5,
          obstacles: [{ limiter: "db", key: "a", reason: Reason.WAITERS_AHEAD, waitersAhead: 20 }],
        },
      }),
    );
  });

  it("leaves unset what is not known, and what the limiter does not have", () => {
    const message = limiterMessage(viewOf(limiterOf({ maxConcurrent: 2 })));
    expect(message.maxRps).toBeUndefined();
    expect(message.burstSize).toBeUndefined();
    expect(message.maxKeys).toBeUndefined();
    expect(message.maxWait).toBeUndefined();
    expect(message.state).toBe(LimiterState.ACTIVE);
    expect(message.status?.meanHoldTime).toBeUndefined();
    expect(message.status?.waitTimeP50).toBeUndefined();
    expect(message.status?.tokensAvailable).toBe(0);
  });

  it("counts refusals by the reason that travels, in its order", () => {
    const counts = refusalCounts([
      ["KEY_REQUIRED", 1],
      ["QUEUE_FULL", 2],
      ["KEY_NOT_ALLOWED", 4],
      ["CLAIM_EXCEEDS_LIMIT", 8],
    ]);
    expect(counts.map(({ reason, count }) => [reason, count])).toEqual([
      [Reason.CLAIM_EXCEEDS_LIMIT, 8n],
      [Reason.QUEUE_FULL, 2n],
      [Reason.INVALID_REQUEST, 5n],
    ]);
  });
});

describe("every valid limiter", () => {
  it("is shown as a valid limiter that means the same", () => {
    fc.assert(
      fc.property(validLimiter, (message: Limiter) => {
        expect(violationsOf(LimiterSchema, message)).toEqual([]);
        const config = configOf(message);
        const shown = limiterMessage(viewOf(config));
        expect(violationsOf(LimiterSchema, shown)).toEqual([]);
        expect(configOf(shown)).toEqual(config);
      }),
    );
  });

  it("means the same without what goes without saying", () => {
    fc.assert(
      fc.property(validLimiter, (message: Limiter) => {
        const config = configOf(message);
        const said = create(LimiterSchema, saidFields(config));
        expect(violationsOf(LimiterSchema, said)).toEqual([]);
        expect(configOf(said)).toEqual(config);
      }),
    );
  });
});
