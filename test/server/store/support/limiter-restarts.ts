/**
 * The limiters' machine through random commands and crashes: what each step has to keep is kept as rows, and now and then
 * the machine is gone, and a new one takes up the rows, later and by a wall clock that may have been set. After each step
 * all invariants hold, and after each start all is there that must outlive one.
 */

import { expect } from "vitest";
import { ANONYMOUS_CALLER, keyOfCaller } from "../../../../src/server/machine/callers.ts";
import type { Command, Outcome } from "../../../../src/server/machine/limiter/command.ts";
import { caughtUp } from "../../../../src/server/machine/limiter/earlier-rates.ts";
import { assertMachine } from "../../../../src/server/machine/limiter/invariants.ts";
import type { Lease } from "../../../../src/server/machine/limiter/lease.ts";
import type { Instance, Waiter } from "../../../../src/server/machine/limiter/limiter.ts";
import { createMachine, type Machine, type State } from "../../../../src/server/machine/limiter/machine.ts";
import type { PastRequest } from "../../../../src/server/machine/limiter/past-request.ts";
import { levelOf, refill } from "../../../../src/server/machine/limiter/token-bucket.ts";
import { attachmentKind, expiresAt, sessionIdOf } from "../../../../src/server/machine/liveness.ts";
import { MINUTE, SECOND } from "../../machine/builders.ts";
import { createDice, type Dice } from "../../machine/dice.ts";
import type { Model } from "../../machine/limiter/model.ts";
import { CALLERS, createRandomCommands } from "../../machine/limiter/random-commands.ts";
import { createKeptRows } from "./kept-rows.ts";

const MAX_WAITERS = 12;
/** µs of tokens that are reserved ahead, as `token-reserve.ts` does. */
const BLOCK = 60 * MINUTE;
const STARTUP = 50_000;

export interface RestartOptions {
  readonly script: readonly number[];
  readonly crowded: boolean;
  /** Whether only a part of the rows is found, and of some what they were before. */
  readonly damaged: boolean;
  /** How often something was found that a restart has to bring back. */
  readonly seen: Map<string, number>;
}

interface Run {
  readonly machine: Machine;
  /** µs since 1970 at the machine's zero. */
  readonly epoch: number;
  readonly fencingEpoch: number;
  /** The generator's time at the machine's zero. */
  readonly base: number;
  /** µs for which the server had run at the machine's zero. */
  ranBefore: number;
}

export function playWithRestarts({ script, crowded, damaged, seen }: RestartOptions): void {
  const rows = createKeptRows();
  const tokens = new Map<string, number>();
  let time = 0;
  let wall = 1e15;
  let starts = script.length % 2;
  let run = start({ learning: false, reserved: 0 });
  let wakeAt = Number.POSITIVE_INFINITY;
  const model = modelOf(() => run.machine.state);
  const commands = createRandomCommands({ model, crowded });
  const note = (what: string) => seen.set(what, (seen.get(what) ?? 0) + 1);

  function start({ learning, reserved }: { learning: boolean; reserved: number }): Run {
    const epoch = wall - STARTUP;
    const fencingEpoch = Math.max(epoch, reserved);
    // Of every other machine no key goes through a change of its limiter before its turn comes, or it is used.
    const keysAtOnce = starts % 2 === 0 ? 0 : 32;
    starts += 1;
    const machine = createMachine({ maxWaiters: MAX_WAITERS, rememberFor: 1e15, fencingEpoch, learning, keysAtOnce });
    return { machine, epoch, fencingEpoch, base: time - STARTUP, ranBefore: -STARTUP };
  }

  function step<C extends Command>(command: C): Outcome {
    const { machine, base } = run;
    const learning = machine.state.learning && command.kind !== "end-learning";
    const taken = machine.step(command, time - base);
    wakeAt = taken.wakeAt;
    rows.keep(taken.changes, run);
    check(machine.state);
    const said = [taken.outcome, ...taken.events.map(({ news }) => news)];
    for (const one of said) {
      if (one.kind !== "granted" || one.resumed) continue;
      if (learning) throw new Error(`${one.lease.id} is granted while not all is known`);
    }
    const granted = said.flatMap((one) => (one.kind === "granted" && !one.resumed ? [one.lease] : []));
    for (const { claims } of granted.sort((a, b) => a.serial - b.serial)) {
      for (const { instance, fencingToken } of claims) {
        const { name } = instance.limiter.config;
        if (fencingToken <= (tokens.get(name) ?? -1)) throw new Error(`token ${fencingToken} of ${name} does not rise`);
        tokens.set(name, fencingToken);
      }
    }
    return taken.outcome;
  }

  function check(state: State): void {
    if (!damaged) {
      assertMachine(state);
      return;
    }
    try {
      assertMachine(state);
    } catch (error) {
      // Of old records more may be held than there is; of lost ones fewer limits be known.
      if (!/no more permits are in use|slots are lower|at most as many keys/.test((error as Error).message))
        throw error;
    }
  }

  function restart(dice: Dice): void {
    const before = run;
    const reserved = before.fencingEpoch + (time - before.base) + BLOCK;
    const downtime = dice.pick([0, 1, 20_000, SECOND, 30 * SECOND, 10 * MINUTE]);
    time += downtime;
    // The clock may have been set meanwhile.
    wall = before.epoch + (time - before.base) + dice.pick([0, 0, 0, 0, -SECOND, -10 * MINUTE, MINUTE]);
    run = start({ learning: dice.chance(15), reserved });
    const { machine, epoch, base } = run;
    const now = time - base;
    const found = damaged ? rows.findDamaged(epoch, now, dice.roll) : rows.find(epoch, now);
    run.ranBefore = found.ranBefore;
    rows.keep(machine.restore(found.limiters, now), run);
    if (!damaged) compareRuns(before, run, note);
    step({ kind: "wake" });
    if (damaged) return;
    while (run.machine.state.chores.left.length > 0) {
      note("chores");
      time += 1;
      step({ kind: "wake" });
    }
    checkNothingPilesUp();
    const { limiters } = machine.state;
    const configs = [...limiters.values()].flatMap(({ declaration, deleting }) =>
      declaration === undefined || deleting ? [] : [declaration],
    );
    // What was refused is tried again, and taken up where nothing is held and nothing waits any more.
    const turned = [...limiters.values()].filter(
      ({ config, declaration, deleting }) => !deleting && (declaration?.keyed ?? config.keyed) !== config.keyed,
    );
    const refused = turned
      .filter(({ leases, queued }) => leases > 0 || queued.size > 0)
      .map(({ config }) => config.name);
    const changed = turned.map(({ config }) => config.name).filter((name) => !refused.includes(name));
    if (refused.length > 0) note("keyed refused");
    if (changed.length > 0) note("keyed anew");
    const declared = step({ kind: "declare", configs, undeclared: [] });
    expect(declared).toEqual({ kind: "declared", created: [], changed, deleted: [], refused });
  }

  function checkNothingPilesUp(): void {
    const { state } = run.machine;
    expect(rows.names("lease").sort()).toEqual([...state.leases.keys()].sort());
    const waiters = [...state.waiters.values()].filter(({ requestId }) => requestId !== "");
    expect(rows.names("waiter").sort()).toEqual(waiters.map(({ id }) => id).sort());
    expect(rows.names("limiter").sort()).toEqual([...state.limiters.keys()].sort());
    for (const name of rows.names("bucket")) {
      const [limiter, key] = JSON.parse(name) as [string, string];
      if (!state.limiters.get(limiter)?.instances.has(key)) throw new Error(`the bucket ${name} is kept, and is gone`);
    }
  }

  for (const seed of script) {
    const dice = createDice(seed ^ 0x5bd1e995);
    if (dice.chance(4)) restart(dice);
    if (run.machine.state.learning && dice.chance(10)) step({ kind: "end-learning" });
    const { command, wait } = commands.next(seed, wakeAt + run.base);
    time += wait;
    step(command);
  }
  const dice = createDice(script[0] ?? 0);
  restart(dice);
  if (!damaged) serveAll();

  /** All waiters that can come back do, all that is held is given back, and time passes: no waiter is left. */
  function serveAll(): void {
    if (run.machine.state.learning) step({ kind: "end-learning" });
    const { state } = run.machine;
    for (const { config, deleting } of [...state.limiters.values()]) {
      if (!deleting) step({ kind: "update-limiter", config: { ...config, paused: false }, revision: undefined });
    }
    let stream = 1e6;
    for (const { claims, holder, caller, requestId, ttl } of [...state.waiters.values()]) {
      stream += 1;
      const id = `back-${stream}`;
      step({
        kind: "acquire",
        id,
        claims,
        holder,
        maxWait: undefined,
        ttl,
        requestId,
        stream,
        monitored: true,
        keepOnCancel: false,
        session: undefined,
        caller,
      });
      note("came back");
    }
    for (let n = 0; state.waiters.size > 0; n += 1) {
      if (n > 500) throw new Error(`${state.waiters.size} wait for ever`);
      for (const { id, caller } of [...state.leases.values()])
        step({ kind: "release", leaseId: id, workOutcome: "success", session: undefined, caller });
      if (state.waiters.size > 0 && wakeAt !== Number.POSITIVE_INFINITY) time = Math.max(time, wakeAt + run.base);
      step({ kind: "wake" });
    }
  }
}

/** Everything of before that must be there, is: taken from the live objects themselves, field by field. */
function compareRuns(before: Run, after: Run, note: (what: string) => void): void {
  const [old, now] = [before.machine.state, after.machine.state];
  const clock = { before: before.epoch, after: after.epoch };
  /** What was in the past is when it was, or now while the wall clock stands before that. */
  const expectInstant = (at: number | undefined, was: number) => {
    expect(at).toBeGreaterThanOrEqual(Math.min(was + clock.before - clock.after, now.now));
    expect(at).toBeLessThanOrEqual(now.now);
  };

  const leases = [...old.leases.values()].filter(({ ttl }) => ttl > 0);
  expect([...now.leases.values()].map((lease) => showLease(lease))).toEqual(leases.map((lease) => showLease(lease)));
  for (const { id, grantedAt } of leases) expectInstant(now.leases.get(id)?.grantedAt, grantedAt);
  for (const [index, lease] of [...now.leases.values()].entries()) {
    const { ttl, call } = lease;
    // One that was granted without a stream may have had one when it was last kept.
    const kinds = call === "try-acquire" || sessionIdOf(lease) !== undefined ? ["detached", "orphaned"] : ["orphaned"];
    expect(kinds).toContain(attachmentKind(lease));
    const least = now.now + ttl;
    const share = sessionIdOf(lease) === undefined ? index / leases.length : 1;
    const most = now.now + ttl * (1 + 0.2 * share);
    expect(expiresAt(lease)).toBeGreaterThanOrEqual(least);
    expect(expiresAt(lease)).toBeLessThanOrEqual(Math.ceil(most) + 1);
  }

  const inTime = ({ deadline, requestId, ttl }: Waiter) =>
    requestId !== "" && ttl > 0 && deadline + clock.before > clock.after + now.now;
  const waiters = [...old.waiters.values()].filter(inTime);
  expect(Array.from(now.waiters.values(), (waiter) => showWaiter(waiter, clock.after))).toEqual(
    waiters.map((waiter) => showWaiter(waiter, clock.before)),
  );
  for (const { id, arrivedAt } of waiters) expectInstant(now.waiters.get(id)?.arrivedAt, arrivedAt);
  for (const waiter of now.waiters.values()) {
    expect(waiter.stream).toBeUndefined();
    expect(waiter.dueAt).toBe(Math.min(waiter.deadline, now.now + waiter.ttl));
  }

  const held = new Set(
    leases.flatMap(({ claims }) => claims.filter((c) => c.permits > 0).map((c) => c.instance.limiter)),
  );
  for (const [name, limiter] of old.limiters) {
    const again = now.limiters.get(name);
    if (limiter.deleting && !held.has(limiter)) {
      expect(again).toBeUndefined();
      note("drained");
      continue;
    }
    const { config, declaration, revision, deleting } = limiter;
    if (again === undefined) throw new Error(`limiter ${name} is lost`);
    expect([again.config, again.declaration, again.revision, again.deleting]).toStrictEqual([
      config,
      declaration,
      revision,
      deleting,
    ]);
    for (const at of ["createdAt", "updatedAt"] as const) {
      expectInstant(again[at], limiter[at]);
    }
    expect(again.fencingToken).toBeGreaterThan(limiter.fencingToken);
    if (deleting) note("deleting");
    for (const instance of limiter.instances.values()) {
      const level = levelAt(instance, old.now);
      const found = again.instances.get(instance.key);
      const levelAgain = found === undefined ? (config.rate?.capacity ?? 0) : levelAt(found, caughtUp(found).at);
      if (levelAgain > level) throw new Error(`${name} ${instance.key} had ${level} and has ${levelAgain}`);
      if (level < (config.rate?.capacity ?? 0)) note("bucket");
    }
  }

  for (const generation of requestIdsOf(old)) {
    expect(showPast(now.pastRequests.get(generation))).toEqual(showPast(old.pastRequests.get(generation)));
    note(`past ${old.pastRequests.get(generation)?.kind}`);
  }
  for (const lease of leases) {
    note(`lease ${lease.attachment.kind}`);
    if (lease.caller !== ANONYMOUS_CALLER) note("lease of a caller");
    if (lease.attachment.kind === "in-session" && lease.revokedAt !== undefined) note("revoked in a session");
    if (lease.revokedAt !== undefined) note("revoked");
    if (lease.claims.some(({ slots }) => slots.length > 0)) note("slots");
    if (lease.claims.some(({ instance: { limiter } }) => !now.limiters.has(limiter.config.name))) note("names only");
  }
  for (const waiter of waiters) note(waiter.stream === undefined ? "waiter away" : "waiter");
  for (const { session } of waiters) if (session !== undefined) note("waiter of a session");
}

/** The keys of all request ids that a lease or a waiter of the run had. */
function requestIdsOf(state: State): string[] {
  const serials = Array.from({ length: 400 }, (_, serial) => `request-${serial}`);
  const keys = serials.flatMap((id) => CALLERS.map((caller) => keyOfCaller(caller, id)));
  return keys.filter((id) => state.pastRequests.get(id) !== undefined);
}

function showLease(lease: Lease) {
  const {
    dueAt: _,
    heapIndex: __,
    attachment: ___,
    grantedAt: ____,
    promises: _____,
    revokedAt,
    claims,
    ...rest
  } = lease;
  return {
    ...rest,
    session: sessionIdOf(lease),
    claims: claims.map(({ instance, ...held }) => ({ ...held, at: [instance.limiter.config.name, instance.key] })),
    revoked: revokedAt !== undefined,
  };
}

function showWaiter(waiter: Waiter, epoch: number) {
  const { id, holder, caller, claims, places, ttl, trustCancel, keepsOnCancel, requestId, session, deadline } = waiter;
  const at = places.map(({ instance }) => [instance.limiter.config.name, instance.key]);
  return {
    id,
    holder,
    caller,
    claims,
    at,
    ttl,
    trustCancel,
    keepsOnCancel,
    requestId,
    session: session?.id,
    deadline: deadline + epoch,
  };
}

function showPast(past: PastRequest | undefined) {
  if (past?.kind !== "spent") return past;
  const { id, claims, holder, caller, serial } = showLease(past.lease);
  return { ...past, lease: { id, claims, holder, caller, serial } };
}

function levelAt(instance: Instance, now: number): number {
  const { rate } = instance.limiter.config;
  if (rate === undefined) return 0;
  const copy = { ...caughtUp(instance) };
  refill(copy, rate, now);
  return levelOf(copy, rate);
}

/** What there is to aim at. */
function modelOf(state: () => State): Model {
  return {
    get leases() {
      return [...state().leases.values()];
    },
    get waiters() {
      return [...state().waiters.values()];
    },
    get sessions() {
      return [...state().sessions.values()];
    },
    heldIn: ({ id }: { readonly id: string }) =>
      [...state().leases.values()].filter((lease) => sessionIdOf(lease) === id),
    get limiters() {
      return state().limiters;
    },
    ends: new Map(),
  } as unknown as Model;
}
