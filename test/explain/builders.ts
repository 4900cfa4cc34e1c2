/** Limiters, leases and waiters as the client shows them, as far as a test says. */

import type { LeaseInfo, Limiter, LimiterStatus, Obstacle, WaiterInfo } from "../../src/client/api/limiter.ts";
import type { Sight } from "../../src/explain/sight.ts";

export const SECOND = 1_000;
export const MINUTE = 60_000;
/** When everything is read. */
export const NOW = Date.UTC(2026, 5, 1, 12);

export function limiterOf(about: Partial<Limiter> = {}, status: Partial<LimiterStatus> = {}): Limiter {
  return {
    name: "db",
    description: "",
    maxRps: undefined,
    rate: undefined,
    burstSize: undefined,
    maxConcurrent: 2,
    maxKeys: undefined,
    maxWaiters: 10_000,
    maxWait: undefined,
    refuseLongWaits: false,
    ttl: 30_000,
    maxTtl: 300_000,
    trustCancel: true,
    paused: false,
    keyed: false,
    etag: "1",
    declared: false,
    state: "active",
    createTime: undefined,
    updateTime: undefined,
    ...about,
    status: {
      permitsInUse: 0,
      permitsLimit: 2,
      waiters: 0,
      tokensAvailable: 0,
      leases: 0,
      orphanedLeases: 0,
      keys: 0,
      arrivalRate: 0,
      admissionRate: 0,
      completionRate: 0,
      meanHoldTimeMs: undefined,
      waitTimeP50Ms: undefined,
      waitTimeP99Ms: undefined,
      grantedCount: 0,
      refusals: {},
      overloadedCount: 0,
      oldestWaitMs: undefined,
      sinceLastGrantMs: undefined,
      refusalRate: 0,
      obstacles: [],
      ...status,
    },
  };
}

export function obstacleOf(limiter: string, reason: Obstacle["reason"], key = ""): Obstacle {
  return { limiter, key, reason, waitersAhead: 0 };
}

/** `heldMs`: how long it has been held. */
export function leaseOf(id: string, heldMs: number, about: Partial<LeaseInfo> = {}): LeaseInfo {
  const { limiter, key } = { limiter: "db", key: "" };
  return {
    id,
    claims: [{ limiter, key, permits: 1, tokens: 0, fencingToken: 1n, slots: [] }],
    holder: `holder of ${id}`,
    caller: "",
    grantTime: new Date(NOW - heldMs),
    ttlMs: 30_000,
    state: "attached",
    expireTime: undefined,
    revoking: false,
    ...about,
  };
}

export function waiterOf(id: string, about: Partial<WaiterInfo> = {}): WaiterInfo {
  return {
    id,
    claims: [{ limiter: "db", key: "", permits: 1, tokens: 1, slots: false }],
    holder: `holder of ${id}`,
    caller: "",
    waitersAhead: 0,
    estimatedWaitMs: undefined,
    arriveTime: new Date(NOW - MINUTE),
    deadline: undefined,
    obstacles: [],
    away: false,
    ...about,
  };
}

export function sightOf(limiter: Limiter, about: Partial<Omit<Sight, "limiter">> = {}): Sight {
  return { limiter, key: "", leases: [], waiters: [], readAt: NOW, ...about };
}

/** What a queue before a concurrency limit shows: all permits in use, and waiters since so long. */
export function standing(waitMs: number, status: Partial<LimiterStatus> = {}): Partial<LimiterStatus> {
  return {
    permitsInUse: 2,
    leases: 2,
    waiters: 3,
    oldestWaitMs: waitMs,
    sinceLastGrantMs: waitMs,
    obstacles: [obstacleOf("db", "CONCURRENCY_EXHAUSTED")],
    ...status,
  };
}
