/** How leases end: each leaves the live set exactly once, by one of five ends. */

import { ANONYMOUS_CALLER, countOut, keyOfCaller, NO_CALLER } from "../callers.ts";
import { attachmentKind, DETACHED, leaveSessionOf, ORPHANED, streamOf } from "../liveness.ts";
import { dropBuckets } from "./chores.ts";
import type { Ended } from "./command.ts";
import { startClock } from "./grant.ts";
import { closeIfIdle } from "./instances.ts";
import { type HeldClaim, heldLimiters, isFirstHeld, type Lease } from "./lease.ts";
import { flowOf, type Limiter } from "./limiter.ts";
import type { LeaseEnd } from "./outcomes.ts";
import { unsettle } from "./queue.ts";
import { pastRequest } from "./requests.ts";
import { noteChange, type State } from "./state.ts";

/** Ends a live lease: its permits are free, its stream is notified, the head of each queue is looked at. */
export function endLease(state: State, lease: Lease, end: LeaseEnd): void {
  if (lease.requestId !== "") {
    pastRequest(state, lease, { kind: "ended", call: lease.call, asked: lease.asked, end });
  }
  takeBack(state, lease, end);
}

/** Ends a lease of which its holder never heard, and forgets that it was asked for. */
export function undoGrant(state: State, lease: Lease): void {
  // Its stream knows nothing of it.
  detach(state, lease);
  takeBack(state, lease, "cancelled");
}

/** Takes a lease from its open stream, if it has one, or from that of its session, which then hears nothing of its end. */
export function detach(state: State, lease: Lease): void {
  if (streamOf(lease) === undefined) return;
  leaveSessionOf(state, lease);
  lease.attachment = DETACHED;
}

function takeBack(state: State, lease: Lease, end: LeaseEnd): void {
  const { now } = state;
  state.leases.delete(lease.id);
  state.deadlines.clear(lease);
  countOut(state, lease.caller, "leases");
  rememberEnd(state, lease, end);
  if (lease.requestId !== "") state.requests.delete(keyOfCaller(lease.caller, lease.requestId));
  const { claims } = lease;
  for (let index = 0; index < claims.length; index++) {
    if (!isFirstHeld(claims, index)) continue;
    const { limiter } = (claims[index] as HeldClaim).instance;
    limiter.leases -= 1;
    flowOf(limiter).totals.ends[end] += 1;
    if (attachmentKind(lease) === "orphaned") limiter.orphanedLeases -= 1;
  }
  const stream = streamOf(lease);
  const held = now - lease.grantedAt;
  leaveSessionOf(state, lease);
  for (const { instance, permits, slots } of claims) {
    if (permits === 0) continue;
    const { limiter } = instance;
    instance.permitsInUse -= permits;
    instance.holders?.remove(lease.grantedAt, permits);
    limiter.permitsInUse -= permits;
    instance.slots?.giveBack(slots);
    const { completions, holds, totals } = flowOf(limiter);
    completions.count(now);
    holds.record(held, now);
    totals.holds.record(held);
    limiter.statistics.activity += 1;
    unsettle(state, instance);
    closeIfIdle(state, instance);
  }
  noteChange(state, { kind: "lease-ended", lease, end });
  if (stream !== undefined) {
    const news = { kind: "ended", leaseId: lease.id, end, already: false } as const;
    state.events.push({ to: stream, about: lease.id, news });
  }
  for (let index = 0; index < claims.length; index++) {
    if (isFirstHeld(claims, index)) removeIfDrained(state, (claims[index] as HeldClaim).instance.limiter);
  }
}

/** The lease's connection is lost: the ttl runs. */
export function orphan(state: State, lease: Lease): void {
  lease.attachment = ORPHANED;
  for (const limiter of heldLimiters(lease)) {
    limiter.orphanedLeases += 1;
    limiter.statistics.activity += 1;
  }
  startClock(state, lease);
}

/** A limiter that was deleted goes with its last lease. */
export function removeIfDrained(state: State, limiter: Limiter): boolean {
  if (!limiter.deleting || limiter.leases > 0) return false;
  state.limiters.delete(limiter.config.name);
  state.limiterNames.delete(limiter.config.name);
  if (limiter.declaration !== undefined) state.declaredLimiters -= 1;
  state.fencingFloor = Math.max(state.fencingFloor, limiter.fencingToken);
  state.deadlines.clear(limiter);
  dropBuckets(state, limiter);
  noteChange(state, { kind: "limiter-removed", name: limiter.config.name });
  return true;
}

function rememberEnd({ pastLeases, now }: State, { id, caller }: Lease, end: LeaseEnd): void {
  const key = keyOfCaller(caller, id);
  pastLeases.set(key, end, now);
  // An operator looks for it, too, and knows no caller.
  if (key !== id) pastLeases.set(keyOfCaller(NO_CALLER, id), end, now);
}

/** Returns how a lease of the caller's that is gone had ended; undefined if it is not remembered. */
export function pastEnd(state: State, caller: string, leaseId: string): Ended | undefined {
  return ended(leaseId, state.pastLeases.get(keyOfCaller(caller, leaseId)));
}

/** The same, whoever had it. */
export function pastEndOfAny(state: State, leaseId: string): Ended | undefined {
  const { pastLeases } = state;
  const end = pastLeases.get(keyOfCaller(ANONYMOUS_CALLER, leaseId)) ?? pastLeases.get(keyOfCaller(NO_CALLER, leaseId));
  return ended(leaseId, end);
}

function ended(leaseId: string, end: LeaseEnd | undefined): Ended | undefined {
  return end === undefined ? undefined : { kind: "ended", leaseId, end, already: true };
}
