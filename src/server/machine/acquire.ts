/** Asking: Acquire, TryAcquire and Resume. */

import type { Acquire, Granted, Outcomes, Resume, TryAcquire, Waiting } from "./command.ts";
import { estimateOf, waitersAhead } from "./estimate.ts";
import { type Grantee, grant, startClock } from "./grant.ts";
import { END_REASONS, heldLimiters, type Lease } from "./lease.ts";
import type { Limiter, Waiter } from "./limiter.ts";
import { type Attachment, DETACHED, grantedOver, takenUpOver } from "./liveness.ts";
import { dequeue, enqueue, stepBack } from "./queue.ts";
import { type Refusal, refusal } from "./reasons.ts";
import { recall } from "./requests.ts";
import { countRefusal } from "./settle.ts";
import type { State } from "./state.ts";
import { inVain, openAll, refusalNow, resolve, roomForKeys, roomInQueues, type Target } from "./target.ts";

/** µs: how long a lease without a stream lives where neither the request nor a limiter says. */
const DETACHED_TTL = 30_000_000;

export function acquire(state: State, command: Acquire): Outcomes["acquire"] {
  const known = recall(state, command);
  if (known?.kind === "waiter") return takeOver(state, known, command);
  if (known !== undefined) return known.kind === "lease" ? attach(state, known, command) : known;
  const target = resolve(state, command.claims);
  if (target.kind === "refused") return refuse(state, target);
  const no = refusalNow(state, command.claims, target);
  if (no === undefined) return grantNow(state, command, target, grantedOver(command.stream, command.monitored));
  return waitInstead(state, command, target, no);
}

export function tryAcquire(state: State, command: TryAcquire): Outcomes["try-acquire"] {
  const known = recall(state, command);
  if (known?.kind === "lease") {
    known.promises += 1;
    startClock(state, known);
    return { kind: "granted", lease: known, held: true, resumed: true };
  }
  if (known?.kind === "waiter") return refusal("REQUEST_ID_REUSED");
  if (known !== undefined) return known;
  const target = resolve(state, command.claims);
  if (target.kind === "refused") return refuse(state, target);
  const no = refusalNow(state, command.claims, target);
  return no === undefined ? grantNow(state, command, target, DETACHED) : refuse(state, no);
}

export function resume(state: State, command: Resume): Outcomes["resume"] {
  const lease = state.leases.get(command.leaseId);
  if (lease !== undefined) return attach(state, lease, command);
  const end = state.pastLeases.get(command.leaseId);
  return refusal(end === undefined ? "LEASE_NOT_FOUND" : END_REASONS[end]);
}

function grantNow(state: State, command: Acquire | TryAcquire, target: Target, attachment: Attachment): Granted {
  const grantee: Grantee = {
    id: command.id,
    call: command.kind,
    claims: command.claims,
    holder: command.holder,
    requestId: command.requestId,
    ttl: ttlOf(command, target.limiters),
    trustCancel: trustCancels(target.limiters),
    keepsOnCancel: command.kind === "acquire" && command.keepOnCancel,
    arrivedAt: state.now,
    attachment,
  };
  return grant(state, grantee, openAll(state, command.claims, target));
}

/** Joins the queues, if the caller will wait, there is room, and the limiters do not know that it is in vain. */
function waitInstead(state: State, command: Acquire, target: Target, no: Refusal): Waiting | Refusal {
  const maxWait = Math.min(command.maxWait ?? Number.POSITIVE_INFINITY, boundOf(target.limiters));
  if (maxWait === 0) return refuse(state, no);
  if (no.reason === "KEYS_EXHAUSTED") return refuse(state, no);
  const roomless = roomForKeys(state, command.claims, target) ?? roomInQueues(state, command.claims, target);
  if (roomless !== undefined) return refuse(state, roomless);
  const tooLong = inVain(state, command.claims, target, maxWait);
  if (tooLong !== undefined) return refuse(state, tooLong);
  const instances = openAll(state, command.claims, target);
  const waiter: Waiter = {
    kind: "waiter",
    id: command.id,
    holder: command.holder,
    claims: command.claims,
    places: [],
    arrivedAt: state.now,
    ttl: ttlOf(command, target.limiters),
    trustCancel: trustCancels(target.limiters),
    keepsOnCancel: command.keepOnCancel,
    requestId: command.requestId,
    stream: command.stream,
    monitored: command.monitored,
    deadline: state.now + maxWait,
    toldAhead: 0,
    stretch: undefined,
    seat: 0,
    dueAt: 0,
    heapIndex: -1,
  };
  enqueue(state, waiter, instances);
  return waiting(state, waiter);
}

/** A retry has found its waiter: it waits on in the same place, on the new stream, for as long as the retry says. */
function takeOver(state: State, waiter: Waiter, command: Acquire): Outcomes["acquire"] {
  const { stream } = waiter;
  if (stream !== undefined) {
    state.events.push({ to: stream, about: waiter.id, news: { kind: "displaced", reason: "WAITER_DISPLACED" } });
  }
  const limiters = waiter.places.map((place) => place.instance.limiter);
  // The limiters' bound counts from the arrival: no request waits longer by asking again.
  const deadline = Math.min(
    state.now + (command.maxWait ?? Number.POSITIVE_INFINITY),
    waiter.arrivedAt + boundOf(limiters),
  );
  if (deadline <= state.now) {
    const instances = waiter.places.map((place) => place.instance);
    dequeue(state, waiter);
    const target: Target = { kind: "target", limiters, instances };
    const no = refusalNow(state, command.claims, target);
    if (no !== undefined) return refuse(state, no);
    return grantNow(state, command, target, grantedOver(command.stream, command.monitored));
  }
  waiter.deadline = deadline;
  if (deadline === Number.POSITIVE_INFINITY) state.deadlines.clear(waiter);
  else state.deadlines.set(waiter, deadline);
  waiter.monitored = command.monitored;
  waiter.stream = command.stream;
  waiter.trustCancel = trustCancels(limiters);
  waiter.keepsOnCancel = command.keepOnCancel;
  state.changes.push({ kind: "waiter-put", waiter });
  if (stream === undefined) stepBack(state, waiter);
  return waiting(state, waiter);
}

/** Gives a live lease a stream; an older one is told that it has lost it. */
function attach(state: State, lease: Lease, { stream, monitored, keepOnCancel }: Acquire | Resume): Granted {
  const before = lease.attachment;
  if (before.kind === "attached" && before.stream !== stream) {
    state.events.push({ to: before.stream, about: lease.id, news: { kind: "displaced", reason: "LEASE_DISPLACED" } });
  }
  if (before.kind === "orphaned") for (const limiter of heldLimiters(lease)) limiter.orphanedLeases -= 1;
  lease.attachment = takenUpOver(stream, monitored);
  lease.promises += 1;
  if (keepOnCancel && !lease.keepsOnCancel) {
    lease.keepsOnCancel = true;
    state.changes.push({ kind: "lease-put", lease });
  }
  startClock(state, lease);
  return { kind: "granted", lease, held: true, resumed: true };
}

function waiting(state: State, waiter: Waiter): Waiting {
  const ahead = waitersAhead(waiter);
  waiter.toldAhead = ahead;
  return {
    kind: "waiting",
    waiterId: waiter.id,
    waitersAhead: ahead,
    estimatedWait: estimateOf(waiter, state.now),
  };
}

function trustCancels(limiters: readonly Limiter[]): boolean {
  return limiters.every((limiter) => limiter.config.trustCancel);
}

/** µs that all of the limiters let one wait. */
function boundOf(limiters: readonly Limiter[]): number {
  let most = Number.POSITIVE_INFINITY;
  for (const { config } of limiters) most = Math.min(most, config.maxWait ?? most);
  return most;
}

/** The lease's ttl: what the request says or the least of the limiters', within what all of them allow. */
function ttlOf(command: Acquire | TryAcquire, limiters: readonly Limiter[]): number {
  let ttl = command.ttl ?? leastTtl(limiters);
  if (command.kind === "try-acquire" && ttl === 0) ttl = DETACHED_TTL;
  for (const { config } of limiters) ttl = Math.min(ttl, config.maxTtl);
  return ttl;
}

function leastTtl(limiters: readonly Limiter[]): number {
  let least = Number.POSITIVE_INFINITY;
  for (const { config } of limiters) least = Math.min(least, config.ttl);
  return least;
}

function refuse(state: State, no: Refusal): Refusal {
  countRefusal(state, no.limiter, no.reason);
  return no;
}
