/** Making, changing and deleting limiters: each change takes effect at one instant and settles the queue at once. */

import type { CreateLimiter, Declare, DeleteLimiter, Outcomes, UpdateLimiter } from "./command.ts";
import { endLease, removeIfDrained } from "./ending.ts";
import { dropBucket, rescheduleIdle } from "./instances.ts";
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
import { type Reason, type RefusalNumbers, refusal } from "./reasons.ts";
import { countRefusal } from "./settle.ts";
import type { State } from "./state.ts";
import { changeRate, fullBucket, refill } from "./token-bucket.ts";

export function createLimiter(state: State, { config }: CreateLimiter): Outcomes["create-limiter"] {
  const limiter = state.limiters.get(config.name);
  if (limiter === undefined) return { kind: "limiter", limiter: add(state, config, undefined) };
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
        limiter.declaration = config;
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
    limiter.declaration = undefined;
    remove(state, limiter, false);
    outcome.deleted.push(name);
  }
  return { kind: "declared", ...outcome };
}

/** Whether nothing of it is held, and nobody waits, present or away. */
function isUnused(limiter: Limiter): boolean {
  if (limiter.leases > 0) return false;
  return [...limiter.instances.values()].every(({ queue }) => [...queue.all()].length === 0);
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
  state.changes.push({ kind: "limiter-put", limiter });
  return limiter;
}

function configure(state: State, limiter: Limiter, config: LimiterConfig): void {
  const before = limiter.config.rate;
  if (!sameRate(before, config.rate)) {
    for (const instance of limiter.instances.values()) changeBucket(state, instance, { before, after: config.rate });
  }
  limiter.config = config;
  limiter.revision += 1;
  limiter.updatedAt = state.now;
  limiter.statistics.activity += 1;
  state.changes.push({ kind: "limiter-put", limiter });
  rescheduleIdle(state, limiter);
  for (const instance of limiter.instances.values()) {
    turnAway(state, instance, "CLAIM_EXCEEDS_LIMIT", (permits, tokens) => excessOf(limiter, permits, tokens));
    unsettle(state, instance);
  }
}

/**
 * What was gained so far was gained at the old rate. A rate limit that is new begins full, as a new limiter does.
 *
 * The record of a bucket that is not full is written again. One that is full keeps its record, which names another rate
 * than the limiter's from now on, or says by itself that it is full.
 */
function changeBucket(
  state: State,
  instance: Instance,
  { before, after }: { readonly before: Rate | undefined; readonly after: Rate | undefined },
): void {
  const { bucket } = instance;
  if (before !== undefined && after !== undefined) {
    refill(bucket, before, state.now);
    changeRate(bucket, before, after);
    if (bucket.tokens < after.capacity) state.changes.push({ kind: "tokens-spent", instance });
    return;
  }
  Object.assign(bucket, fullBucket(after, state.now));
  if (after === undefined) dropBucket(state, instance);
}

function remove(state: State, limiter: Limiter, force: boolean): Outcomes["delete-limiter"] {
  limiter.deleting = true;
  limiter.updatedAt = state.now;
  limiter.statistics.activity += 1;
  for (const instance of limiter.instances.values()) turnAway(state, instance, "LIMITER_NOT_FOUND", () => NO_NUMBERS);
  if (force) {
    for (const lease of [...state.leases.values()]) {
      if (heldLimiters(lease).includes(limiter)) endLease(state, lease, "deleted");
    }
  }
  const gone = removeIfDrained(state, limiter) || !state.limiters.has(limiter.config.name);
  if (!gone) state.changes.push({ kind: "limiter-put", limiter });
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
    state.events.push({ to: waiter.stream, ...refusal(reason, { limiter: limiter.config.name, key, numbers }) });
  }
}
