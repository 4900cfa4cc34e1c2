/** What is always true of one instance between two steps. */

import { counts, holds } from "../structures/invariant.ts";
import { caughtUp } from "./earlier-rates.ts";
import type { Instance, Place } from "./limiter.ts";
import { FOREVER, type Rate } from "./rate.ts";
import type { State } from "./state.ts";
import type { Bucket } from "./token-bucket.ts";

/** What live leases hold of an instance. */
export interface Held {
  permits: number;
  readonly slots: number[];
}

/** Its bucket, its queue and its permits; O(n log n) in its queue. */
export function assertInstance(state: State, instance: Instance, held: Held): void {
  const { limiter, queue } = instance;
  holds(limiter.instances.get(instance.key) === instance, instance, "its limiter knows it");
  holds(!instance.unsettled, instance, "no queue is left unsettled");
  const unused = instance.permitsInUse === 0 && queue.size === 0;
  holds(
    instance.idle === (limiter.config.keyed && unused),
    instance,
    "idle is a key of which nothing is held or asked",
  );
  assertBucket(state, instance);
  assertPermits(instance, held);
  assertQueue(state, instance);
  assertHead(state, instance);
}

/** 0 <= tokens <= capacity and 0 <= parts < unit, all whole; a full bucket has no parts of a token more. O(1). */
function assertBucket(state: State, instance: Instance): void {
  const { limiter } = instance;
  const behind = limiter.rateChanges - instance.rateChanges;
  holds(
    behind >= 0 && behind <= limiter.earlierRates.length,
    instance,
    "its limiter knows the rates that it has yet to go through",
  );
  const bucket = caughtUp(instance);
  const { capacity, unit } = limiter.config.rate ?? { capacity: 0, unit: 1 };
  const { tokens, parts } = bucket;
  holds(bucket.at <= state.now, instance, "its bucket is not ahead of time");
  holds(Number.isSafeInteger(tokens) && Number.isSafeInteger(parts), instance, "tokens and parts are whole");
  holds(tokens >= 0 && tokens <= capacity, instance, "0 <= tokens <= capacity");
  holds(parts >= 0 && parts < unit, instance, "0 <= parts < unit");
  holds(tokens < capacity || parts === 0, instance, "a full bucket has no parts");
}

/** Permits in use are those of live leases, at most the limit; slots lie below it, and no two are the same. */
function assertPermits(instance: Instance, held: Held): void {
  const { limiter, permitsInUse } = instance;
  counts(permitsInUse, held.permits, instance, "permits held by leases");
  const inGroups = instance.holders?.groups.reduce((sum, group) => sum + group.permits, 0) ?? 0;
  counts(inGroups, permitsInUse, instance, "permits in the groups of its holders");
  counts(held.slots.length, new Set(held.slots).size, instance, "different slots");
  // A limit that was changed lets leases above it finish.
  if (limiter.revision > 1) return;
  const limit = limiter.config.maxConcurrent ?? 0;
  holds(permitsInUse <= limit, instance, "no more permits are in use than there are");
  holds(!held.slots.some((slot) => slot >= limit), instance, "slots are lower than the limit");
}

/** Places stand in the order of arrival, each of a waiter that has it, and their sums are right. */
function assertQueue(state: State, instance: Instance): void {
  const { queue } = instance;
  let arrival = 0;
  let size = 0;
  let present = 0;
  let permits = 0;
  let tokens = 0;
  for (const place of queue.all()) {
    const { waiter, claim } = place;
    holds(place.arrival > arrival, instance, "its queue is in the order of arrival");
    holds(state.waiters.get(waiter.id) === waiter, instance, "each place of the queue is of a waiter");
    holds(place.instance === instance && waiter.places.includes(place), instance, "places belong to their waiters");
    arrival = place.arrival;
    size += 1;
    if (!place.present) continue;
    if (present === 0) holds(queue.first === place, instance, "the first of those present is the next");
    present += 1;
    permits += claim.permits;
    tokens += claim.tokens;
  }
  if (present === 0) holds(queue.first === undefined, instance, "nothing present implies no first");
  counts(queue.size, size, instance, "places");
  counts(queue.presentCount, present, instance, "waiters present");
  counts(instance.queuedPermits, permits, instance, "permits asked for in the queue");
  counts(instance.queuedTokens, tokens, instance, "tokens asked for in the queue");
}

/** No wake-up is lost or idle: the head cannot be admitted now, and there is a deadline where only tokens keep it. */
function assertHead(state: State, instance: Instance): void {
  const wait = tokenWaitOfHead(state, instance);
  holds(wait !== 0, instance, "the head does not fit now");
  if (instance.idle) return;
  const due = instance.heapIndex === -1 ? undefined : instance.dueAt - state.now;
  // Waits that are as good as endless are not distinguished.
  const isEndless = wait !== undefined && due !== undefined && Math.min(wait, due) > FOREVER / 2;
  holds(due === wait || isEndless, instance, "its deadline is the instant at which its head has its tokens");
}

/** µs until the head has its tokens everywhere; undefined: there is no head, or something else is in its way. */
function tokenWaitOfHead(state: State, { queue }: Instance): number | undefined {
  const places = queue.first?.waiter.places;
  if (places === undefined || state.learning || !places.every(couldBeNext)) return undefined;
  return Math.max(...places.map((place) => tokenWait(place, state.now)));
}

function couldBeNext(place: Place): boolean {
  const { limiter, queue, permitsInUse } = place.instance;
  const { paused, maxConcurrent } = limiter.config;
  const { permits } = place.claim;
  const fits = maxConcurrent === undefined || permits === 0 || permitsInUse + permits <= maxConcurrent;
  return queue.first === place && !paused && fits;
}

/** µs until the bucket holds what the claim asks, without touching it. */
function tokenWait({ instance, claim }: Place, now: number): number {
  const { rate } = instance.limiter.config;
  if (rate === undefined) return 0;
  const bucket = caughtUp(instance);
  return Math.max(0, bucket.at + microsToHold(bucket, rate, claim.tokens) - now);
}

/** By the definition, in exact integers. */
function microsToHold({ tokens, parts }: Bucket, { gain, unit }: Rate, wanted: number): number {
  if (wanted <= tokens) return 0;
  const missing = BigInt(wanted - tokens) * BigInt(unit) - BigInt(parts);
  return Number((missing + BigInt(gain) - 1n) / BigInt(gain));
}
