/**
 * What has to be done for every key of a limiter is done a few keys at a time, each time in a step of its own, so that no
 * step takes long however many keys there are. What decides does not wait for it: buckets catch up by themselves when they
 * are used (`earlier-rates.ts`), and a limiter that is gone is gone.
 */

import type { Chore } from "./chore.ts";
import { catchUp } from "./earlier-rates.ts";
import { dropBucket, reschedule } from "./instances.ts";
import type { Instance, Limiter } from "./limiter.ts";
import { noteChange, type State } from "./state.ts";

/** Of keys that a change goes through at once, how many times as many a step goes through later. */
const KEYS_A_STEP = 16;

/** Has the buckets of a limiter catch up with the changes of its rate that it remembers. Not while that is under way. */
export function beginCatchUp(state: State, limiter: Limiter): void {
  begin(state, "catch-up", limiter);
}

/** The limiter is gone: nothing is kept of its buckets. */
export function dropBuckets(state: State, limiter: Limiter): void {
  if (limiter.earlierRates.length > 0) callOff(state, limiter);
  if (limiter.instances.size > state.keysAtOnce) begin(state, "drop", limiter);
  else for (const instance of limiter.instances.values()) dropBucket(state, instance);
}

/** Does a slice of what is left. */
export function doChores(state: State): void {
  const { chores } = state;
  let keys = Math.max(1, KEYS_A_STEP * state.keysAtOnce);
  for (let chore = chores.left[0]; chore !== undefined && keys > 0; chore = chores.left[0]) {
    for (; keys > 0; keys--) {
      const { value: instance, done = false } = chore.rest.next();
      if (done) break;
      if (chore.what === "drop") dropOne(state, instance);
      else bringUp(state, instance);
    }
    if (keys === 0) break;
    chores.left.shift();
    if (chore.what === "catch-up") finishCatchUp(state, chore);
  }
  // Due now it would be taken again in this step.
  if (chores.left.length > 0) state.deadlines.set(chores, state.now + 1);
  else state.deadlines.clear(chores);
}

function callOff({ chores, deadlines }: State, limiter: Limiter): void {
  const index = chores.left.findIndex((chore) => chore.limiter === limiter);
  chores.left.splice(index, 1);
  if (chores.left.length === 0) deadlines.clear(chores);
}

function begin(state: State, what: Chore["what"], limiter: Limiter): void {
  const { chores } = state;
  chores.left.push({ what, limiter, rateChanges: limiter.rateChanges, rest: limiter.instances.values() });
  if (chores.heapIndex === -1) state.deadlines.set(chores, state.now + 1);
}

/**
 * The record of a bucket that is not full is written again, and that is all that a bucket's record names another rate than its
 * limiter's for: once the limiter remembers no earlier rates, such a record is a full bucket.
 */
function bringUp(state: State, instance: Instance): void {
  catchUp(instance);
  keepBucket(state, instance);
  if (instance.idle) reschedule(state, instance);
}

/** Keeps what a change of the rate has made of a bucket. */
export function keepBucket(state: State, instance: Instance): void {
  const { rate } = instance.limiter.config;
  if (rate === undefined) dropBucket(state, instance);
  else if (instance.bucket.tokens < rate.capacity) noteChange(state, { kind: "tokens-spent", instance });
}

function finishCatchUp(state: State, { limiter, rateChanges }: Chore): void {
  const since = limiter.rateChanges - rateChanges;
  limiter.earlierRates.splice(0, limiter.earlierRates.length - since);
  noteChange(state, { kind: "limiter-put", limiter });
  if (since > 0) begin(state, "catch-up", limiter);
}

/** One of the same name may have the key by now, and its own record under it. */
function dropOne(state: State, { limiter, key }: Instance): void {
  const heir = state.limiters.get(limiter.config.name)?.instances.get(key);
  if (heir === undefined) {
    noteChange(state, { kind: "bucket-dropped", limiter: limiter.config.name, key });
    return;
  }
  if (heir.rateChanges !== heir.limiter.rateChanges) catchUp(heir);
  if (heir.limiter.config.rate === undefined) dropBucket(state, heir);
  else noteChange(state, { kind: "tokens-spent", instance: heir });
}
