import { create, fromJson, type MessageInitShape } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LimiterSchema, LimiterState } from "../../../src/server/gen/ggen/backpressure/v1/limiter_pb.ts";
import { UpdateLimiterRequestSchema } from "../../../src/server/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import type { LimiterConfig } from "../../../src/server/machine/limiter/limiter.ts";
import { applyUpdate } from "../../../src/server/wire/limiter-update.ts";
import { limiterConfig } from "../../../src/server/wire/limiter-wire.ts";
import { amountOf, limiterOf, rateOf } from "../../support/limiter-config.ts";
import { SETTABLE_FIELDS } from "../../support/limiter-fields.ts";
import { validLimiter } from "./limiter-arbitrary.ts";

type Fields = MessageInitShape<typeof LimiterSchema>;

/** What makes a limiter the one that it is stays. */
const CHANGEABLE = SETTABLE_FIELDS.filter((name) => name !== "name" && name !== "keyed").join(", ");
const SECOND = 1_000_000;
const seconds = (count: number) => ({ seconds: BigInt(count), nanos: 0 });

function update(current: LimiterConfig, fields: Fields, paths: readonly string[] = []) {
  return applyUpdate(current, create(LimiterSchema, { name: "db", ...fields }), paths);
}

interface Example {
  readonly rule: string;
  readonly current: Partial<LimiterConfig>;
  readonly fields: Fields;
  readonly paths?: readonly string[];
}

describe("an update changes", () => {
  it.each<Example & { readonly changed: Partial<LimiterConfig> }>([
    {
      rule: "only what the mask names",
      current: { maxConcurrent: 2 },
      fields: { maxConcurrent: 5, paused: true, description: "new" },
      paths: ["max_concurrent"],
      changed: { maxConcurrent: 5 },
    },
    {
      rule: "what is set, without a mask",
      current: { maxConcurrent: 2, description: "old" },
      fields: { maxConcurrent: 5, paused: true },
      changed: { maxConcurrent: 5, paused: true, description: "old" },
    },
    {
      rule: "what is named and false, zero or empty",
      current: { maxConcurrent: 2, paused: true, description: "old", refuseLongWaits: true },
      fields: { maxWaiters: 0 },
      paths: ["paused", "description", "refuse_long_waits", "max_waiters"],
      changed: { maxConcurrent: 2, maxWaiters: 0 },
    },
    {
      rule: "what is named and unset back to its default",
      current: { maxConcurrent: 2, maxWaiters: 5, maxWait: 7, ttl: 0, maxTtl: 20 * SECOND, trustCancel: false },
      fields: {},
      paths: ["max_waiters", "max_wait", "ttl", "max_ttl", "trust_cancel"],
      changed: { maxConcurrent: 2 },
    },
    {
      rule: "one limit for the other",
      current: { maxConcurrent: 2 },
      fields: { maxRps: 10 },
      paths: ["max_rps", "max_concurrent"],
      changed: { rate: rateOf(10, 1) },
    },
    {
      rule: "a burst that was the default along with the rate",
      current: { rate: rateOf(1_000, 50) },
      fields: { maxRps: 5_000 },
      changed: { rate: rateOf(5_000, 250) },
    },
    {
      rule: "a burst that was said not along with the rate",
      current: { rate: rateOf(1_000, 11) },
      fields: { maxRps: 5_000 },
      changed: { rate: rateOf(5_000, 11) },
    },
    {
      rule: "a burst that is named and unset back to what 50 ms bring",
      current: { rate: rateOf(1_000, 11) },
      fields: { maxRps: 5_000 },
      paths: ["max_rps", "burst_size"],
      changed: { rate: rateOf(5_000, 250) },
    },
    {
      rule: "an amount instead of tokens a second",
      current: { rate: rateOf(1_000, 50) },
      fields: { rate: { tokens: 10, per: seconds(60) } },
      changed: { rate: amountOf(10, 60 * SECOND) },
    },
    {
      rule: "tokens a second instead of an amount",
      current: { rate: amountOf(10, 60 * SECOND) },
      fields: { maxRps: 1_000 },
      changed: { rate: rateOf(1_000, 50) },
    },
    {
      rule: "tokens a second instead of an amount, by their name in the mask alone",
      current: { rate: amountOf(10, 60 * SECOND) },
      fields: { maxRps: 1_000, rate: { tokens: 10, per: seconds(60) } },
      paths: ["max_rps"],
      changed: { rate: rateOf(1_000, 50) },
    },
    {
      rule: "an amount away by the name of tokens a second, under which it is shown, too",
      current: { rate: amountOf(10, 60 * SECOND), maxConcurrent: 1 },
      fields: {},
      paths: ["max_rps"],
      changed: { maxConcurrent: 1 },
    },
    {
      rule: "not the amount that a client sends back as the double that it was shown",
      current: { rate: amountOf(10, 60 * SECOND), maxConcurrent: 1 },
      fields: { maxRps: 10 / 60, maxConcurrent: 2 },
      changed: { rate: amountOf(10, 60 * SECOND), maxConcurrent: 2 },
    },
    {
      rule: "the burst of an amount",
      current: { rate: amountOf(10, 60 * SECOND) },
      fields: { burstSize: 3 },
      changed: { rate: amountOf(10, 60 * SECOND, 3) },
    },
    {
      rule: "the rate limit away, and a burst that was the default with it",
      current: { rate: rateOf(1_000, 50), maxConcurrent: 1 },
      fields: {},
      paths: ["max_rps"],
      changed: { maxConcurrent: 1 },
    },
    {
      rule: "the longest ttl along with a longer ttl, if it was the default",
      current: { maxConcurrent: 1 },
      fields: { ttl: seconds(600) },
      changed: { maxConcurrent: 1, ttl: 600 * SECOND, maxTtl: 600 * SECOND },
    },
    {
      rule: "the ttl along with a shorter longest ttl, if it was the default",
      current: { maxConcurrent: 1 },
      fields: { maxTtl: seconds(5) },
      changed: { maxConcurrent: 1, ttl: 5 * SECOND, maxTtl: 5 * SECOND },
    },
    {
      rule: "nothing, where a limiter is sent back as it was read",
      current: { maxConcurrent: 1, keyed: true },
      fields: {
        maxConcurrent: 1,
        keyed: true,
        etag: "4",
        declared: true,
        state: LimiterState.ACTIVE,
        createTime: { seconds: 1n },
        status: { leases: 3n },
      },
      changed: { maxConcurrent: 1, keyed: true },
    },
    {
      rule: "nothing, where name and keyed are named and say what stands",
      current: { maxConcurrent: 1, keyed: true },
      fields: { keyed: true },
      paths: ["name", "keyed"],
      changed: { maxConcurrent: 1, keyed: true },
    },
  ])("$rule", ({ current, fields, paths, changed }) => {
    expect(update(limiterOf(current), fields, paths)).toEqual({ kind: "valid", config: limiterOf(changed) });
  });
});

describe("an update is refused", () => {
  it.each<Example & { readonly violations: readonly (readonly [field: string, description: string])[] }>([
    {
      rule: "where it makes another limiter of it",
      current: { maxConcurrent: 1 },
      fields: { keyed: true },
      violations: [["limiter.keyed", "cannot be changed: it is false for ever"]],
    },
    {
      rule: "where keyed is named and unset, and stands",
      current: { maxConcurrent: 1, keyed: true },
      fields: { name: "other" },
      paths: ["keyed", "name"],
      violations: [
        ["limiter.keyed", "cannot be changed: it is true for ever"],
        ["limiter.name", 'cannot be changed: it is "db" for ever'],
      ],
    },
    {
      rule: "where the mask names what is no field, or for output",
      current: { maxConcurrent: 1 },
      fields: {},
      paths: ["paused", "maxRps", "max_wait.seconds", "status"],
      violations: [
        ["update_mask.paths[1]", `"maxRps" is no field of a limiter; those that can be changed are ${CHANGEABLE}`],
        [
          "update_mask.paths[2]",
          `"max_wait.seconds" is no field of a limiter; those that can be changed are ${CHANGEABLE}`,
        ],
        ["update_mask.paths[3]", "status is for output and cannot be changed"],
      ],
    },
    {
      rule: "where no limit is left",
      current: { maxConcurrent: 1 },
      fields: {},
      paths: ["max_concurrent"],
      violations: [["limiter", "a limiter needs a rate (rate or max_rps), max_concurrent or both"]],
    },
    {
      rule: "where a burst that was said is left without its rate",
      current: { rate: rateOf(1_000, 11), maxConcurrent: 1 },
      fields: {},
      paths: ["max_rps"],
      violations: [["limiter", "burst_size needs rate or max_rps"]],
    },
    {
      rule: "where a ttl that was said exceeds the longest",
      current: { maxConcurrent: 1, ttl: 60 * SECOND },
      fields: { maxTtl: seconds(30) },
      violations: [["limiter", "ttl must not exceed max_ttl"]],
    },
    {
      rule: "where a value is out of bounds",
      current: { maxConcurrent: 1 },
      fields: { maxConcurrent: 0, ttl: { seconds: 0n, nanos: 1 } },
      violations: [
        ["limiter.max_concurrent", "must be greater than or equal to 1 and less than or equal to 1000000"],
        ["limiter.ttl", "must be 0s, or at least 0.1s"],
      ],
    },
    {
      rule: "where a rate is too fast",
      current: { maxConcurrent: 1 },
      fields: { rate: { tokens: 11, per: { nanos: 1_000 } } },
      violations: [["limiter.rate", "must be from one token in 30 days to 10,000,000 a second"]],
    },
    {
      rule: "where its two notations are two rates",
      current: { maxConcurrent: 1 },
      fields: { maxRps: 10, rate: { tokens: 10, per: seconds(60) } },
      violations: [["limiter.max_rps", "is another rate than `rate`: give one of the two"]],
    },
    {
      rule: "where a limiter without keys gets a bound on them",
      current: { maxConcurrent: 1 },
      fields: { maxKeys: 5 },
      violations: [["limiter", "max_keys needs keyed: true"]],
    },
  ])("$rule", ({ current, fields, paths, violations }) => {
    const reading = update(limiterOf(current), fields, paths);
    expect(reading.kind).toBe("invalid");
    const found = reading.kind === "invalid" ? reading.violations : [];
    expect(found.map(({ field, description }) => [field, description])).toEqual(violations);
  });
});

describe("an update mask", () => {
  it("of JSON is written in lowerCamelCase, and read as the proto's names", () => {
    const request = fromJson(UpdateLimiterRequestSchema, {
      limiter: { name: "db", maxConcurrent: 5, maxWaiters: 7 },
      updateMask: "maxConcurrent,maxWaiters",
    });
    const limiter = request.limiter ?? create(LimiterSchema);
    expect(applyUpdate(limiterOf({ maxConcurrent: 1 }), limiter, request.updateMask?.paths ?? [])).toEqual({
      kind: "valid",
      config: limiterOf({ maxConcurrent: 5, maxWaiters: 7 }),
    });
  });

  it("of all fields makes the limiter what the message says, whatever it was", () => {
    const all = LimiterSchema.fields.slice(0, 15).map(({ name }) => name);
    fc.assert(
      fc.property(validLimiter, validLimiter, (before, after) => {
        const current = limiterConfig(before);
        if (current.kind === "invalid") throw new Error("the arbitrary is wrong");
        after.name = before.name;
        after.keyed = before.keyed;
        if (!after.keyed) after.maxKeys = undefined;
        expect(applyUpdate(current.config, after, all)).toEqual(limiterConfig(after));
      }),
    );
  });
});
