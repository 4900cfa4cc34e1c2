/** Where a request is aimed, and what stands in its way there. */

import type { Claim } from "./claim.ts";
import { demandOf, estimateIn } from "./estimate.ts";
import { closedFor, obstacle } from "./grant.ts";
import { findInstance, makeRoom, openInstance } from "./instances.ts";
import { excessOf, flowOf, type Instance, type Limiter } from "./limiter.ts";
import { type Refusal, refusal } from "./reasons.ts";
import type { State } from "./state.ts";

/** Where the claims are aimed: a limiter each, and its instance unless that has yet to be made. */
export interface Target {
  readonly kind: "target";
  readonly limiters: readonly Limiter[];
  readonly instances: readonly (Instance | undefined)[];
}

/** Finds what the claims name, and refuses what can never be granted. */
export function resolve(state: State, claims: readonly Claim[]): Target | Refusal {
  const limiters: Limiter[] = [];
  const instances: (Instance | undefined)[] = [];
  for (const [index, claim] of claims.entries()) {
    const limiter = state.limiters.get(claim.limiter);
    if (limiter === undefined || limiter.deleting) return refusal("LIMITER_NOT_FOUND", aimOf(claim, index));
    if (limiter.config.keyed !== (claim.key !== "")) {
      return refusal(limiter.config.keyed ? "KEY_REQUIRED" : "KEY_NOT_ALLOWED", aimOf(claim, index));
    }
    const numbers = excessOf(limiter, claim.permits, claim.tokens);
    if (numbers !== undefined) return refusal("CLAIM_EXCEEDS_LIMIT", { ...aimOf(claim, index), numbers });
    limiters.push(limiter);
    instances.push(findInstance(limiter, claim.key));
  }
  for (const limiter of limiters) {
    flowOf(limiter).arrivals.count(state.now);
    limiter.statistics.activity += 1;
  }
  return { kind: "target", limiters, instances };
}

/** Which claim a refusal is about. */
function aimOf({ limiter, key }: Claim, index: number) {
  return { limiter, key, claim: index };
}

/** Why the claims cannot be granted at this instant; undefined: they can. */
export function refusalNow(state: State, claims: readonly Claim[], target: Target): Refusal | undefined {
  let first: Refusal | undefined;
  let retryAfter: number | undefined = 0;
  for (const [index, claim] of claims.entries()) {
    const instance = target.instances[index];
    const limiter = target.limiters[index] as Limiter;
    const waiting = instance?.queue.presentCount ?? 0;
    const inTheWay = instance === undefined ? closedFor(state, limiter) : obstacle(state, instance, claim);
    if (inTheWay === undefined && waiting === 0) continue;
    const details = aimOf(claim, index);
    const wait = inTheWay?.kind === "tokens" && waiting === 0 ? inTheWay.wait : undefined;
    retryAfter = wait === undefined || retryAfter === undefined ? undefined : Math.max(retryAfter, wait);
    if (inTheWay?.kind === "learning") first ??= refusal("LEARNING", { ...details, waitersAhead: waiting });
    else if (inTheWay?.kind === "paused") first ??= refusal("PAUSED", { ...details, waitersAhead: waiting });
    else if (waiting > 0) first ??= refusal("WAITERS_AHEAD", { ...details, waitersAhead: waiting });
    else if (inTheWay?.kind === "permits") first ??= concurrencyExhausted(limiter, instance, claim, index);
    else first ??= refusal("RATE_EXHAUSTED", { ...details, numbers: { tokens: claim.tokens } });
  }
  return first === undefined ? roomForKeys(state, claims, target) : { ...first, retryAfter };
}

function concurrencyExhausted(limiter: Limiter, instance: Instance | undefined, claim: Claim, index: number): Refusal {
  const { maxConcurrent } = limiter.config;
  const numbers = { permits: claim.permits, permitsInUse: instance?.permitsInUse ?? 0, maxConcurrent };
  return refusal("CONCURRENCY_EXHAUSTED", { ...aimOf(claim, index), numbers });
}

/** Makes sure that the keys which are new find room; what is as good as new is forgotten for them. */
export function roomForKeys(state: State, claims: readonly Claim[], target: Target): Refusal | undefined {
  if (!target.instances.includes(undefined)) return undefined;
  let first: number | undefined;
  let roomAt = state.now;
  for (const [index, limiter] of target.limiters.entries()) {
    if (target.instances[index] !== undefined) continue;
    const count = target.limiters.filter((other, i) => other === limiter && target.instances[i] === undefined).length;
    const at = makeRoom(state, limiter, count, target.instances);
    if (at > state.now) first ??= index;
    roomAt = Math.max(roomAt, at);
  }
  if (first === undefined) return undefined;
  const claim = claims[first] as Claim;
  return refusal("KEYS_EXHAUSTED", {
    ...aimOf(claim, first),
    retryAfter: roomAt === Number.POSITIVE_INFINITY ? undefined : roomAt - state.now,
    numbers: { maxKeys: target.limiters[first]?.config.maxKeys },
  });
}

export function roomInQueues(state: State, claims: readonly Claim[], target: Target): Refusal | undefined {
  if (state.waiters.size >= state.maxWaiters) {
    return refusal("QUEUE_FULL", { waitersAhead: state.waiters.size, numbers: { maxWaiters: state.maxWaiters } });
  }
  for (const [index, limiter] of target.limiters.entries()) {
    const queued = target.instances[index]?.queue.size ?? 0;
    if (queued < limiter.config.maxWaiters) continue;
    const claim = claims[index] as Claim;
    return refusal("QUEUE_FULL", {
      ...aimOf(claim, index),
      waitersAhead: queued,
      numbers: { maxWaiters: limiter.config.maxWaiters },
    });
  }
  return undefined;
}

/** A limiter that is asked to refuses at once whom it would keep waiting for too long. */
export function inVain(state: State, claims: readonly Claim[], target: Target, maxWait: number): Refusal | undefined {
  for (const [index, limiter] of target.limiters.entries()) {
    if (!limiter.config.refuseLongWaits) continue;
    const claim = claims[index] as Claim;
    const instance = target.instances[index];
    const estimate = instance === undefined ? 0 : estimateIn(instance, demandOf(instance, claim), state.now);
    if (estimate === undefined || estimate <= maxWait) continue;
    return refusal("WAIT_TOO_LONG", {
      ...aimOf(claim, index),
      retryAfter: estimate - maxWait,
      waitersAhead: instance?.queue.presentCount ?? 0,
      numbers: { estimatedWait: estimate, maxWait },
    });
  }
  return undefined;
}

export function openAll(state: State, claims: readonly Claim[], target: Target): Instance[] {
  return claims.map((claim, index) => openInstance(state, target.limiters[index] as Limiter, claim.key));
}
