/** Limiters: what an operator decides about one, and what is shown of it. */

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import {
  type Limiter,
  LimiterSchema,
  LimiterState,
  LimiterStatusSchema,
  type RefusalCount,
  RefusalCountSchema,
  type LimiterStatus as WireStatus,
} from "../gen/ggen/backpressure/v1/limiter_pb.ts";
import { LIMITER_DEFAULTS, type LimiterConfig } from "../machine/limiter/limiter.ts";
import { defaultBurst, toMaxRps } from "../machine/limiter/rate.ts";
import type { LimiterStatus, LimiterView } from "../machine/limiter/view.ts";
import type { FieldViolation } from "./error-wire.ts";
import { obstacleToWire, reasonToWire } from "./lease-wire.ts";
import { rateMessage, readRate } from "./rate-wire.ts";
import { durationToMicros, microsToDuration, msToTimestamp, optionalDuration } from "./time-wire.ts";

/** What a message says about a limiter, or why it says nothing sensible. */
export type LimiterReading =
  | { readonly kind: "valid"; readonly config: LimiterConfig }
  | { readonly kind: "invalid"; readonly violations: readonly FieldViolation[] };

/** Fields of a limiter's message that say how it stands: no request sets them. */
type OutputField = "etag" | "declared" | "state" | "createTime" | "updateTime" | "status";

/** The other fields; one that the contract gains is asked for wherever this type stands. */
type SaidFields = {
  [K in Exclude<keyof LimiterInit, OutputField | "$typeName" | "$unknown">]: LimiterInit[K] | undefined;
};
type LimiterInit = Exclude<MessageInitShape<typeof LimiterSchema>, Limiter>;

/**
 * The configuration that a message stands for, every default filled in; it has passed the contract's rules. `field` is
 * where the message stands in what was sent.
 */
export function limiterConfig(message: Limiter, field = "limiter"): LimiterReading {
  const reading = readRate(message, field);
  if (reading.kind === "invalid") return reading;
  const { rate } = reading;
  const saidMaxTtl = optionalMicros(message.maxTtl);
  const ttl = optionalMicros(message.ttl) ?? defaultTtl(saidMaxTtl);
  const config: LimiterConfig = {
    name: message.name,
    description: message.description,
    rate,
    maxConcurrent: message.maxConcurrent,
    keyed: message.keyed,
    maxKeys: message.maxKeys ?? LIMITER_DEFAULTS.maxKeys,
    maxWaiters: message.maxWaiters ?? LIMITER_DEFAULTS.maxWaiters,
    maxWait: optionalMicros(message.maxWait),
    refuseLongWaits: message.refuseLongWaits,
    ttl,
    maxTtl: saidMaxTtl ?? defaultMaxTtl(ttl),
    trustCancel: message.trustCancel ?? LIMITER_DEFAULTS.trustCancel,
    paused: message.paused,
  };
  return { kind: "valid", config };
}

/** A limiter as any client may see it: all that is in force, defaults included, and what goes on in it. */
export function limiterMessage(view: LimiterView): Limiter {
  return create(LimiterSchema, {
    ...limiterFields(view.config),
    etag: String(view.revision),
    declared: view.declared,
    state: view.deleting ? LimiterState.DELETING : LimiterState.ACTIVE,
    createTime: msToTimestamp(view.createdAt),
    updateTime: msToTimestamp(view.updatedAt),
    status: statusMessage(view.status),
  });
}

/** The fields of a limiter's message, defaults included, without those for output. */
export function limiterFields(config: LimiterConfig): SaidFields {
  return {
    ...saidFields(config),
    maxRps: config.rate && toMaxRps(config.rate.stated),
    burstSize: config.rate?.capacity,
    maxKeys: config.keyed ? config.maxKeys : undefined,
    maxWaiters: config.maxWaiters,
    ttl: microsToDuration(config.ttl),
    maxTtl: microsToDuration(config.maxTtl),
    trustCancel: config.trustCancel,
  };
}

/**
 * The fields of a limiter's message without those that say what would be so without them: a value that is the default,
 * given the other values, counts as never said, so that it follows them when they change.
 */
export function saidFields(config: LimiterConfig): SaidFields {
  const { rate, keyed, maxKeys, maxWaiters, maxWait, ttl, maxTtl, trustCancel } = config;
  return {
    name: config.name,
    description: config.description,
    maxRps: rate?.stated.kind === "per-second" ? rate.stated.maxRps : undefined,
    rate: rate?.stated.kind === "amount" ? rateMessage(rate.stated) : undefined,
    burstSize: rate === undefined || rate.capacity === defaultBurst(rate.stated) ? undefined : rate.capacity,
    maxConcurrent: config.maxConcurrent,
    keyed,
    maxKeys: keyed && maxKeys !== LIMITER_DEFAULTS.maxKeys ? maxKeys : undefined,
    maxWaiters: maxWaiters === LIMITER_DEFAULTS.maxWaiters ? undefined : maxWaiters,
    maxWait: maxWait === undefined ? undefined : microsToDuration(maxWait),
    refuseLongWaits: config.refuseLongWaits,
    ttl: ttl === defaultTtl(maxTtl) ? undefined : microsToDuration(ttl),
    maxTtl: maxTtl === defaultMaxTtl(ttl) ? undefined : microsToDuration(maxTtl),
    trustCancel: trustCancel === LIMITER_DEFAULTS.trustCancel ? undefined : trustCancel,
    paused: config.paused,
  };
}

/** Refusals by reason, in the order of the reasons' numbers. */
export function refusalCounts(refusals: LimiterStatus["refusals"]): RefusalCount[] {
  const counts = new Map<RefusalCount["reason"], number>();
  for (const [reason, count] of refusals) {
    // Some reasons of the machine travel under one name.
    const wire = reasonToWire(reason);
    counts.set(wire, (counts.get(wire) ?? 0) + count);
  }
  return [...counts]
    .sort(([a], [b]) => a - b)
    .map(([reason, count]) => create(RefusalCountSchema, { reason, count: BigInt(count) }));
}

function statusMessage(status: LimiterStatus): WireStatus {
  return create(LimiterStatusSchema, {
    permitsInUse: BigInt(status.permitsInUse),
    permitsLimit: BigInt(status.permitsLimit),
    waiters: BigInt(status.waiters),
    tokensAvailable: status.tokensAvailable ?? 0,
    leases: BigInt(status.leases),
    orphanedLeases: BigInt(status.orphanedLeases),
    keys: BigInt(status.keys),
    arrivalRate: status.arrivalRate,
    admissionRate: status.admissionRate,
    completionRate: status.completionRate,
    meanHoldTime: optionalDuration(status.meanHoldTime),
    waitTimeP50: optionalDuration(status.waitTimeP50),
    waitTimeP99: optionalDuration(status.waitTimeP99),
    grantedCount: BigInt(status.granted),
    refusals: refusalCounts(status.refusals),
    overloadedCount: BigInt(status.overloaded),
    oldestWait: optionalDuration(status.oldestWait),
    sinceLastGrant: optionalDuration(status.sinceLastGrant),
    refusalRate: status.refusalRate,
    obstacles: status.obstacles.map(obstacleToWire),
  });
}

/** µs; never above the longest ttl, where only that was said. */
function defaultTtl(maxTtl: number | undefined): number {
  return Math.min(LIMITER_DEFAULTS.ttl, maxTtl ?? LIMITER_DEFAULTS.ttl);
}

/** µs. */
function defaultMaxTtl(ttl: number): number {
  return Math.max(LIMITER_DEFAULTS.maxTtl, ttl);
}

function optionalMicros(duration: Duration | undefined): number | undefined {
  return duration && durationToMicros(duration);
}
