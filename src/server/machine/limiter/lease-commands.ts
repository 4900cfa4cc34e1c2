/** Holding: what becomes of waiters and leases once they are there. */

import { callerOf, keyOfCaller } from "../callers.ts";
import { expiresAt, isHeldOver, keepsPlace, outlivesStream, renewHeld, sessionIdOf, streamOf } from "../liveness.ts";
import { refusal } from "../reasons.ts";
import { enter } from "../session.ts";
import type { Abandon, CancelWaiter, Ended, Leave, Outcomes, Release, Renew, Revoke, Withdraw } from "./command.ts";
import { detach, endLease, orphan, pastEnd, pastEndOfAny, undoGrant } from "./ending.ts";
import { type HeldClaim, isFirstHeld, type Lease, noteRevoked } from "./lease.ts";
import { flowOf, type Waiter } from "./limiter.ts";
import type { WorkOutcome } from "./outcomes.ts";
import { leaseOf } from "./owning.ts";
import { dequeue, stepAside } from "./queue.ts";
import { pastRequest } from "./requests.ts";
import { noteChange, type State } from "./state.ts";

/** A stream has ended: what it stood for ends with it, or has its ttl to come back. */
export function leave(state: State, command: Leave): Outcomes["leave"] {
  const { id, stream, how } = command;
  const lease = state.leases.get(id);
  const waiter = lease === undefined ? state.waiters.get(id) : undefined;
  if (waiter?.stream === stream) leaveQueue(state, waiter, waiter.trustCancel ? how : "lost");
  else if (lease !== undefined && isHeldOver(lease, stream)) leaveLease(state, lease, lease.trustCancel ? how : "lost");
  else return refusal("WAITER_NOT_FOUND");
  return { kind: "done" };
}

/** A waiter has lost its stream: it leaves the queue, or its place is kept for it. */
export function leaveQueue(state: State, waiter: Waiter, how: Leave["how"]): void {
  if (keepsPlace(waiter, how)) stepAside(state, waiter, Math.min(waiter.deadline, state.now + waiter.ttl));
  else dequeue(state, waiter);
}

function leaveLease(state: State, lease: Lease, how: Leave["how"]): void {
  if (outlivesStream(lease, how)) {
    orphan(state, lease);
    return;
  }
  // Its stream has no reader left.
  detach(state, lease);
  endLease(state, lease, "cancelled");
}

export function renew(state: State, command: Renew): Outcomes["renew"] {
  const lease = leaseOf(state, command);
  if (lease === undefined) return pastEnd(state, callerOf(command), command.leaseId) ?? refusal("LEASE_NOT_FOUND");
  // One that is being revoked keeps the time that it has left.
  if (lease.revokedAt === undefined) renewHeld(state, lease);
  return { kind: "renewed", lease };
}

export function release(state: State, command: Release): Outcomes["release"] {
  const session = enter(state, command);
  if (session?.kind === "refused") return session;
  const lease = leaseOf(state, command);
  if (lease === undefined) return pastEnd(state, callerOf(command), command.leaseId) ?? refusal("LEASE_NOT_FOUND");
  if (session !== undefined) {
    if (sessionIdOf(lease) !== session.id) return refusal("LEASE_NOT_FOUND");
    // It has the answer.
    detach(state, lease);
  }
  return releaseLease(state, lease, command.workOutcome);
}

/** Gives up a request: its lease is released, its waiter leaves, and if neither is there it will be refused. */
export function withdraw(state: State, command: Withdraw): Outcomes["withdraw"] {
  const { requestId, workOutcome } = command;
  const caller = callerOf(command);
  const key = keyOfCaller(caller, requestId);
  const live = state.requests.get(key);
  if (live?.kind === "lease") return releaseLease(state, live, workOutcome);
  if (live !== undefined) {
    dequeue(state, live);
    if (live.stream !== undefined) {
      state.events.push({ to: live.stream, about: live.id, news: refusal("REQUEST_WITHDRAWN") });
    }
  } else {
    const past = state.pastRequests.get(key);
    if (past?.kind === "ended") return { kind: "ended", leaseId: "", end: past.end, already: true };
    if (past?.kind === "spent") return { kind: "ended", leaseId: past.lease.id, end: "released", already: true };
    if (past !== undefined) return { kind: "withdrawn" };
  }
  pastRequest(state, { caller, requestId }, { kind: "withdrawn" });
  return { kind: "withdrawn" };
}

function releaseLease(state: State, lease: Lease, workOutcome: WorkOutcome): Ended {
  const { claims } = lease;
  for (let index = 0; index < claims.length; index++) {
    if (!isFirstHeld(claims, index)) continue;
    const { limiter } = (claims[index] as HeldClaim).instance;
    flowOf(limiter).totals.releases[workOutcome] += 1;
    if (workOutcome === "overloaded") limiter.statistics.overloaded += 1;
  }
  endLease(state, lease, "released");
  return { kind: "ended", leaseId: lease.id, end: "released", already: false };
}

/**
 * Undoes a grant of which no call has heard. A retry under the same request id has been promised the same lease: it ends with
 * the last call that was promised it, and the request id is free again.
 */
export function abandon(state: State, command: Abandon): Outcomes["abandon"] {
  const { id, requestId } = command;
  const live =
    state.leases.get(id) ??
    (requestId === "" ? undefined : state.requests.get(keyOfCaller(callerOf(command), requestId)));
  if (live?.kind !== "lease") return { kind: "done" };
  live.promises -= 1;
  if (live.promises === 0) undoGrant(state, live);
  return { kind: "done" };
}

/** Asks the holder for the lease back, which then ends a ttl from now at the latest; by force it ends now. */
export function revoke(state: State, command: Revoke): Outcomes["revoke"] {
  const lease = state.leases.get(command.leaseId);
  if (lease === undefined) return pastEndOfAny(state, command.leaseId) ?? refusal("LEASE_NOT_FOUND");
  if (command.force || lease.ttl === 0) {
    endLease(state, lease, "revoked");
    return { kind: "ended", leaseId: lease.id, end: "revoked", already: false };
  }
  if (lease.revokedAt === undefined) {
    lease.revokedAt = state.now;
    state.deadlines.set(lease, Math.min(expiresAt(lease) ?? Number.POSITIVE_INFINITY, state.now + lease.ttl));
    noteRevoked(lease);
    noteChange(state, { kind: "lease-put", lease });
  }
  const revoking = { kind: "revoking", lease, message: command.message } as const;
  const stream = streamOf(lease);
  if (stream !== undefined) state.events.push({ to: stream, about: lease.id, news: revoking });
  return revoking;
}

export function cancelWaiter(state: State, command: CancelWaiter): Outcomes["cancel-waiter"] {
  const waiter = state.waiters.get(command.waiterId);
  if (waiter === undefined) return refusal("WAITER_NOT_FOUND");
  dequeue(state, waiter);
  const [first] = waiter.claims;
  if (waiter.stream !== undefined && first !== undefined) {
    const news = refusal("WAITER_CANCELLED", { limiter: first.limiter, key: first.key });
    state.events.push({ to: waiter.stream, about: waiter.id, news });
  }
  return { kind: "done" };
}
