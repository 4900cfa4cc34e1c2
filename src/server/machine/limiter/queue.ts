/** Standing in line: a request stands in the queue of each instance that it claims, and is served when first in all. */

import { countIn, countOut, keyOfCaller } from "../callers.ts";
import { stopWaiting } from "../session.ts";
import { Fifo } from "../structures/fifo.ts";
import { demandOf } from "./estimate.ts";
import { closeIfIdle } from "./instances.ts";
import { type Instance, NO_QUEUE, type OpenClaim, type Place, type Waiter } from "./limiter.ts";
import { noteChange, type State } from "./state.ts";

/** Puts a waiter behind all others, in every queue that it claims. */
export function enqueue(state: State, waiter: Waiter, open: readonly OpenClaim[]): void {
  state.arrival += 1;
  state.waiters.add(waiter);
  countIn(state, waiter.caller, "waiters");
  if (waiter.requestId !== "") state.requests.set(keyOfCaller(waiter.caller, waiter.requestId), waiter);
  waiter.session?.waiting.add(waiter);
  if (waiter.deadline !== Number.POSITIVE_INFINITY) state.deadlines.set(waiter, waiter.deadline);
  waiter.places = open.map((one) => append(state, waiter, one));
  noteChange(state, { kind: "waiter-put", waiter });
}

function append(state: State, waiter: Waiter, { claim, instance }: OpenClaim): Place {
  const { permits, tokens, largest } = demandOf(instance, claim);
  const place: Place = {
    waiter,
    instance,
    claim,
    arrival: state.arrival,
    present: true,
    previous: undefined,
    next: undefined,
    ahead: instance.queue.presentCount,
    permits,
    tokens,
    largest,
  };
  if (instance.queue.size === 0) instance.limiter.queued.add(instance);
  if (instance.queue === NO_QUEUE) instance.queue = new Fifo();
  instance.queue.append(place);
  count(place, 1);
  // The first in a queue may wait for tokens alone: when they are there has to be noted.
  if (instance.queue.first === place) unsettle(state, instance);
  return place;
}

/** Takes a waiter out of every queue for good, and looks again at the one behind it. */
export function dequeue(state: State, waiter: Waiter): void {
  takeOut(state, waiter);
  for (const { instance } of waiter.places) closeIfIdle(state, instance);
}

/** The same for one that is granted in this step: the instances are still wanted. */
export function takeOut(state: State, waiter: Waiter): void {
  state.waiters.delete(waiter);
  countOut(state, waiter.caller, "waiters");
  if (waiter.requestId !== "") state.requests.delete(keyOfCaller(waiter.caller, waiter.requestId));
  stopWaiting(state, waiter);
  state.deadlines.clear(waiter);
  for (const place of waiter.places) {
    if (place.present) count(place, -1);
    const { instance } = place;
    instance.queue.remove(place);
    if (instance.queue.size === 0) instance.limiter.queued.delete(instance);
    noteMoved(state, instance);
  }
  noteChange(state, { kind: "waiter-left", waiter });
}

/** The waiter's connection is lost: it blocks no other and is not counted until it comes back, or until `until`. */
export function stepAside(state: State, waiter: Waiter, until: number): void {
  waiter.stream = undefined;
  state.deadlines.set(waiter, until);
  for (const place of waiter.places) {
    count(place, -1);
    place.instance.queue.leave(place);
    noteMoved(state, place.instance);
  }
}

/** The waiter is back, in its old place, which may be the first. */
export function stepBack(state: State, waiter: Waiter): void {
  for (const place of waiter.places) {
    const { queue } = place.instance;
    count(place, 1);
    const next = queue.first;
    queue.comeBack(place);
    noteMoved(state, place.instance);
    // The one that was next here stands behind it now, and may have been next everywhere.
    if (queue.first !== next) for (const { instance } of next?.waiter.places ?? []) unsettle(state, instance);
  }
}

export function unsettle(state: State, instance: Instance): void {
  if (instance.unsettled) return;
  instance.unsettled = true;
  state.unsettled.push(instance);
}

function noteMoved(state: State, instance: Instance): void {
  unsettle(state, instance);
  if (instance.queueMoved) return;
  instance.queueMoved = true;
  state.moved.push(instance);
}

function count({ instance, claim }: Place, sign: 1 | -1): void {
  instance.queuedPermits += sign * claim.permits;
  instance.queuedTokens += sign * claim.tokens;
  instance.limiter.waiters += sign;
  instance.limiter.statistics.activity += 1;
}
