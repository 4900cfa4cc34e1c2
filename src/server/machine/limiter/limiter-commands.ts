/** Making, changing and deleting limiters: each change takes effect at one instant and settles the queue at once. */

import { type Reason, type RefusalNumbers, refusal } from "../reasons.ts";
import { beginCatchUp, keepBucket } from "./chores.ts";
import type { CreateLimiter, Declare, DeleteLimiter, Outcomes, UpdateLimiter } from "./command.ts";
import { changeBucket } from "./earlier-rates.ts";
import { endLease, removeIfDrained } from "./ending.ts";
import { reschedule } from "./instances.ts";
import { heldLimiters } from "./lease.ts";
import {
  createInstance,
  excessOf,
  type Instance,
  type Limiter,
  type LimiterConfig,
  createLimiter as newLimiter,
  sameConfig,
} from "./limiter.ts";
import { dequeue, unsettle } from "./queue.ts";
import { type Rate, sameRate, sameStatement } from "./rate.ts";
import { countRefusal } from "./settle.ts";
import { noteChange, type State } from "./state.ts";

export function createLimiter(state: State, { config }: CreateLimiter): Outcomes["create-limiter"] {
  const limiter = state.limiters.get(config.name);
  if (limiter === undefined) {
    const limiters = state.limiters.size - state.declaredLimiters;
    const { maxLimiters } = state;
    if (limiters >= maxLimiters) {
      return refusal("TOO_MANY_LIMITERS", { limiter: config.name, numbers: { limiters, maxLimiters } });
    }
    return { kind: "limiter", limiter: add(state, config, undefined) };
  }
  // While it drains its name is not reborn: that would be the same capacity twice.
  if (limiter.deleting || !sameConfig(limiter.config, config)) {
    return refusal("LIMITER_EXISTS", { limiter: config.name });
  }
  return { kind: "limiter", limiter };
}

export function updateLimiter(state: State, { config, revision }: UpdateLimiter): Outcomes["update-limiter"] {
  const limiter = state.limiters.get(config.name);
  if (limiter === undefined || limiter.deleting) return refusal("LIMITER_NOT_FOUND", { limiter: config.name });
  if (revision !== undefined && revision !== limiter.revision) {
    return refusal("ETAG_MISMATCH", { limiter: config.name });
  }
  configure(state, limiter, config);
  return { kind: "limiter", limiter };
}

export function deleteLimiter(state: State, command: DeleteLimiter): Outcomes["delete-limiter"] {
  const { name, revision, force } = command;
  const limiter = state.limiters.get(name);
  if (limiter === undefined) return refusal("LIMITER_NOT_FOUND", { limiter: name });
  if (limiter.declaration !== undefined) return refusal("DECLARED", { limiter: name });
  if (revision !== undefined && revision !== limiter.revision) return refusal("ETAG_MISMATCH", { limiter: name });
  return remove(state, limiter, force);
}

/** Takes up what the file declares. A limiter whose declaration is as before keeps what was changed by RPC. */
export function declare(state: State, { configs, undeclared }: Declare): Outcomes["declare"] {
  const outcome = {
    created: [] as string[],
    changed: [] as string[],
    deleted: [] as string[],
    refused: [] as string[],
  };
  for (const config of configs) {
    const limiter = state.limiters.get(config.name);
    if (limiter === undefined) {
      add(state, config, config);
      outcome.created.push(config.name);
    } else if (limiter.config.keyed !== config.keyed && isUnused(limiter)) {
      limiter.deleting = true;
      removeIfDrained(state, limiter);
      add(state, config, config);
      outcome.changed.push(config.name);
    } else {
      const { keyed } = limiter.config;
      if (limiter.deleting || !isDeclaredAs(limiter, config)) {
        // Declared again while it drains, it lives on, and what is still held of it counts.
        limiter.deleting = false;
        declareAs(state, limiter, config);
        configure(state, limiter, { ...config, keyed });
        outcome.changed.push(config.name);
      }
      // What is held and waited for belongs to keys, or to none.
      if (keyed !== config.keyed) outcome.refused.push(config.name);
    }
  }
  for (const name of undeclared) {
    const limiter = state.limiters.get(name);
    if (limiter?.declaration === undefined) continue;
    declareAs(state, limiter, undefined);
    remove(state, limiter, false);
    outcome.deleted.push(name);
  }
  return { kind: "declared", ...outcome };
}

/** Whether nothing of it is held, and no waiter is there, present or away. */
function isUnused({ leases, queued }: Limiter): boolean {
  return leases === 0 && queued.size === 0;
}

function declareAs(state: State, limiter: Limiter, declaration: LimiterConfig | undefined): void {
  state.declaredLimiters += Number(declaration !== undefined) - Number(limiter.declaration !== undefined);
  limiter.declaration = declaration;
}

/** A rate that is only written in another way is shown so, too. */
function isDeclaredAs({ declaration }: Limiter, config: LimiterConfig): boolean {
  if (declaration === undefined || !sameConfig(declaration, config)) return false;
  return sameStatement(declaration.rate?.stated, config.rate?.stated);
}

function add(state: State, config: LimiterConfig, declaration: LimiterConfig | undefined): Limiter {
  const fencingToken = Math.max(state.fencingEpoch + state.now, state.fencingFloor);
  const limiter = newLimiter({ config, declaration, fencingToken }, state.now);
  if (!config.keyed) limiter.instances.set("", createInstance(limiter, "", state.now));
  state.limiters.set(config.name, limiter);
  state.limiterNames.add(config.name);
  if (declaration !== undefined) state.declaredLimiters += 1;
  noteChange(state, { kind: "limiter-put", limiter });
  return limiter;
}

function configure(state: State, limiter: Limiter, config: LimiterConfig): void {
  const before = limiter.config.rate;
  limiter.config = config;
  if (!sameRate(before, config.rate)) changeRate(state, limiter, before);
  limiter.revision += 1;
  limiter.updatedAt = state.now;
  limiter.statistics.activity += 1;
  noteChange(state, { kind: "limiter-put", limiter });
  for (const instance of [...limiter.queued]) {
    turnAway(state, instance, "CLAIM_EXCEEDS_LIMIT", (permits, tokens) => excessOf(limiter, permits, tokens));
    unsettle(state, instance);
  }
}

/** The buckets of a few keys go on under the new rate at once, those of many when they are used or their turn comes. */
function changeRate(state: State, limiter: Limiter, before: Rate | undefined): void {
  const { instances, earlierRates, config } = limiter;
  if (instances.size > state.keysAtOnce || earlierRates.length > 0) {
    earlierRates.push({ rate: before, until: state.now });
    limiter.rateChanges += 1;
    // What is under way goes through all keys, and then sees that there was another change.
    if (earlierRates.length === 1) beginCatchUp(state, limiter);
    return;
  }
  for (const instance of instances.values()) {
    changeBucket(instance.bucket, { before, after: config.rate }, state.now);
    keepBucket(state, instance);
    if (instance.idle) reschedule(state, instance);
  }
}

function remove(state: State, limiter: Limiter, force: boolean): Outcomes["delete-limiter"] {
  limiter.deleting = true;
  limiter.updatedAt = state.now;
  limiter.statistics.activity += 1;
  for (const instance of [...limiter.queued]) turnAway(state, instance, "LIMITER_NOT_FOUND", () => NO_NUMBERS);
  if (force) {
    for (const lease of [...state.leases.values()]) {
      if (heldLimiters(lease).includes(limiter)) endLease(state, lease, "deleted");
    }
  }
  const gone = removeIfDrained(state, limiter) || !state.limiters.has(limiter.config.name);
  if (!gone) noteChange(state, { kind: "limiter-put", limiter });
  return { kind: "limiter-deleted", name: limiter.config.name, drainingLeases: gone ? 0 : limiter.leases };
}

const NO_NUMBERS: RefusalNumbers = {};

/** Refuses those in a queue, present or away, whose claim is of a kind that can never be granted. */
function turnAway(
  state: State,
  instance: Instance,
  reason: Reason,
  hopeless: (permits: number, tokens: number) => RefusalNumbers | undefined,
): void {
  const { limiter, key } = instance;
  for (const { waiter, claim } of [...instance.queue.all()]) {
    const numbers = hopeless(claim.permits, claim.tokens);
    if (numbers === undefined) continue;
    dequeue(state, waiter);
    countRefusal(state, limiter.config.name, reason);
    if (waiter.stream === undefined) continue;
    const news = refusal(reason, { limiter: limiter.config.name, key, numbers });
    state.events.push({ to: waiter.stream, about: waiter.id, news });
  }
}
