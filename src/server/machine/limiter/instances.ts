/** Instances on demand: a keyed limiter makes one for a key that is asked for, and forgets it when it is as good as new. */

import { Holders } from "./holders.ts";
import { createInstance, type Instance, type Limiter, microsUntilAsNew, NO_QUEUE } from "./limiter.ts";
import { noteChange, type State } from "./state.ts";

/** µs that an instance is kept after it is as good as new, so that a busy key is not made anew with every request. */
const LINGER = 1_000_000;
/** µs after which to ask again for room among keys that have yet to catch up with a change of the rate. */
const RECKONING = 100_000;
/** The most that one step forgets; the rest comes in the next. */
const FORGET_AT_ONCE = 1_000;

/** The limiter's instance for a key; undefined if there is none (yet). */
export function findInstance(limiter: Limiter, key: string): Instance | undefined {
  return limiter.instances.get(key);
}

/** The limiter's instance for a key, made if need be; the caller has made sure of room. */
export function openInstance(state: State, limiter: Limiter, key: string): Instance {
  let instance = limiter.instances.get(key);
  if (instance === undefined) {
    instance = createInstance(limiter, key, state.now);
    limiter.instances.set(key, instance);
  } else if (instance.idle) {
    limiter.idle.clear(instance);
    instance.idle = false;
  }
  return instance;
}

/**
 * Returns when `count` more keys find room, after forgetting what is as good as new: now, at a later instant if no idle key
 * is asked for before, or Infinity while too few are idle. What the same request claims, `inUse`, stays.
 */
export function makeRoom(
  state: State,
  limiter: Limiter,
  count: number,
  inUse: readonly { readonly instance: Instance | undefined }[],
): number {
  const excess = limiter.instances.size + count - limiter.config.maxKeys;
  if (excess <= 0) return state.now;
  const kept = inUse.flatMap(({ instance }) => (instance?.idle && instance.limiter === limiter ? [instance] : []));
  for (const instance of kept) limiter.idle.clear(instance);
  const forgotten = forgetIdle(state, limiter, excess);
  let roomAt = forgotten === excess ? state.now : dueOf(limiter.idle, excess - forgotten);
  // When all are full again under a rate that is new is known in a moment.
  if (roomAt > state.now && limiter.earlierRates.length > 0) roomAt = Math.min(roomAt, state.now + RECKONING);
  for (const instance of kept) limiter.idle.set(instance, instance.dueAt);
  return roomAt;
}

/** More are not looked at: then the time of so many is answered, which is none too late to ask again. */
const MOST_LOOKED_AT = 16;

/** When the first `count` of them will have fallen due; Infinity if there are fewer. */
function dueOf(idle: Limiter["idle"], count: number): number {
  if (idle.size < count) return Number.POSITIVE_INFINITY;
  const first: Instance[] = [];
  while (first.length < Math.min(count, MOST_LOOKED_AT)) {
    const instance = idle.first as Instance;
    idle.clear(instance);
    first.push(instance);
  }
  for (const instance of first) idle.set(instance, instance.dueAt);
  return (first.at(-1) as Instance).dueAt;
}

/** Since when the permits of an instance are held. */
export function holdersOf(instance: Instance): Holders {
  instance.holders ??= new Holders();
  return instance.holders;
}

/** Puts an instance aside if nothing of it is held or waited for. */
export function closeIfIdle(state: State, instance: Instance): void {
  const { limiter } = instance;
  if (!limiter.config.keyed || instance.idle || instance.permitsInUse > 0 || instance.queue.size > 0) return;
  clearHeadDeadline(state, instance);
  instance.idle = true;
  // Most keys are idle: what they need not have they do not keep.
  instance.holders = undefined;
  instance.slots = undefined;
  instance.queue = NO_QUEUE;
  limiter.idle.set(instance, state.now + microsUntilAsNew(instance, state.now));
  if (limiter.heapIndex === -1) state.deadlines.set(limiter, limiter.idle.earliest + LINGER);
}

/** Forgets a limiter's instances that are as good as new, and sees to the next ones. */
export function forgetAsNew(state: State, limiter: Limiter): void {
  const forgotten = forgetIdle(state, limiter, FORGET_AT_ONCE);
  if (limiter.idle.size === 0) return;
  // Due now it would be taken again in this step.
  const isMore = forgotten === FORGET_AT_ONCE || limiter.idle.earliest <= state.now;
  state.deadlines.set(limiter, isMore ? state.now + 1 : limiter.idle.earliest + LINGER);
}

/** After a change of the rate: when an idle instance will be full has changed. */
export function reschedule(state: State, instance: Instance): void {
  instance.limiter.idle.set(instance, state.now + microsUntilAsNew(instance, state.now));
}

/** Sets when the head of the instance's queue will have its tokens; `precise`: being late would lose some. */
export function setHeadDeadline(
  state: State,
  instance: Instance,
  { at, precise }: { readonly at: number; readonly precise: boolean },
): void {
  clearHeadDeadline(state, instance);
  state.deadlines.set(instance, at);
  instance.precise = precise;
  if (precise) state.preciseDeadlines += 1;
}

export function clearHeadDeadline(state: State, instance: Instance): void {
  // The deadline of an idle instance is its limiter's affair.
  if (instance.idle) return;
  state.deadlines.clear(instance);
  if (instance.precise) state.preciseDeadlines -= 1;
  instance.precise = false;
}

function forgetIdle(state: State, limiter: Limiter, atMost: number): number {
  let forgotten = 0;
  for (let looked = 0; forgotten < atMost && looked < FORGET_AT_ONCE; looked++) {
    const instance = limiter.idle.takeDue(state.now);
    if (instance === undefined) break;
    // Its time is that of an earlier rate.
    if (instance.rateChanges !== limiter.rateChanges) {
      reschedule(state, instance);
      if (instance.dueAt > state.now) continue;
      limiter.idle.clear(instance);
    }
    limiter.instances.delete(instance.key);
    dropBucket(state, instance);
    forgotten += 1;
  }
  return forgotten;
}

/** There is nothing to remember of its bucket any more. */
export function dropBucket(state: State, { limiter, key }: Instance): void {
  noteChange(state, { kind: "bucket-dropped", limiter: limiter.config.name, key });
}
