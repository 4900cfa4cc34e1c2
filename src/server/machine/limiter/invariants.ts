/**
 * What is always true of the machine's state between two steps. A check that fails throws: that is a bug, never a
 * caller's fault. They change nothing, and derive what they expect from the leases and waiters themselves rather than
 * from the counters that they check.
 */

import { assertCallers } from "../caller-invariants.ts";
import { keyOfCaller } from "../callers.ts";
import { attachmentKind } from "../liveness.ts";
import type { Term } from "../session.ts";
import { assertSessions } from "../session-invariants.ts";
import { counts, holds, holdsHeap } from "../structures/invariant.ts";
import { assertInstance, type Held } from "./instance-invariants.ts";
import { heldLimiters, type Lease } from "./lease.ts";
import type { Instance, Limiter, Waiter } from "./limiter.ts";
import { timeAfterRestart } from "./restore.ts";
import type { State } from "./state.ts";

/** Everything; O(n log n) in all that there is. */
export function assertMachine(state: State): void {
  holds(state.unsettled.length === 0, "machine", "no queue is left unsettled");
  const names = [...state.limiterNames.after("")];
  holds(names.join() === [...state.limiters.keys()].sort().join(), "machine", "limiters are found by name, in order");
  assertSessions(state, state.leases, state.waiters.values());
  for (const lease of state.leases.values()) assertLease(state, lease);
  for (const waiter of state.waiters.values()) assertWaiter(state, waiter);
  assertOrder(state);
  assertRequests(state);
  assertLimiters(state);
  assertDeadlines(state);
  assertMoved(state);
  assertChores(state);
  assertCallers(state, { leases: state.leases.values(), waiters: state.waiters.values() });
}

/** A lease holds something, lives nowhere else, and its time runs exactly if its holder must show itself. O(1). */
function assertLease(state: State, lease: Lease): void {
  const { attachment, ttl } = lease;
  holds(state.leases.get(lease.id) === lease, lease, "it is kept under its id");
  holds(state.waiters.get(lease.id) === undefined, lease, "a lease has no waiter under its id");
  holds(
    state.pastLeases.get(keyOfCaller(lease.caller, lease.id)) === undefined,
    lease,
    "what lives is not remembered as ended",
  );
  const limiters = heldLimiters(lease);
  holds(limiters.length > 0, lease, "a lease holds something");
  for (const limiter of limiters) {
    holds(state.limiters.get(limiter.config.name) === limiter, lease, "a limiter stays while something of it is held");
  }
  if (attachment.kind === "in-session") {
    const { revoked, caller } = attachment.term.session;
    holds(caller === lease.caller, lease, "its session is its caller's");
    holds(revoked.has(lease.id) === (lease.revokedAt !== undefined), lease, "its session knows that it was asked back");
  }
  const showsLife =
    attachment.kind === "in-session" ||
    (attachment.kind === "attached" && ((attachment.monitored && !lease.keepsOnCancel) || ttl === 0));
  const lasts = showsLife && lease.revokedAt === undefined;
  holds((lease.heapIndex === -1) === lasts, lease, "its time runs exactly if its holder must show itself");
  // After a restart it has longer to be taken up again.
  const renewed = attachment.kind === "attached" && lease.revokedAt === undefined;
  const restored = renewed ? 0 : (state.restoredAt ?? Number.NEGATIVE_INFINITY) + timeAfterRestart(ttl);
  holds(ttl > 0 || lasts || restored > state.now, lease, "without a ttl it ends with its stream");
  if (lasts) return;
  holds(lease.dueAt > state.now, lease, "it ends when its time has run out");
  holds(lease.dueAt <= Math.max(state.now + ttl, restored), lease, "it has no more time than its ttl");
}

/** A waiter stands in every queue that it claims, present in all or in none, and has time left. O(1). */
function assertWaiter(state: State, waiter: Waiter): void {
  const { claims, places, stream } = waiter;
  holds(state.waiters.get(waiter.id) === waiter, waiter, "it is kept under its id");
  holds(stream !== undefined || waiter.requestId !== "", waiter, "away implies request id");
  holds((waiter.session?.caller ?? waiter.caller) === waiter.caller, waiter, "its session is its caller's");
  counts(places.length, claims.length, waiter, "claims, each with a place");
  for (const [index, place] of places.entries()) {
    const { limiter } = place.instance;
    const { rate, maxConcurrent } = limiter.config;
    const { permits, tokens } = place.claim;
    holds(place.waiter === waiter && place.claim === claims[index], waiter, "each place is for its claim");
    holds(place.arrival === places[0]?.arrival, waiter, "it came to all queues at once");
    holds(place.present === (stream !== undefined), waiter, "it is present exactly while it has a stream");
    holds(limiter.instances.get(place.instance.key) === place.instance, waiter, "a waiter's instance is its limiter's");
    holds(!limiter.deleting, waiter, "a waiter's limiter is not deleted");
    holds(
      maxConcurrent === undefined || permits <= maxConcurrent,
      waiter,
      "permits of a waiter are at most max_concurrent",
    );
    holds(rate === undefined || tokens <= rate.capacity, waiter, "tokens of a waiter are at most the capacity");
  }
  const endless = stream !== undefined && waiter.deadline === Number.POSITIVE_INFINITY;
  holds((waiter.heapIndex === -1) === endless, waiter, "its time runs if it is bounded or away");
  holds(endless || waiter.dueAt > state.now, waiter, "it gives up when its time has run out");
}

/** Leases stand in the order of their grants, waiters in that of their arrival, and fencing tokens rise. */
function assertOrder(state: State): void {
  let serial = 0;
  const fencing = new Map<Limiter, number>();
  for (const lease of state.leases.values()) {
    holds(lease.serial > serial && lease.serial <= state.serial, lease, "leases stand in the order of their grants");
    serial = lease.serial;
    for (const { instance, fencingToken } of lease.claims) {
      const { limiter } = instance;
      holds(fencingToken > (fencing.get(limiter) ?? 0), lease, "fencing tokens rise with every grant of a limiter");
      holds(fencingToken <= limiter.fencingToken, lease, "no fencing token is above the last");
      fencing.set(limiter, fencingToken);
    }
  }
  let arrival = 0;
  for (const waiter of state.waiters.values()) {
    const own = waiter.places[0]?.arrival ?? 0;
    holds(own > arrival && own <= state.arrival, waiter, "waiters stand in the order of their arrival");
    arrival = own;
  }
}

/** A request id leads to what lives under it. */
function assertRequests(state: State): void {
  let there = 0;
  const look = (living: Waiter | Lease) => {
    if (living.requestId === "") return;
    there += 1;
    holds(
      state.requests.get(keyOfCaller(living.caller, living.requestId)) === living,
      living,
      "its request id leads to it",
    );
  };
  for (const waiter of state.waiters.values()) look(waiter);
  for (const lease of state.leases.values()) look(lease);
  counts(state.requests.size, there, "machine", "request ids that stand for something");
}

/** Each limiter's counts are those of its leases and waiters, and each of its instances is sound. */
function assertLimiters(state: State): void {
  const tallies = tally(state);
  let places = 0;
  let heldInstances = 0;
  for (const [name, limiter] of state.limiters) {
    const { config } = limiter;
    const { leases, orphaned, held } = tallies.get(limiter) ?? NOTHING;
    holds(config.name === name, limiter, "it is kept under its name");
    holds(!limiter.deleting || limiter.leases > 0, limiter, "a deleted limiter goes when it has drained");
    holds(config.keyed || limiter.instances.size === 1, limiter, "without keys it has one instance");
    // More may be there since a change of its configuration.
    const bounded = limiter.revision > 1 || limiter.instances.size <= config.maxKeys;
    holds(!config.keyed || bounded, limiter, "it has at most as many keys as it may");
    counts(limiter.leases, leases, limiter, "leases");
    counts(limiter.orphanedLeases, orphaned, limiter, "orphaned leases");
    let permits = 0;
    let waiters = 0;
    let idle = 0;
    let queued = 0;
    for (const instance of limiter.instances.values()) {
      assertInstance(state, instance, held.get(instance) ?? NO_PERMITS);
      permits += instance.permitsInUse;
      waiters += instance.queue.presentCount;
      places += instance.queue.size;
      if (instance.idle) idle += 1;
      if (instance.queue.size > 0) queued += 1;
      holds(
        instance.queue.size > 0 === limiter.queued.has(instance),
        instance,
        "queued has the instances with a queue, and no others",
      );
      if (held.has(instance)) heldInstances += 1;
    }
    counts(limiter.permitsInUse, permits, limiter, "permits in use");
    counts(limiter.waiters, waiters, limiter, "waiters");
    counts(limiter.idle.size, idle, limiter, "idle keys");
    counts(limiter.queued.size, queued, limiter, "keys with a queue");
    holdsHeap(limiter.idle, limiter);
    holds(idle === 0 || limiter.heapIndex !== -1, limiter, "idle keys imply a deadline of the limiter");
  }
  const claims = [...state.waiters.values()].reduce((sum, waiter) => sum + waiter.places.length, 0);
  counts(places, claims, "machine", "places of waiters in queues");
  const declared = [...state.limiters.values()].filter(({ declaration }) => declaration !== undefined).length;
  counts(state.declaredLimiters, declared, "machine", "declared limiters");
  const held = [...tallies.values()].reduce((sum, each) => sum + each.held.size, 0);
  counts(heldInstances, held, "machine", "held instances that their limiters know");
}

/** What falls due is in the heap, what is in the heap is there, and nothing of it is overdue. */
function assertDeadlines(state: State): void {
  const { deadlines } = state;
  holdsHeap(deadlines, "machine");
  holds(deadlines.earliest > state.now, "machine", "nothing is overdue");
  const heap = [...deadlines.items()];
  let there = 0;
  let precise = 0;
  const look = (due: Lease | Waiter | Limiter | Instance | Term) => {
    if (due.heapIndex === -1) return;
    there += 1;
    holds(heap[due.heapIndex] === due, due, "what has a place in the heap stands there");
  };
  if (state.chores.heapIndex !== -1) {
    there += 1;
    holds(heap[state.chores.heapIndex] === state.chores, "machine", "what is left to do has its place in the heap");
  }
  for (const lease of state.leases.values()) look(lease);
  for (const waiter of state.waiters.values()) look(waiter);
  for (const { terms } of state.sessions.values()) for (const term of terms.values()) look(term);
  for (const limiter of state.limiters.values()) {
    look(limiter);
    for (const instance of limiter.instances.values()) {
      // The time of an idle instance runs in its limiter's heap.
      if (!instance.idle) look(instance);
      if (instance.precise) precise += 1;
    }
  }
  counts(deadlines.size, there, "machine", "deadlines");
  counts(state.preciseDeadlines, precise, "machine", "precise deadlines");
}

/** Earlier rates are remembered exactly while the keys of their limiter catch up, and each chore is one of its own. */
function assertChores({ chores, limiters, now }: State): void {
  const catching = chores.left.filter(({ what }) => what === "catch-up").map(({ limiter }) => limiter);
  counts(new Set(catching).size, catching.length, "machine", "limiters whose keys catch up");
  holds((chores.heapIndex === -1) === (chores.left.length === 0), "machine", "chores left imply a deadline");
  for (const limiter of limiters.values()) {
    const { earlierRates } = limiter;
    holds(
      earlierRates.length > 0 === catching.includes(limiter),
      limiter,
      "it knows earlier rates while keys catch up",
    );
    let before = Number.NEGATIVE_INFINITY;
    for (const { until } of earlierRates) {
      holds(until >= before && until <= now, limiter, "its earlier rates stand in the order of their ends");
      before = until;
    }
  }
}

/** Each queue that has moved since the last survey is noted once. */
function assertMoved(state: State): void {
  const moved = new Set(state.moved);
  counts(state.moved.length, moved.size, "machine", "queues that moved");
  for (const instance of moved) holds(instance.queueMoved, instance, "what is noted as moved knows it");
  for (const limiter of state.limiters.values()) {
    for (const instance of limiter.instances.values()) {
      if (instance.queueMoved) holds(moved.has(instance), instance, "what has moved is noted");
    }
  }
}

interface Tally {
  leases: number;
  orphaned: number;
  readonly held: Map<Instance, Held>;
}

const NO_PERMITS: Held = { permits: 0, slots: [] };
const NOTHING: Tally = { leases: 0, orphaned: 0, held: new Map() };

/** What live leases hold, by limiter and instance. */
function tally(state: State): Map<Limiter, Tally> {
  const tallies = new Map<Limiter, Tally>();
  for (const lease of state.leases.values()) {
    for (const limiter of heldLimiters(lease)) {
      let own = tallies.get(limiter);
      if (own === undefined) {
        own = { leases: 0, orphaned: 0, held: new Map() };
        tallies.set(limiter, own);
      }
      own.leases += 1;
      if (attachmentKind(lease) === "orphaned") own.orphaned += 1;
    }
    for (const { instance, permits, slots } of lease.claims) {
      if (permits === 0) continue;
      const held = tallies.get(instance.limiter)?.held;
      const own = held?.get(instance) ?? { permits: 0, slots: [] };
      own.permits += permits;
      own.slots.push(...slots);
      held?.set(instance, own);
    }
  }
  return tallies;
}
