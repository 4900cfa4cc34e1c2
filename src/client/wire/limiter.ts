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
import { obstacleFromWire } from "./obstacle.ts";
import { reasonFromWire } from "./reason.ts";
import { durationToMs, microsToDuration, msToDuration, timestampToDate } from "./time.ts";

type LimiterInit = Exclude<MessageInitShape<typeof LimiterSchema>, WireLimiter>;

type OutputField = "etag" | "declared" | "state" | "createTime" | "updateTime" | "status";
/** What the contract lets one choose of a limiter after it has been made. */
type WireSetting = Exclude<keyof LimiterInit, OutputField | "name" | "keyed" | "$typeName" | "$unknown">;

interface Setting<K extends WireSetting & keyof LimiterSettings> {
  /** Its name in a field mask. */
  readonly path: string;
  fromWire(wire: WireLimiter): Limiter[K];
  toWire(value: NonNullable<LimiterSettings[K]>): LimiterInit[K];
}

/** All settings: one that the contract or the client's types gain has its row here, or this does not compile. */
const SETTINGS: { readonly [K in WireSetting | keyof LimiterSettings]: Setting<K> } = {
  description: asItIs("description", ({ description }) => description),
  maxRps: asItIs("max_rps", ({ maxRps }) => maxRps),
  rate: { path: "rate", fromWire: ({ rate }) => rateFromWire(rate), toWire: rateToWire },
  burstSize: asItIs("burst_size", ({ burstSize }) => burstSize),
  maxConcurrent: asItIs("max_concurrent", ({ maxConcurrent }) => maxConcurrent),
  maxKeys: asItIs("max_keys", ({ maxKeys }) => maxKeys),
  maxWaiters: asItIs("max_waiters", ({ maxWaiters }) => maxWaiters),
  maxWait: inMs("max_wait", "maxWait"),
  refuseLongWaits: asItIs("refuse_long_waits", ({ refuseLongWaits }) => refuseLongWaits),
  ttl: inMs("ttl", "ttl"),
  maxTtl: inMs("max_ttl", "maxTtl"),
  trustCancel: asItIs("trust_cancel", ({ trustCancel }) => trustCancel),
  paused: asItIs("paused", ({ paused }) => paused),
};

function asItIs<T>(path: string, fromWire: (wire: WireLimiter) => T) {
  return { path, fromWire, toWire: (value: NonNullable<T>) => value };
}

function inMs(path: string, field: "maxWait" | "ttl" | "maxTtl") {
  return {
    path,
    fromWire: ({ [field]: duration }: WireLimiter) => duration && durationToMs(duration),
    toWire: (ms: number) => msToDuration(ms, field),
  };
}

export function limiterFromWire(wire: WireLimiter | undefined): Limiter {
  if (wire === undefined) throw new TypeError("the server answered without a limiter");
  return {
    name: wire.name,
    ...settingsFromWire(wire),
    keyed: wire.keyed,
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
  const given = Object.entries(changes).filter(([, value]) => value !== undefined);
  const paths = given.map(([name]) => {
    if (!isSetting(name)) throw new TypeError(`${name} is no setting of a limiter that can be changed`);
    return SETTINGS[name].path;
  });
  return { limiter: settingsToWire(Object.fromEntries(given.filter(([, value]) => value !== null))), paths };
}

function settingsFromWire(wire: WireLimiter): Pick<Limiter, WireSetting> {
  const read = Object.entries(SETTINGS).map(([name, { fromWire }]) => [name, fromWire(wire)]);
  // Each row gives the type of its own field.
  return Object.fromEntries(read) as Pick<Limiter, WireSetting>;
}

function settingsToWire(settings: LimiterSettings): LimiterInit {
  const said = Object.entries(settings).filter(([name, value]) => isSetting(name) && value !== undefined);
  return Object.fromEntries(said.map(([name, value]) => [name, toWire(name as WireSetting, value)]));
}

function toWire<K extends WireSetting>(name: K, value: NonNullable<LimiterSettings[K]>): LimiterInit[K] {
  return SETTINGS[name].toWire(value);
}

function isSetting(name: string): name is WireSetting {
  return Object.hasOwn(SETTINGS, name);
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
    oldestWaitMs: wire?.oldestWait && durationToMs(wire.oldestWait),
    sinceLastGrantMs: wire?.sinceLastGrant && durationToMs(wire.sinceLastGrant),
    refusalRate: wire?.refusalRate ?? 0,
    obstacles: wire?.obstacles.map(obstacleFromWire) ?? [],
  };
}
