/** Looking at the machine: copies for people and pages, none of which changes what it decides. */

import { bytesOf, type Page, takePage } from "../page.ts";
import type { WallTime } from "../wall-time.ts";
import { missingOf, obstaclesOf } from "./claim-targets.ts";
import { refilled } from "./earlier-rates.ts";
import { estimateOf, survey, waitersAhead } from "./estimate.ts";
import type { Flow } from "./flow.ts";
import type { Lease } from "./lease.ts";
import type { Instance, Limiter, Place, Waiter } from "./limiter.ts";
import type { State } from "./state.ts";
import { levelOf } from "./token-bucket.ts";
import { type LeaseView, type LimiterStatus, type LimiterView, viewLease, type WaiterView } from "./view.ts";

export interface Filter {
  /** Empty: any. */
  readonly limiter: string;
  /** Empty: any. */
  readonly key: string;
  /** `next` of the page before; empty: from the start. */
  readonly after: string;
  readonly limit: number;
}

/** Bytes that these take in a message at most, without their texts. */
const LIMITER_BYTES = 1_500;
/** Bytes of what is in the way of a limiter's oldest waiter: of 8 claims on limiters and keys of the longest names. */
const OBSTACLES_BYTES = 3_600;
const ITEM_BYTES = 300;
const CLAIM_BYTES = 64;
const SLOT_BYTES = 5;

/** One limiter; with a key, the status is that of the key alone. */
export function viewLimiter(state: State, limiter: Limiter, wallTime: WallTime, key = ""): LimiterView {
  return {
    config: limiter.config,
    declared: limiter.declaration !== undefined,
    declaration: limiter.declaration,
    deleting: limiter.deleting,
    revision: limiter.revision,
    createdAt: wallTime(limiter.createdAt),
    updatedAt: wallTime(limiter.updatedAt),
    status: statusOf(state, limiter, key),
  };
}

/** Limiters by name, those after `after`. */
export function pageLimiters(
  state: State,
  query: { readonly after: string; readonly limit: number },
  wallTime: WallTime,
): Page<LimiterView> {
  return takePage(state.limiterNames.after(query.after), {
    limit: query.limit,
    view: (name) => viewLimiter(state, limiterOf(state, name), wallTime),
    bytes: (name) => {
      const { config, waiters } = limiterOf(state, name);
      return LIMITER_BYTES + (waiters > 0 ? OBSTACLES_BYTES : 0) + bytesOf(name, config.description);
    },
    token: (name) => name,
  });
}

function limiterOf(state: State, name: string): Limiter {
  return state.limiters.get(name) as Limiter;
}

/**
 * Whether no figure of a limiter changes by itself any more: rates have faded, times are forgotten, its bucket is full, and
 * no key is left that will be forgotten.
 */
export function isStill({ now }: State, { config, statistics, instances, idle }: Limiter): boolean {
  const { flow, refused } = statistics;
  if (idle.size > 0) return false;
  if (flow !== undefined && !hasFaded(flow, now)) return false;
  if (refused !== undefined && !refused.hasFaded(now)) return false;
  const { rate, keyed } = config;
  if (rate === undefined || keyed) return true;
  return refilled(instances.get("") as Instance, rate, now).tokens >= rate.capacity;
}

function hasFaded({ arrivals, grants, completions, holds, waits }: Flow, now: number): boolean {
  if (![arrivals, grants, completions].every((meter) => meter.hasFaded(now))) return false;
  return holds.count(now) + waits.count(now) === 0;
}

/** Leases in the order of their grants. */
export function pageLeases(state: State, filter: Filter, wallTime: WallTime): Page<LeaseView> {
  return takePage(leasesAfter(state, filter), {
    limit: filter.limit,
    view: (lease) => viewLease(lease, wallTime),
    bytes: ({ holder, caller, claims }) => {
      const held = claims.map(({ instance: { limiter, key }, slots }) => {
        return CLAIM_BYTES + bytesOf(limiter.config.name, key) + SLOT_BYTES * slots.length;
      });
      return ITEM_BYTES + bytesOf(holder, caller) + sum(held);
    },
    token: ({ serial }) => String(serial),
  });
}

function* leasesAfter(state: State, filter: Filter): Generator<Lease> {
  const after = serialOf(filter.after);
  for (const lease of state.leases.values()) if (lease.serial > after && holds(lease, filter)) yield lease;
}

/** Waiters in the order of their arrival. */
export function pageWaiters(state: State, filter: Filter, wallTime: WallTime): Page<WaiterView> {
  const limiter = state.limiters.get(filter.limiter);
  for (const instance of limiter?.queued ?? []) survey(instance);
  return takePage(waitersAfter(state, filter), {
    limit: filter.limit,
    view: (waiter) => viewWaiter(state, waiter, state.now, wallTime),
    bytes: ({ holder, caller, claims }) => {
      const asked = claims.map((claim) => CLAIM_BYTES + bytesOf(claim.limiter, claim.key));
      // Each claim may have an obstacle beside it.
      return ITEM_BYTES + bytesOf(holder, caller) + 2 * sum(asked);
    },
    token: (waiter) => String(arrivalOf(waiter)),
  });
}

function* waitersAfter(state: State, filter: Filter): Generator<Waiter> {
  const after = serialOf(filter.after);
  // The map is in the order of arrival.
  for (const waiter of state.waiters.values()) if (arrivalOf(waiter) > after && asks(waiter, filter)) yield waiter;
}

function arrivalOf(waiter: Waiter): number {
  return waiter.places[0]?.arrival ?? 0;
}

/** A waiter with its place as last surveyed, and what that lets expect as of `now`. */
export function viewWaiter(state: State, waiter: Waiter, now: number, wallTime: WallTime): WaiterView {
  return {
    id: waiter.id,
    claims: waiter.claims,
    holder: waiter.holder,
    caller: waiter.caller,
    waitersAhead: waitersAhead(waiter),
    estimatedWait: estimateOf(waiter, now),
    missing: missingOf(state, waiter),
    obstacles: obstaclesOf(state, waiter),
    away: waiter.places.some(({ present }) => !present),
    arrivedAt: wallTime(waiter.arrivedAt),
    deadline: waiter.deadline === Number.POSITIVE_INFINITY ? undefined : wallTime(waiter.deadline),
  };
}

/**
 * Surveys the queues that have moved, and names the waiters whose place is nearer by a tenth or more than when their
 * streams last heard: word of every step would cost a long queue more than the grants do.
 */
export function takeMoved(state: State): Waiter[] {
  const moved: Waiter[] = [];
  for (const instance of state.moved.splice(0)) {
    instance.queueMoved = false;
    survey(instance);
    for (const { waiter } of instance.queue.present()) {
      const ahead = waitersAhead(waiter);
      if (ahead > waiter.sentAhead * 0.9 || ahead === waiter.sentAhead) continue;
      waiter.sentAhead = ahead;
      moved.push(waiter);
    }
  }
  return moved;
}

function statusOf(state: State, limiter: Limiter, key: string): LimiterStatus {
  const { now } = state;
  const { statistics, config } = limiter;
  const { flow } = statistics;
  const one = key === "" && config.keyed ? undefined : limiter.instances.get(key);
  const ofKey = key !== "" ? (one ?? UNUSED) : undefined;
  const oldest = key === "" ? oldestOf(limiter) : one?.queue.first;
  // Of several keys one is meant: another's grants serve no waiter of it.
  const isOfOneKey = config.keyed && (key !== "" || oldest !== undefined);
  const grantedAt = (oldest?.instance ?? one)?.holders?.lastGrantAt;
  const lastGrantAt = isOfOneKey ? grantedAt : (flow?.lastGrantAt ?? grantedAt);
  return {
    permitsInUse: ofKey?.permitsInUse ?? limiter.permitsInUse,
    permitsLimit: key === "" ? permitsLimitOf(limiter) : (config.maxConcurrent ?? 0),
    waiters: ofKey?.queue.presentCount ?? limiter.waiters,
    tokensAvailable: tokensAvailable(limiter, one, key, now),
    leases: limiter.leases,
    orphanedLeases: limiter.orphanedLeases,
    keys: config.keyed ? limiter.instances.size : 0,
    arrivalRate: flow?.arrivals.rate(now) ?? 0,
    admissionRate: flow?.grants.rate(now) ?? 0,
    completionRate: flow?.completions.rate(now) ?? 0,
    meanHoldTime: flow?.holds.mean(now),
    waitTimeP50: flow?.waits.percentile(0.5, now),
    waitTimeP99: flow?.waits.percentile(0.99, now),
    granted: flow?.grants.total ?? 0,
    refusals: statistics.refusals.size === 0 ? NO_REFUSALS : [...statistics.refusals],
    overloaded: statistics.overloaded,
    oldestWait: oldest && now - oldest.waiter.arrivedAt,
    sinceLastGrant: lastGrantAt === undefined ? undefined : now - lastGrantAt,
    refusalRate: statistics.refused?.rate(now) ?? 0,
    obstacles: oldest === undefined ? NO_OBSTACLES : obstaclesOf(state, oldest.waiter),
  };
}

const NO_OBSTACLES: LimiterStatus["obstacles"] = [];

/** Permits that there are, over all keys in use. */
function permitsLimitOf({ config, instances }: Limiter): number {
  return (config.maxConcurrent ?? 0) * (config.keyed ? instances.size : 1);
}

/** What is noted of a limiter now and then: how it stands, and what has gone through it so far. A look at it costs little. */
export interface Reading {
  readonly permitsInUse: number;
  readonly permitsLimit: number;
  readonly waiters: number;
  /** µs that the oldest waiter has waited; undefined while none waits. */
  readonly oldestWait: number | undefined;
  readonly arrivals: number;
  readonly grants: number;
  readonly completions: number;
  readonly refusals: number;
}

export function readLimiter({ now }: State, limiter: Limiter): Reading {
  const { statistics, permitsInUse, waiters } = limiter;
  const { flow, refused } = statistics;
  const oldest = waiters === 0 ? undefined : oldestOf(limiter);
  return {
    permitsInUse,
    permitsLimit: permitsLimitOf(limiter),
    waiters,
    oldestWait: oldest && now - oldest.waiter.arrivedAt,
    arrivals: flow?.arrivals.total ?? 0,
    grants: flow?.grants.total ?? 0,
    completions: flow?.completions.total ?? 0,
    refusals: refused?.total ?? 0,
  };
}

/** The place of the waiter that came first of those present: it is the first in the queue of its key. */
function oldestOf({ queued }: Limiter): Place | undefined {
  let oldest: Place | undefined;
  for (const { queue } of queued) {
    const { first } = queue;
    if (first !== undefined && (oldest === undefined || first.arrival < oldest.arrival)) oldest = first;
  }
  return oldest;
}

/** Most limiters have refused nothing, and there may be many to show at once. */
const NO_REFUSALS: LimiterStatus["refusals"] = [];

/** What a key that is not in use would show. */
const UNUSED = { permitsInUse: 0, queue: { presentCount: 0 } };

/** Tokens of a key's bucket; `one`: its instance, if it is in use. Undefined where they are not one number. */
export function tokensAvailable(
  limiter: Limiter,
  one: Instance | undefined,
  key: string,
  now: number,
): number | undefined {
  const { rate, keyed } = limiter.config;
  if (rate === undefined || (keyed && key === "")) return undefined;
  if (one === undefined) return rate.capacity;
  return levelOf(refilled(one, rate, now), rate);
}

function holds(lease: Lease, { limiter, key }: Filter): boolean {
  if (limiter === "") return true;
  return lease.claims.some(
    ({ instance, permits }) =>
      permits > 0 && instance.limiter.config.name === limiter && (key === "" || instance.key === key),
  );
}

function asks(waiter: Waiter, { limiter, key }: Filter): boolean {
  return waiter.claims.some((claim) => claim.limiter === limiter && (key === "" || claim.key === key));
}

function serialOf(token: string): number {
  return token === "" ? 0 : Number(token);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}
