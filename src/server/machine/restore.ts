/** Taking up again after a restart: what was held is held on, and the rest is free at once. */

import type { Outcomes } from "./command.ts";
import { startClock } from "./grant.ts";
import { closeIfIdle, openInstance } from "./instances.ts";
import { DETACHED, type HeldClaim, heldLimiters, type Lease, ORPHANED } from "./lease.ts";
import { canEverFit, createInstance, createLimiter, type Instance, type Limiter, type Waiter } from "./limiter.ts";
import { enqueue, stepAside, unsettle } from "./queue.ts";
import type { LeaseRecord, LimiterRecord, Records, WaiterRecord } from "./record.ts";
import { Slots } from "./slots.ts";
import type { State } from "./state.ts";

/** Ttls run for up to this share longer, each lease another, so that they do not all run out in one step. */
const SPREAD = 0.2;
/** µs in which a lease that is adopted is taken up. */
const ADOPTION = 10_000_000;

/** Instants in the records count from the machine's own zero. */
export function restore(state: State, records: Records): void {
  for (const record of records.limiters) restoreLimiter(state, record);
  for (const { limiter: name, key, level } of records.buckets) {
    const limiter = state.limiters.get(name);
    if (limiter?.config.rate === undefined) continue;
    const { bucket } = openInstance(state, limiter, key);
    // Whatever came in while nobody was there to count it is not given away.
    bucket.level = Math.min(level, limiter.config.rate.capacity);
  }
  const leases = records.leases
    .filter((record) => survives(state, record, records.adopted))
    .sort((a, b) => a.serial - b.serial);
  for (const [index, record] of leases.entries()) restoreLease(state, record, 1 + (SPREAD * index) / leases.length);
  const waiters = records.waiters.filter((record) => waitsOn(state, record)).sort((a, b) => a.arrival - b.arrival);
  for (const record of waiters) restoreWaiter(state, record);
  for (const { requestId, call, asked, end, grant } of records.pastRequests) {
    if (end !== undefined) state.pastRequests.set(requestId, { kind: "ended", call, asked, end }, state.now);
    else if (grant?.claims.every(({ limiter }) => state.limiters.has(limiter))) {
      const lease = toLease(state, grant);
      state.pastRequests.set(requestId, { kind: "spent", call, asked, lease }, state.now);
    }
  }
  for (const limiter of state.limiters.values()) {
    for (const instance of limiter.instances.values()) closeIfIdle(state, instance);
  }
}

/** Everybody who was there before the start has had time to come back. */
export function endLearning(state: State): Outcomes["end-learning"] {
  state.learning = false;
  for (const limiter of state.limiters.values()) {
    for (const instance of limiter.instances.values()) unsettle(state, instance);
  }
  return { kind: "done" };
}

function restoreLimiter(state: State, record: LimiterRecord): void {
  const { config, declaration } = record;
  const limiter: Limiter = {
    ...createLimiter({ config, declaration, fencingToken: state.fencingEpoch + state.now }, state.now),
    createdAt: Math.min(record.createdAt, state.now),
    updatedAt: Math.min(record.updatedAt, state.now),
    revision: record.revision,
    deleting: record.deleting,
  };
  if (!config.keyed) limiter.instances.set("", createInstance(limiter, "", state.now));
  state.limiters.set(config.name, limiter);
}

/** A lease that was to end with its stream has ended; one without its limiters has nothing to hold. */
function survives(state: State, record: LeaseRecord, adopted: ReadonlySet<string>): boolean {
  return (
    (record.ttl > 0 || adopted.has(record.id)) && record.claims.every(({ limiter }) => state.limiters.has(limiter))
  );
}

function restoreLease(state: State, record: LeaseRecord, stretch: number): void {
  const lease = toLease(state, record);
  for (const { instance, permits, slots } of lease.claims) {
    instance.permitsInUse += permits;
    instance.limiter.permitsInUse += permits;
    if (slots.length > 0) {
      instance.slots ??= new Slots();
      instance.slots.takeThese(slots);
    }
  }
  state.leases.set(lease.id, lease);
  state.serial = Math.max(state.serial, lease.serial);
  if (lease.requestId !== "") state.requests.set(lease.requestId, lease);
  for (const limiter of heldLimiters(lease)) {
    limiter.leases += 1;
    if (lease.attachment.kind === "orphaned") limiter.orphanedLeases += 1;
  }
  startClock(state, lease);
  state.deadlines.set(lease, state.now + (lease.ttl === 0 ? ADOPTION : Math.ceil(lease.ttl * stretch)));
}

function toLease(state: State, record: LeaseRecord): Lease {
  const { claims, detached, revoked, grantedAt, ...rest } = record;
  return {
    kind: "lease",
    ...rest,
    claims: claims.map(({ limiter, key, ...held }): HeldClaim => {
      return { ...held, instance: openInstance(state, state.limiters.get(limiter) as Limiter, key) };
    }),
    grantedAt: Math.min(grantedAt, state.now),
    attachment: detached ? DETACHED : ORPHANED,
    revokedAt: revoked ? state.now : undefined,
    dueAt: 0,
    heapIndex: -1,
  };
}

function waitsOn(state: State, { requestId, ttl, claims, deadline }: WaiterRecord): boolean {
  const inTime = deadline === undefined || deadline > state.now;
  return (
    requestId !== "" &&
    ttl > 0 &&
    inTime &&
    claims.every(({ limiter: name, permits, tokens }) => {
      const limiter = state.limiters.get(name);
      return limiter !== undefined && !limiter.deleting && canEverFit(limiter, permits, tokens);
    })
  );
}

/** It is away, and has its place until its ttl is over. */
function restoreWaiter(state: State, record: WaiterRecord): void {
  const { arrival: _, arrivedAt, deadline = Number.POSITIVE_INFINITY, ...rest } = record;
  const instances = rest.claims.map((claim): Instance => {
    return openInstance(state, state.limiters.get(claim.limiter) as Limiter, claim.key);
  });
  const waiter: Waiter = {
    kind: "waiter",
    ...rest,
    places: [],
    arrivedAt: Math.min(arrivedAt, state.now),
    deadline,
    stream: undefined,
    probed: false,
    toldAhead: 0,
    stretch: undefined,
    dueAt: 0,
    heapIndex: -1,
  };
  enqueue(state, waiter, instances);
  stepAside(state, waiter, Math.min(deadline, state.now + waiter.ttl));
}
