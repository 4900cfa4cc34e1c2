/** Limiters: protobuf to what the client shows, and what callers choose back. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Limiter, LimiterChanges, LimiterConfig, LimiterSettings, LimiterStatus } from "../api/limiter.ts";
import { type RateAmount, type RateInput, readRateInput } from "../api/rate.ts";
import type { Reason } from "../api/reasons.ts";
import {
  type LimiterSchema,
  LimiterState,
  type Limiter as WireLimiter,
  type LimiterStatus as WireStatus,
} from "../gen/ggen/backpressure/v1/limiter_pb.ts";
import { reasonFromWire } from "./reason.ts";
import { durationToMs, microsToDuration, msToDuration, timestampToDate } from "./time.ts";

type LimiterInit = Exclude<MessageInitShape<typeof LimiterSchema>, WireLimiter>;

/** The names of the settings in a field mask. */
const PATHS: Record<keyof LimiterSettings, string> = {
  description: "description",
  maxRps: "max_rps",
  rate: "rate",
  burstSize: "burst_size",
  maxConcurrent: "max_concurrent",
  maxKeys: "max_keys",
  maxWaiters: "max_waiters",
  maxWait: "max_wait",
  refuseLongWaits: "refuse_long_waits",
  ttl: "ttl",
  maxTtl: "max_ttl",
  trustCancel: "trust_cancel",
  paused: "paused",
};

export function limiterFromWire(wire: WireLimiter | undefined): Limiter {
  if (wire === undefined) throw new TypeError("the server answered without a limiter");
  return {
    name: wire.name,
    description: wire.description,
    maxRps: wire.maxRps,
    rate: rateFromWire(wire.rate),
    burstSize: wire.burstSize,
    maxConcurrent: wire.maxConcurrent,
    keyed: wire.keyed,
    maxKeys: wire.maxKeys,
    maxWaiters: wire.maxWaiters,
    maxWait: wire.maxWait && durationToMs(wire.maxWait),
    refuseLongWaits: wire.refuseLongWaits,
    ttl: wire.ttl && durationToMs(wire.ttl),
    maxTtl: wire.maxTtl && durationToMs(wire.maxTtl),
    trustCancel: wire.trustCancel,
    paused: wire.paused,
    etag: wire.etag,
    declared: wire.declared,
    state: wire.state === LimiterState.DELETING ? "deleting" : "active",
    createTime: wire.createTime && timestampToDate(wire.createTime),
    updateTime: wire.updateTime && timestampToDate(wire.updateTime),
    status: statusFromWire(wire.status),
  };
}

export function configToWire({ name, keyed, ...settings }: LimiterConfig): LimiterInit {
  return { name, keyed, ...settingsToWire(settings) };
}

/** The values and the mask that say what to change: `null` is in the mask alone. */
export function changesToWire(changes: LimiterChanges): { readonly limiter: LimiterInit; readonly paths: string[] } {
  const given = Object.entries(changes).filter(([, value]) => value !== undefined) as [
    keyof LimiterSettings,
    unknown,
  ][];
  const values: LimiterSettings = Object.fromEntries(given.filter(([, value]) => value !== null));
  const paths = given.map(([name]) => {
    const path = Object.hasOwn(PATHS, name) ? PATHS[name] : undefined;
    if (path === undefined) throw new TypeError(`${name} is no setting of a limiter that can be changed`);
    return path;
  });
  return { limiter: settingsToWire(values), paths };
}

function settingsToWire({ rate, maxWait, ttl, maxTtl, ...others }: LimiterSettings): LimiterInit {
  return {
    ...others,
    rate: rate === undefined ? undefined : rateToWire(rate),
    maxWait: maxWait === undefined ? undefined : msToDuration(maxWait, "maxWait"),
    ttl: ttl === undefined ? undefined : msToDuration(ttl, "ttl"),
    maxTtl: maxTtl === undefined ? undefined : msToDuration(maxTtl, "maxTtl"),
  };
}

function rateFromWire(wire: WireLimiter["rate"]): RateAmount | undefined {
  return wire && { tokens: wire.tokens, per: wire.per === undefined ? 0 : durationToMs(wire.per) };
}

function rateToWire(rate: RateInput): LimiterInit["rate"] {
  try {
    const { tokens, perMicros } = readRateInput(rate);
    return { tokens, per: microsToDuration(perMicros) };
  } catch (error) {
    throw new RangeError(`rate ${(error as Error).message}; it is ${JSON.stringify(rate)}`);
  }
}

/** Counts are numbers here: none of them reaches 2^53. */
function statusFromWire(wire: WireStatus | undefined): LimiterStatus {
  const refusals: Partial<Record<Reason, number>> = {};
  for (const { reason, count } of wire?.refusals ?? []) {
    const name = reasonFromWire(reason);
    refusals[name] = (refusals[name] ?? 0) + Number(count);
  }
  return {
    permitsInUse: Number(wire?.permitsInUse ?? 0),
    permitsLimit: Number(wire?.permitsLimit ?? 0),
    waiters: Number(wire?.waiters ?? 0),
    tokensAvailable: wire?.tokensAvailable ?? 0,
    leases: Number(wire?.leases ?? 0),
    orphanedLeases: Number(wire?.orphanedLeases ?? 0),
    keys: Number(wire?.keys ?? 0),
    arrivalRate: wire?.arrivalRate ?? 0,
    admissionRate: wire?.admissionRate ?? 0,
    completionRate: wire?.completionRate ?? 0,
    meanHoldTimeMs: wire?.meanHoldTime && durationToMs(wire.meanHoldTime),
    waitTimeP50Ms: wire?.waitTimeP50 && durationToMs(wire.waitTimeP50),
    waitTimeP99Ms: wire?.waitTimeP99 && durationToMs(wire.waitTimeP99),
    grantedCount: Number(wire?.grantedCount ?? 0),
    refusals,
    overloadedCount: Number(wire?.overloadedCount ?? 0),
  };
}
