/** Where a request is aimed, and what stands in its way there. */

import { type Refusal, refusal, type WaitReason } from "../reasons.ts";
import type { Claim } from "./claim.ts";
import { demandOf, estimateIn } from "./estimate.ts";
import { closedFor, OBSTACLE_REASONS, obstacle } from "./grant.ts";
import { findInstance, makeRoom, openInstance } from "./instances.ts";
import { excessOf, flowOf, type Instance, type Limiter, type OpenClaim, type Waiter } from "./limiter.ts";
import type { State } from "./state.ts";
import type { ObstacleView } from "./view.ts";

/** Where a claim is aimed. */
export interface ClaimTarget {
  readonly claim: Claim;
  /** Which of the request's claims it is. */
  readonly index: number;
  readonly limiter: Limiter;
  /** Undefined: it has yet to be made. */
  readonly instance: Instance | undefined;
}

/** Finds what the claims name, and refuses what can never be granted. */
export function resolve(state: State, claims: readonly Claim[]): ClaimTarget[] | Refusal {
  const targets = targetsOf(state, claims);
  if (!Array.isArray(targets)) return targets;
  for (const { limiter } of targets) {
    flowOf(limiter).arrivals.count(state.now);
    limiter.statistics.activity += 1;
  }
  return targets;
}

function targetsOf(state: State, claims: readonly Claim[]): ClaimTarget[] | Refusal {
  const first = targetOf(state, claims[0] as Claim, 0);
  if ("reason" in first) return first;
  // A list that begins with all that it will have takes an eighth of the memory of one that grows.
  const targets = [first];
  for (let index = 1; index < claims.length; index++) {
    const target = targetOf(state, claims[index] as Claim, index);
    if ("reason" in target) return target;
    targets.push(target);
  }
  return targets;
}

function targetOf(state: State, claim: Claim, index: number): ClaimTarget | Refusal {
  const limiter = state.limiters.get(claim.limiter);
  if (limiter === undefined || limiter.deleting) return refusal("LIMITER_NOT_FOUND", aimOf({ claim, index }));
  if (limiter.config.keyed !== (claim.key !== "")) {
    return refusal(limiter.config.keyed ? "KEY_REQUIRED" : "KEY_NOT_ALLOWED", aimOf({ claim, index }));
  }
  const numbers = excessOf(limiter, claim.permits, claim.tokens);
  if (numbers !== undefined) return refusal("CLAIM_EXCEEDS_LIMIT", { ...aimOf({ claim, index }), numbers });
  return { claim, index, limiter, instance: findInstance(limiter, claim.key) };
}

/** Which claim a refusal is about. */
function aimOf({ claim: { limiter, key }, index }: Pick<ClaimTarget, "claim" | "index">) {
  return { limiter, key, claim: index };
}

/** Why the claims cannot be granted at this instant; undefined: they can. */
export function refusalNow(state: State, targets: readonly ClaimTarget[]): Refusal | undefined {
  let first: Refusal | undefined;
  let retryAfter: number | undefined = 0;
  for (const target of targets) {
    const { claim, limiter, instance } = target;
    const waiting = instance?.queue.presentCount ?? 0;
    const inTheWay = instance === undefined ? closedFor(state, limiter) : obstacle(state, instance, claim);
    if (inTheWay === undefined && waiting === 0) continue;
    const details = aimOf(target);
    const wait = inTheWay?.kind === "tokens" && waiting === 0 ? inTheWay.wait : undefined;
    retryAfter = wait === undefined || retryAfter === undefined ? undefined : Math.max(retryAfter, wait);
    if (inTheWay?.kind === "learning" || inTheWay?.kind === "paused") {
      first ??= refusal(OBSTACLE_REASONS[inTheWay.kind], { ...details, waitersAhead: waiting });
    } else if (waiting > 0) first ??= refusal("WAITERS_AHEAD", { ...details, waitersAhead: waiting });
    else if (inTheWay?.kind === "permits") first ??= concurrencyExhausted(target);
    else first ??= refusal("RATE_EXHAUSTED", { ...details, numbers: { tokens: claim.tokens } });
  }
  return first === undefined ? roomForKeys(state, targets) : { ...first, retryAfter };
}

function concurrencyExhausted(target: ClaimTarget): Refusal {
  const { claim, limiter, instance } = target;
  const { maxConcurrent } = limiter.config;
  const numbers = { permits: claim.permits, permitsInUse: instance?.permitsInUse ?? 0, maxConcurrent };
  return refusal("CONCURRENCY_EXHAUSTED", { ...aimOf(target), numbers });
}

/** Makes sure that the keys which are new find room; what is as good as new is forgotten for them. */
export function roomForKeys(state: State, targets: readonly ClaimTarget[]): Refusal | undefined {
  let first: ClaimTarget | undefined;
  let roomAt = state.now;
  for (const target of targets) {
    const { limiter, instance } = target;
    if (instance !== undefined) continue;
    const count = targets.filter((other) => other.limiter === limiter && other.instance === undefined).length;
    const at = makeRoom(state, limiter, count, targets);
    if (at > state.now) first ??= target;
    roomAt = Math.max(roomAt, at);
  }
  if (first === undefined) return undefined;
  return refusal("KEYS_EXHAUSTED", {
    ...aimOf(first),
    retryAfter: roomAt === Number.POSITIVE_INFINITY ? undefined : roomAt - state.now,
    numbers: { maxKeys: first.limiter.config.maxKeys },
  });
}

export function roomInQueues(state: State, targets: readonly ClaimTarget[]): Refusal | undefined {
  if (state.waiters.size >= state.maxWaiters) {
    return refusal("QUEUE_FULL", { waitersAhead: state.waiters.size, numbers: { maxWaiters: state.maxWaiters } });
  }
  for (const target of targets) {
    const { maxWaiters } = target.limiter.config;
    const queued = target.instance?.queue.size ?? 0;
    if (queued < maxWaiters) continue;
    return refusal("QUEUE_FULL", { ...aimOf(target), waitersAhead: queued, numbers: { maxWaiters } });
  }
  return undefined;
}

/** A limiter that is asked to refuses at once a request that would wait for too long. */
export function inVain(state: State, targets: readonly ClaimTarget[], maxWait: number): Refusal | undefined {
  for (const target of targets) {
    const { claim, limiter, instance } = target;
    if (!limiter.config.refuseLongWaits) continue;
    const estimate = instance === undefined ? 0 : estimateIn(instance, demandOf(instance, claim), state.now);
    if (estimate === undefined || estimate <= maxWait) continue;
    return refusal("WAIT_TOO_LONG", {
      ...aimOf(target),
      retryAfter: estimate - maxWait,
      waitersAhead: instance?.queue.presentCount ?? 0,
      numbers: { estimatedWait: estimate, maxWait },
    });
  }
  return undefined;
}

/** What keeps a waiter from its grant: those before it, or what is in the way of the first. */
export function missingOf(state: State, { places }: Waiter): WaitReason {
  if (places.some((place) => place.instance.queue.first !== place)) return "WAITERS_AHEAD";
  for (const { instance, claim } of places) {
    const inTheWay = obstacle(state, instance, claim);
    if (inTheWay !== undefined) return OBSTACLE_REASONS[inTheWay.kind];
  }
  // A place that is kept for a client that is away.
  return "WAITERS_AHEAD";
}

/** The same for each of its queues; a claim that could be granted now is left out. */
export function obstaclesOf(state: State, { places }: Waiter): ObstacleView[] {
  return places.flatMap((place): ObstacleView[] => {
    const { instance, claim, ahead } = place;
    const { limiter, key } = claim;
    if (instance.queue.first !== place) return [{ limiter, key, reason: "WAITERS_AHEAD", waitersAhead: ahead }];
    const inTheWay = obstacle(state, instance, claim);
    if (inTheWay === undefined) return [];
    return [{ limiter, key, reason: OBSTACLE_REASONS[inTheWay.kind], waitersAhead: 0 }];
  });
}

/** The same with every instance there. */
export function openAll(state: State, targets: readonly ClaimTarget[]): readonly OpenClaim[] {
  return targets.every(isOpen) ? targets : targets.map((target) => open(state, target));
}

/** Whether the instance is there and in use, as that of a limiter without keys always is. */
function isOpen(target: ClaimTarget): target is ClaimTarget & OpenClaim {
  return target.instance !== undefined && !target.instance.idle;
}

function open(state: State, { claim, limiter }: ClaimTarget): OpenClaim {
  return { claim, instance: openInstance(state, limiter, claim.key) };
}
