/**
 * Settling: everything that happens by itself. A step first brings the state up to its instant, then does its own small
 * thing, then settles what that has set free, so that a freed permit goes to the head of the queue in the same step and
 * no newcomer finds a gap.
 *
 * All that falls due by one instant happens at that instant: first what frees, then grants, and only then do waiters
 * give up; so no waiter times out that could have been admitted.
 */

import { grantedOver } from "../liveness.ts";
import { type Reason, refusal } from "../reasons.ts";
import { type Term, takeExpired } from "../session.ts";
import { Meter } from "../structures/meter.ts";
import { doChores } from "./chores.ts";
import { endLease } from "./ending.ts";
import { grant, obstacle } from "./grant.ts";
import { clearHeadDeadline, forgetAsNew, setHeadDeadline } from "./instances.ts";
import type { Lease } from "./lease.ts";
import type { Instance, Place, Waiter } from "./limiter.ts";
import { dequeue, takeOut, unsettle } from "./queue.ts";
import type { State } from "./state.ts";

/** µs that a coarse timer may be late: a bucket with less room than that would lose tokens. */
const COARSE_TIMER = 2_000;

/** Does what has fallen due by `state.now`. */
export function settleTime(state: State): void {
  let givingUp: Waiter[] | undefined;
  for (let due = state.deadlines.takeDue(state.now); due; due = state.deadlines.takeDue(state.now)) {
    switch (due.kind) {
      case "lease":
        runOut(state, due);
        break;
      case "term":
        expire(state, due);
        break;
      case "instance":
        clearHeadDeadline(state, due);
        unsettle(state, due);
        break;
      case "limiter":
        forgetAsNew(state, due);
        break;
      case "chores":
        doChores(state);
        break;
      case "waiter":
        givingUp ??= [];
        givingUp.push(due);
        break;
    }
  }
  settleQueues(state);
  if (givingUp === undefined) return;
  // In the order of arrival: the heap gives equals in any order.
  givingUp.sort((a, b) => arrivalOf(a) - arrivalOf(b));
  for (const waiter of givingUp) {
    if (!state.waiters.has(waiter)) continue;
    giveUp(state, waiter);
    settleQueues(state);
  }
}

function expire(state: State, term: Term): void {
  for (const id of takeExpired(state, term)) {
    const lease = state.leases.get(id);
    if (lease !== undefined) runOut(state, lease);
  }
}

function runOut(state: State, lease: Lease): void {
  endLease(state, lease, lease.revokedAt === undefined ? "expired" : "revoked");
}

/** Grants whatever can be granted, until nothing more can. */
export function settleQueues(state: State): void {
  for (let instance = state.unsettled.pop(); instance; instance = state.unsettled.pop()) {
    instance.unsettled = false;
    settleQueue(state, instance);
  }
}

function settleQueue(state: State, instance: Instance): void {
  clearHeadDeadline(state, instance);
  for (;;) {
    const head = instance.queue.first;
    if (head === undefined) return;
    const { waiter } = head;
    // A large waiter at the head is not skipped: those behind could keep it there for ever (x/sync/semaphore).
    if (waiter.places.some((place) => place.instance.queue.first !== place)) return;
    const wait = tokenWait(state, waiter);
    if (wait !== 0) {
      noteWait(state, waiter, wait);
      return;
    }
    takeOut(state, waiter);
    admit(state, waiter);
  }
}

/** µs until the waiter, first everywhere, has its tokens; undefined while something else is in its way. */
function tokenWait(state: State, waiter: Waiter): number | undefined {
  let wait = 0;
  for (const { instance, claim } of waiter.places) {
    const inTheWay = obstacle(state, instance, claim);
    if (inTheWay === undefined) continue;
    if (inTheWay.kind !== "tokens") return undefined;
    wait = Math.max(wait, inTheWay.wait);
  }
  return wait;
}

/** In all its queues, of which it is the first, so that what has a deadline does not depend on which was looked at. */
function noteWait(state: State, waiter: Waiter, wait: number | undefined): void {
  const deadline =
    wait === undefined ? undefined : { at: state.now + wait, precise: waiter.places.some(wouldLoseTokens) };
  for (const { instance } of waiter.places) {
    if (deadline === undefined) clearHeadDeadline(state, instance);
    else setHeadDeadline(state, instance, deadline);
  }
}

function wouldLoseTokens({ instance, claim }: Place): boolean {
  const { rate } = instance.limiter.config;
  return rate !== undefined && (rate.capacity - claim.tokens) * rate.unit < COARSE_TIMER * rate.gain;
}

function admit(state: State, waiter: Waiter): void {
  // Only present waiters are first in a queue, and those have a stream.
  const stream = waiter.stream as number;
  const news = grant(
    state,
    {
      id: waiter.id,
      call: "acquire",
      claims: waiter.claims,
      holder: waiter.holder,
      caller: waiter.caller,
      requestId: waiter.requestId,
      ttl: waiter.ttl,
      trustCancel: waiter.trustCancel,
      keepsOnCancel: waiter.keepsOnCancel,
      arrivedAt: waiter.arrivedAt,
      by: waiter.session ?? grantedOver(stream, waiter.monitored),
    },
    waiter.places,
  );
  state.events.push({ to: stream, about: waiter.id, news });
}

/** The waiter's time is over: its bound has passed, or it was away too long to come back. */
function giveUp(state: State, waiter: Waiter): void {
  const { stream } = waiter;
  const [first] = waiter.claims;
  dequeue(state, waiter);
  if (stream === undefined || first === undefined) return;
  countRefusal(state, first.limiter, "WAIT_TIMEOUT");
  const numbers = { waited: state.now - waiter.arrivedAt };
  const news = refusal("WAIT_TIMEOUT", { limiter: first.limiter, key: first.key, numbers });
  state.events.push({ to: stream, about: waiter.id, news });
}

/** Counts a refusal with the limiter that it was about, if there is one. */
export function countRefusal(state: State, name: string, reason: Reason): void {
  const statistics = state.limiters.get(name)?.statistics;
  if (statistics === undefined) return;
  statistics.refusals.set(reason, (statistics.refusals.get(reason) ?? 0) + 1);
  statistics.refused ??= new Meter(statistics.since);
  statistics.refused.count(state.now);
  statistics.activity += 1;
}

function arrivalOf(waiter: Waiter): number {
  return waiter.places[0]?.arrival ?? 0;
}
