/** Taking up again after a restart: what was held is held on, and the rest is free at once. */

import { ANONYMOUS_CALLER, callerOf, countIn, keyOfCaller } from "../callers.ts";
import { DETACHED, holdIn, ORPHANED } from "../liveness.ts";
import { createSession, type Session } from "../session.ts";
import { Slots } from "../structures/slots.ts";
import { beginCatchUp } from "./chores.ts";
import type { Outcomes } from "./command.ts";
import { caughtUp, type EarlierRate } from "./earlier-rates.ts";
import { removeIfDrained } from "./ending.ts";
import { closeIfIdle, dropBucket, holdersOf, openInstance } from "./instances.ts";
import { type HeldClaim, heldLimiters, type Lease, noteRevoked } from "./lease.ts";
import {
  canEverFit,
  createInstance,
  createLimiter,
  type Instance,
  LIMITER_DEFAULTS,
  type Limiter,
  type Waiter,
} from "./limiter.ts";
import { enqueue, stepAside, unsettle } from "./queue.ts";
import type { Rate } from "./rate.ts";
import type { BucketRecord, LeaseRecord, LimiterRecord, PastRequestRecord, Records, WaiterRecord } from "./record.ts";
import { noteChange, type State } from "./state.ts";
import { type Bucket, changeRate, fullBucket } from "./token-bucket.ts";

/** Ttls run for up to this share longer, each lease another, so that they do not all run out in one step. */
const SPREAD = 0.2;
/** µs in which a lease that is adopted is taken up. */
const ADOPTION = 10_000_000;

/** µs that a lease of this ttl has at most for its holder to come back. */
export function timeAfterRestart(ttl: number): number {
  return ttl === 0 ? ADOPTION : Math.ceil(ttl * (1 + SPREAD));
}

/**
 * Instants in the records count from the machine's own zero. What is not taken up, or not as it was kept, is among the
 * state's changes; records of a damaged store may contradict one another, and are then taken up as far as they fit.
 */
export function restore(state: State, records: Records): void {
  state.restoredAt = state.now;
  for (const record of records.limiters) restoreLimiter(state, record);
  for (const record of records.buckets) restoreBucket(state, record);
  restoreLeases(state, records);
  for (const record of [...records.waiters].sort((a, b) => a.arrival - b.arrival)) {
    if (waitsOn(state, record)) restoreWaiter(state, record);
    else noteChange(state, { kind: "record-dropped", of: "waiter", id: record.id });
  }
  for (const record of records.pastRequests) restorePastRequest(state, record);
  for (const limiter of [...state.limiters.values()]) {
    if (removeIfDrained(state, limiter)) continue;
    for (const instance of limiter.instances.values()) closeIfIdle(state, instance);
  }
}

/** Every holder from before the start has had time to come back. */
export function endLearning(state: State): Outcomes["end-learning"] {
  state.learning = false;
  unsettleAll(state);
  return { kind: "done" };
}

/** Grants nothing any more, as while learning; what is held can be renewed, resumed and released. */
export function stopGranting(state: State): Outcomes["stop-granting"] {
  state.learning = true;
  unsettleAll(state);
  return { kind: "done" };
}

function unsettleAll(state: State): void {
  for (const limiter of state.limiters.values()) {
    for (const instance of limiter.queued) unsettle(state, instance);
  }
}

function restoreLimiter(state: State, record: LimiterRecord): void {
  const { config, declaration, earlierRates = [] } = record;
  const limiter: Limiter = {
    ...createLimiter({ config, declaration, fencingToken: state.fencingEpoch + state.now }, state.now),
    createdAt: Math.min(record.createdAt, state.now),
    updatedAt: Math.min(record.updatedAt, state.now),
    bornAt: record.bornAt ?? Number.NEGATIVE_INFINITY,
    revision: record.revision,
    rateChanges: earlierRates.length,
    earlierRates: [...earlierRates],
    deleting: record.deleting,
  };
  if (!config.keyed) limiter.instances.set("", untouched(state, limiter));
  state.limiters.set(config.name, limiter);
  state.limiterNames.add(config.name);
  if (declaration !== undefined) state.declaredLimiters += 1;
  if (earlierRates.length > 0) beginCatchUp(state, limiter);
}

/** The one instance of a limiter without keys, if nothing is kept of its bucket: it was full under the first of its rates. */
function untouched(state: State, limiter: Limiter): Instance {
  const instance = createInstance(limiter, "", state.now);
  const [first] = limiter.earlierRates;
  if (first === undefined) return instance;
  Object.assign(instance.bucket, fullBucket(first.rate, first.until));
  instance.rateChanges = 0;
  return instance;
}

/** What came in while the server ran is there; what would have come in while it was down is not. */
function restoreBucket(state: State, record: BucketRecord): void {
  const { limiter: name, key, tokens, parts, at = state.now } = record;
  const limiter = state.limiters.get(name);
  const isOwn = limiter?.config.rate !== undefined && limiter.config.keyed === (key !== "") && at >= limiter.bornAt;
  if (!isOwn) {
    noteChange(state, { kind: "bucket-dropped", limiter: name, key });
    return;
  }
  const instance = openInstance(state, limiter, key);
  const rateChanges = rateChangesSeen(record, limiter, at);
  const [gain, unit] = record.rate;
  // A change of the rate writes all buckets again but those that are full. After a loss of records that is not certain.
  if (rateChanges === undefined && gain > 0 && !state.learning) {
    dropBucket(state, instance);
    return;
  }
  instance.bucket.tokens = tokens;
  instance.bucket.parts = parts;
  if (rateChanges === undefined) {
    // It goes on under the first of the rates that are known, and then through their changes.
    const [first] = limiter.earlierRates;
    changeRate(instance.bucket, { unit }, first?.rate ?? (limiter.config.rate as Rate));
    if (first?.rate !== undefined) instance.bucket.at = Math.min(first.until, state.now);
    instance.rateChanges = first?.rate === undefined ? limiter.rateChanges : 0;
    noteChange(state, { kind: "tokens-spent", instance });
    return;
  }
  instance.bucket.at = Math.min(at, state.now);
  instance.rateChanges = rateChanges;
}

/**
 * How many changes of its limiter's rate a bucket had been through when it was kept; undefined: it is of none of these rates.
 * Where that is not certain, since several changes came within a µs, it is what leaves it the least.
 */
function rateChangesSeen(record: BucketRecord, limiter: Limiter, at: number): number | undefined {
  const { tokens, parts, rate } = record;
  const [gain, unit, capacity] = rate;
  const rates: EarlierRate[] = [
    ...limiter.earlierRates,
    { rate: limiter.config.rate, until: Number.POSITIVE_INFINITY },
  ];
  let least: Bucket | undefined;
  let seen: number | undefined;
  for (const [index, { rate: other, until }] of rates.entries()) {
    const isOf = gain === other?.gain && unit === other.unit && capacity === other.capacity;
    const since = rates[index - 1]?.until ?? Number.NEGATIVE_INFINITY;
    if (!isOf || at > until || at < since) continue;
    const left = caughtUp({ limiter, bucket: { tokens, parts, at }, rateChanges: index });
    if (least !== undefined && (left.tokens - least.tokens || left.parts - least.parts) >= 0) continue;
    least = left;
    seen = index;
  }
  return seen;
}

function restoreLeases(state: State, { leases, adopted }: Records): void {
  const living = leases.filter((record) => survives(state, record, adopted)).sort((a, b) => a.serial - b.serial);
  for (const { serial } of leases) state.serial = Math.max(state.serial, serial);
  const slots = new Map<Instance, Set<number>>();
  restoreSessions(state, living);
  for (const [index, record] of living.entries()) {
    restoreLease(state, record, { stretch: 1 + (SPREAD * index) / living.length, slots });
  }
  for (const [instance, taken] of slots) {
    instance.slots = new Slots();
    instance.slots.takeThese([...taken]);
  }
  for (const { id } of leases) {
    if (!state.leases.has(id)) noteChange(state, { kind: "record-dropped", of: "lease", id });
  }
}

/** Sessions are away, each for a ttl and as long as its place among the others says. */
function restoreSessions(state: State, leases: readonly LeaseRecord[]): void {
  const found = new Map<string, { readonly caller: string; ttl: number }>();
  for (const { session, ttl, caller } of leases) {
    if (session === undefined) continue;
    const known = found.get(session);
    if (known === undefined) found.set(session, { caller: callerOf({ caller }), ttl });
    else known.ttl = Math.min(known.ttl, ttl);
  }
  let index = 0;
  for (const [id, { caller, ttl }] of found) {
    const aliveAt = state.now + Math.floor((SPREAD * ttl * index) / found.size);
    state.sessions.set(id, createSession(id, caller, aliveAt));
    index += 1;
  }
}

/** Only damage can have put what two callers have into one session: then it is the first one's, and the rest is in none. */
function sessionOf(state: State, id: string | undefined, caller: string): Session<Waiter> | undefined {
  if (id === undefined) return undefined;
  let session = state.sessions.get(id);
  if (session === undefined) {
    session = createSession(id, caller, state.now);
    state.sessions.set(id, session);
  }
  return session.caller === caller ? session : undefined;
}

/** A lease that was to end with its stream has ended; one that holds nothing of a limiter that is there is none. */
function survives(state: State, { id, ttl, claims }: LeaseRecord, adopted: ReadonlySet<string>): boolean {
  if (ttl === 0 && !adopted.has(id)) return false;
  const held = claims.filter(({ permits }) => permits > 0);
  return held.length > 0 && held.every(({ limiter }) => state.limiters.has(limiter));
}

function restoreLease(
  state: State,
  record: LeaseRecord,
  { stretch, slots: taken }: { readonly stretch: number; readonly slots: Map<Instance, Set<number>> },
): void {
  const caller = callerOf(record);
  const requestId = state.requests.has(keyOfCaller(caller, record.requestId)) ? "" : record.requestId;
  const whole = toLease(state, { ...record, requestId });
  const lease: Lease = { ...whole, claims: whole.claims.map((claim) => withFreeSlots(claim, taken)) };
  for (const { instance, permits, fencingToken } of lease.claims) {
    const { limiter } = instance;
    limiter.fencingToken = Math.max(limiter.fencingToken, fencingToken);
    instance.permitsInUse += permits;
    limiter.permitsInUse += permits;
    if (permits > 0) holdersOf(instance).add(lease.grantedAt, permits);
  }
  state.leases.set(lease.id, lease);
  countIn(state, caller, "leases");
  if (lease.requestId !== "") state.requests.set(keyOfCaller(caller, lease.requestId), lease);
  for (const limiter of heldLimiters(lease)) {
    limiter.leases += 1;
    if (lease.attachment.kind === "orphaned") limiter.orphanedLeases += 1;
  }
  const session = sessionOf(state, record.session, caller);
  if (session !== undefined) holdIn(state, lease, session, false);
  noteRevoked(lease);
  if (session !== undefined && lease.revokedAt === undefined) return;
  state.deadlines.set(lease, state.now + (lease.ttl === 0 ? ADOPTION : Math.ceil(lease.ttl * stretch)));
}

/** The claim without slots that another has, and notes those that it has. */
function withFreeSlots(claim: HeldClaim, taken: Map<Instance, Set<number>>): HeldClaim {
  if (claim.slots.length === 0) return claim;
  const others = taken.get(claim.instance) ?? new Set();
  taken.set(claim.instance, others);
  const slots = claim.slots.filter((slot) => !others.has(slot));
  for (const slot of slots) others.add(slot);
  return { ...claim, slots };
}

function toLease(state: State, record: LeaseRecord): Lease {
  const {
    claims,
    detached,
    revoked,
    grantedAt,
    caller = ANONYMOUS_CALLER,
    keepsOnCancel = false,
    session: _,
    ...rest
  } = record;
  return {
    kind: "lease",
    ...rest,
    caller,
    claims: claims.map(({ limiter: name, key, ...held }): HeldClaim => {
      return { ...held, instance: instanceOf(state, { name, key, held: held.permits > 0 }) };
    }),
    keepsOnCancel,
    grantedAt: Math.min(grantedAt, state.now),
    attachment: detached ? DETACHED : ORPHANED,
    promises: 1,
    revokedAt: revoked ? state.now : undefined,
    dueAt: 0,
    heapIndex: -1,
  };
}

/**
 * Where nothing is held any more the limiter may be gone, or another of the same name there: then only names are left. What is held
 * of a limiter that was keyed before counts against its permits; a damaged folder may have such a lease.
 */
function instanceOf(
  state: State,
  { name, key, held }: { readonly name: string; readonly key: string; readonly held: boolean },
): Instance {
  const limiter = state.limiters.get(name);
  if (held && limiter !== undefined) return openInstance(state, limiter, limiter.config.keyed ? key : "");
  return limiter?.instances.get(key) ?? createInstance(limiter ?? nameOnly(name), key, state.now);
}

function nameOnly(name: string): Limiter {
  const config = { ...LIMITER_DEFAULTS, name };
  return createLimiter({ config, declaration: undefined, fencingToken: 0 }, 0);
}

function restorePastRequest(state: State, record: PastRequestRecord): void {
  const { requestId, call, asked, end, grant, withdrawn } = record;
  const key = keyOfCaller(callerOf(record), requestId);
  if (withdrawn === true) {
    state.pastRequests.set(key, { kind: "withdrawn" }, state.now);
  } else if (end !== undefined) {
    state.pastRequests.set(key, { kind: "ended", call, asked, end }, state.now);
  } else if (grant !== undefined) {
    state.pastRequests.set(key, { kind: "spent", call, asked, lease: toLease(state, grant) }, state.now);
  }
}

function waitsOn(state: State, { id, caller, requestId, ttl, claims, deadline }: WaiterRecord): boolean {
  const inTime = deadline === undefined || deadline > state.now;
  return (
    requestId !== "" &&
    !state.requests.has(keyOfCaller(callerOf({ caller }), requestId)) &&
    !state.leases.has(id) &&
    ttl > 0 &&
    inTime &&
    claims.every(({ limiter: name, key, permits, tokens }) => {
      const limiter = state.limiters.get(name);
      if (limiter === undefined || limiter.deleting || limiter.config.keyed !== (key !== "")) return false;
      return canEverFit(limiter, permits, tokens);
    })
  );
}

/** It is away, and has its place until its ttl is over. */
function restoreWaiter(state: State, record: WaiterRecord): void {
  const {
    arrival: _,
    arrivedAt,
    deadline = Number.POSITIVE_INFINITY,
    caller = ANONYMOUS_CALLER,
    keepsOnCancel = false,
    session,
    ...rest
  } = record;
  const open = rest.claims.map((claim) => {
    return { claim, instance: openInstance(state, state.limiters.get(claim.limiter) as Limiter, claim.key) };
  });
  const waiter: Waiter = {
    kind: "waiter",
    ...rest,
    caller,
    keepsOnCancel,
    places: [],
    arrivedAt: Math.min(arrivedAt, state.now),
    deadline,
    stream: undefined,
    monitored: false,
    session: sessionOf(state, session, caller),
    sentAhead: 0,
    stretch: undefined,
    seat: 0,
    dueAt: 0,
    heapIndex: -1,
  };
  enqueue(state, waiter, open);
  stepAside(state, waiter, Math.min(deadline, state.now + waiter.ttl));
}
