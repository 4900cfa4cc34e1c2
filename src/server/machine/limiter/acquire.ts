/** Asking: Acquire, TryAcquire and Resume. */

import { callerOf, isBounded, keyOfCaller, overQuota } from "../callers.ts";
import {
  type Attachment,
  attach,
  attachmentKind,
  DETACHED,
  displaceQueuer,
  grantedOver,
  sessionIdOf,
  takenUpOver,
  takePlace,
} from "../liveness.ts";
import { type Refusal, refusal } from "../reasons.ts";
import { changeSession, enter, type Session } from "../session.ts";
import {
  type ClaimTarget,
  inVain,
  missingOf,
  openAll,
  refusalNow,
  resolve,
  roomForKeys,
  roomInQueues,
} from "./claim-targets.ts";
import type { Acquire, Granted, Outcomes, Resume, TryAcquire, Waiting } from "./command.ts";
import { estimateOf, waitersAhead } from "./estimate.ts";
import { type Grantee, grant, startClock } from "./grant.ts";
import { END_REASONS, heldLimiters, type Lease, noteRevoked } from "./lease.ts";
import { chargedPermits, type Waiter } from "./limiter.ts";
import { leaseOf } from "./owning.ts";
import { dequeue, enqueue, stepBack } from "./queue.ts";
import { recall } from "./requests.ts";
import { countRefusal } from "./settle.ts";
import { noteChange, type State } from "./state.ts";

/** µs: how long a lease without a stream lives where neither the request nor a limiter says. */
const DETACHED_TTL = 30_000_000;

export function acquire(state: State, command: Acquire): Outcomes["acquire"] {
  const session = enter(state, command);
  if (session?.kind === "refused") return session;
  const known = recall(state, command);
  if (known?.kind === "waiter") return takeOver(state, known, command, session);
  if (known?.kind === "lease") {
    return takeUp(state, known, session ?? takenUpOver(command.stream, command.monitored), command.keepOnCancel);
  }
  if (known !== undefined) return known;
  const targets = resolve(state, command.claims);
  if (!Array.isArray(targets)) return refuse(state, targets);
  const no = refusalNow(state, targets);
  if (no !== undefined) return waitInstead(state, command, targets, no, session);
  return refusedByQuota(state, command, targets, false) ?? grantNow(state, command, targets, session);
}

export function tryAcquire(state: State, command: TryAcquire): Outcomes["try-acquire"] {
  const session = enter(state, command);
  if (session?.kind === "refused") return session;
  const known = recall(state, command);
  if (known?.kind === "lease") {
    // Without a ttl it ends with the session's stream, whatever else it was promised to.
    const leavesSession = sessionIdOf(known) !== undefined && known.ttl > 0;
    return session !== undefined || leavesSession
      ? takeUp(state, known, session ?? DETACHED, false)
      : promiseAgain(state, known);
  }
  if (known?.kind === "waiter") return refusal("REQUEST_ID_REUSED");
  if (known !== undefined) return known;
  const targets = resolve(state, command.claims);
  if (!Array.isArray(targets)) return refuse(state, targets);
  const no = refusalNow(state, targets);
  if (no !== undefined) return refuse(state, no);
  return refusedByQuota(state, command, targets, false) ?? grantNow(state, command, targets, session);
}

export function resume(state: State, command: Resume): Outcomes["resume"] {
  const lease = leaseOf(state, command);
  if (lease !== undefined) {
    return takeUp(state, lease, takenUpOver(command.stream, command.monitored), command.keepOnCancel);
  }
  const end = state.pastLeases.get(keyOfCaller(callerOf(command), command.leaseId));
  return refusal(end === undefined ? "LEASE_NOT_FOUND" : END_REASONS[end]);
}

function grantNow(
  state: State,
  command: Acquire | TryAcquire,
  targets: readonly ClaimTarget[],
  session: Session<Waiter> | undefined,
): Granted {
  const isStream = command.kind === "acquire";
  const grantee: Grantee = {
    id: command.id,
    call: command.kind,
    claims: command.claims,
    holder: command.holder,
    caller: callerOf(command),
    requestId: command.requestId,
    ttl: ttlOf(command, targets),
    trustCancel: trustCancels(targets),
    keepsOnCancel: session?.keepsOnCancel ?? (isStream && command.keepOnCancel),
    arrivedAt: state.now,
    by: session ?? (isStream ? grantedOver(command.stream, command.monitored) : DETACHED),
  };
  return grant(state, grantee, openAll(state, targets));
}

/** Joins the queues, if the caller will wait, there is room, and the limiters do not know that it is in vain. */
function waitInstead(
  state: State,
  command: Acquire,
  targets: readonly ClaimTarget[],
  no: Refusal,
  session: Session<Waiter> | undefined,
): Waiting | Refusal {
  const maxWait = Math.min(command.maxWait ?? Number.POSITIVE_INFINITY, boundOf(targets));
  if (maxWait === 0) return refuse(state, no);
  if (no.reason === "KEYS_EXHAUSTED") return refuse(state, no);
  const tooMany = refusedByQuota(state, command, targets, true);
  if (tooMany !== undefined) return tooMany;
  const roomless = roomForKeys(state, targets) ?? roomInQueues(state, targets);
  if (roomless !== undefined) return refuse(state, roomless);
  const tooLong = inVain(state, targets, maxWait);
  if (tooLong !== undefined) return refuse(state, tooLong);
  const open = openAll(state, targets);
  const waiter: Waiter = {
    kind: "waiter",
    id: command.id,
    holder: command.holder,
    caller: callerOf(command),
    claims: command.claims,
    places: [],
    arrivedAt: state.now,
    ttl: ttlOf(command, targets),
    trustCancel: trustCancels(targets),
    keepsOnCancel: session?.keepsOnCancel ?? command.keepOnCancel,
    requestId: command.requestId,
    stream: command.stream,
    monitored: command.monitored,
    session,
    deadline: state.now + maxWait,
    sentAhead: 0,
    stretch: undefined,
    seat: 0,
    dueAt: 0,
    heapIndex: -1,
  };
  enqueue(state, waiter, open);
  return waiting(state, waiter);
}

/** A retry has found its waiter: it waits on in the same place, on the new stream, for as long as the retry says. */
function takeOver(
  state: State,
  waiter: Waiter,
  command: Acquire,
  session: Session<Waiter> | undefined,
): Outcomes["acquire"] {
  const { stream } = waiter;
  // A session knows by itself that it has asked twice.
  if (stream !== command.stream) displaceQueuer(state, waiter);
  const targets = waiter.places.map(({ claim, instance }, index) => {
    return { claim, index, limiter: instance.limiter, instance };
  });
  // The limiters' bound counts from the arrival: no request waits longer by asking again.
  const deadline = Math.min(
    state.now + (command.maxWait ?? Number.POSITIVE_INFINITY),
    waiter.arrivedAt + boundOf(targets),
  );
  if (deadline <= state.now) {
    dequeue(state, waiter);
    const no = refusalNow(state, targets);
    if (no !== undefined) return refuse(state, no);
    return grantNow(state, command, targets, session);
  }
  takePlace(state, waiter, command, deadline);
  if (session !== undefined) waiter.keepsOnCancel = session.keepsOnCancel;
  changeSession(state, waiter, session);
  waiter.trustCancel = trustCancels(targets);
  noteChange(state, { kind: "waiter-put", waiter });
  if (stream === undefined) stepBack(state, waiter);
  return waiting(state, waiter);
}

/** A retry has found its lease, which stays attached as it is. */
function promiseAgain(state: State, lease: Lease): Granted {
  lease.promises += 1;
  startClock(state, lease);
  return { kind: "granted", lease, held: true, resumed: true };
}

/** `by`: what has it from now on. */
function takeUp(state: State, lease: Lease, by: Attachment | Session, keepOnCancel: boolean): Granted {
  const before = sessionIdOf(lease);
  const keeps = by.kind === "session" ? by.keepsOnCancel : keepOnCancel;
  const isPromised = keeps && !lease.keepsOnCancel;
  if (attachmentKind(lease) === "orphaned") for (const limiter of heldLimiters(lease)) limiter.orphanedLeases -= 1;
  attach(state, lease, by, keeps);
  noteRevoked(lease);
  if (isPromised || before !== sessionIdOf(lease)) noteChange(state, { kind: "lease-put", lease });
  startClock(state, lease);
  return { kind: "granted", lease, held: true, resumed: true };
}

function waiting(state: State, waiter: Waiter): Waiting {
  const ahead = waitersAhead(waiter);
  waiter.sentAhead = ahead;
  return {
    kind: "waiting",
    waiterId: waiter.id,
    waitersAhead: ahead,
    estimatedWait: estimateOf(waiter, state.now),
    missing: missingOf(state, waiter),
  };
}

function trustCancels(targets: readonly ClaimTarget[]): boolean {
  return targets.every(({ limiter }) => limiter.config.trustCancel);
}

/** µs that all of the limiters let one wait. */
function boundOf(targets: readonly ClaimTarget[]): number {
  let most = Number.POSITIVE_INFINITY;
  for (const { limiter } of targets) most = Math.min(most, limiter.config.maxWait ?? most);
  return most;
}

/** The lease's ttl: what the request says or the least of the limiters', within what all of them allow. */
function ttlOf(command: Acquire | TryAcquire, targets: readonly ClaimTarget[]): number {
  let ttl = command.ttl ?? leastTtl(targets);
  if (command.kind === "try-acquire" && command.session === undefined && ttl === 0) ttl = DETACHED_TTL;
  for (const { limiter } of targets) ttl = Math.min(ttl, limiter.config.maxTtl);
  return ttl;
}

function leastTtl(targets: readonly ClaimTarget[]): number {
  let least = Number.POSITIVE_INFINITY;
  for (const { limiter } of targets) least = Math.min(least, limiter.config.ttl);
  return least;
}

/** Refuses what would be one too many of its caller. That is no limiter's "no", and counts with the first that was asked. */
function refusedByQuota(
  state: State,
  command: Acquire | TryAcquire,
  targets: readonly ClaimTarget[],
  waits: boolean,
): Refusal | undefined {
  if (!isBounded(state, command)) return undefined;
  const holds = targets.some(({ claim, limiter }) => chargedPermits(limiter, claim.permits) > 0);
  const no = overQuota(state, command, holds, waits);
  const [first] = targets;
  if (no !== undefined && first !== undefined) countRefusal(state, first.limiter.config.name, no.reason);
  return no;
}

function refuse(state: State, no: Refusal): Refusal {
  countRefusal(state, no.limiter, no.reason);
  return no;
}
