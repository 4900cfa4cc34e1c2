/**
 * The machine against the model, by random commands in virtual time. Every outcome, event and grant must be the model's,
 * and after every step the state, too, and all invariants.
 *
 * A failure prints a seed and a path, and the commands that led to it; put both into `REPLAY` to run it again. More runs:
 * `MODEL_RUNS=10000 vitest run test/server/machine/limiter/model/model.test.ts`.
 */

import fc from "fast-check";
import { expect, it } from "vitest";
import type { Command, MachineEvent, MachineNews, Outcome } from "../../../../../src/server/machine/limiter/command.ts";
import { caughtUp } from "../../../../../src/server/machine/limiter/earlier-rates.ts";
import { assertMachine } from "../../../../../src/server/machine/limiter/invariants.ts";
import type { Lease } from "../../../../../src/server/machine/limiter/lease.ts";
import { createMachine, type Machine, type Step } from "../../../../../src/server/machine/limiter/machine.ts";
import { refill } from "../../../../../src/server/machine/limiter/token-bucket.ts";
import { expiresAt } from "../../../../../src/server/machine/liveness.ts";
import { assertReaching } from "../../assert-reaching.ts";
import { showAttachment, showSessions } from "../../model-sessions.ts";
import { Model, type ModelStep, type Said } from "../model.ts";
import { createRandomCommands } from "../random-commands.ts";

const REPLAY: { seed?: number; path?: string } = {};
const RUNS = Number(process.env.MODEL_RUNS ?? 1_000);
const STEPS = 300;
const MAX_WAITERS = 12;
const CALLER_BOUNDS = { maxWaiters: 6, maxLeases: 12 };

/** What random commands must have come upon, or they would prove little: every "no", every end, every event. */
const EXPECTED = [
  "LIMITER_NOT_FOUND LEASE_NOT_FOUND WAITER_NOT_FOUND CLAIM_EXCEEDS_LIMIT REQUEST_ID_REUSED DECLARED LIMITER_EXISTS",
  "KEY_REQUIRED KEY_NOT_ALLOWED CONCURRENCY_EXHAUSTED RATE_EXHAUSTED WAITERS_AHEAD PAUSED QUEUE_FULL KEYS_EXHAUSTED",
  "WAIT_TOO_LONG WAIT_TIMEOUT ETAG_MISMATCH WAITER_CANCELLED WAITER_DISPLACED LEASE_REVOKED LEASE_EXPIRED",
  "LEASE_DISPLACED LIMITER_DELETED LEASE_ENDED CALLER_QUOTA",
  "released cancelled expired revoked deleted",
  "granted waiting revoking renewed limiter limiter-deleted declared granted-to-a-waiter granted-again granted-for-nothing",
  "keyed-anew keyed-refused",
  "SESSION_NOT_FOUND SESSION_DISPLACED session-resumed session-renewed resumed-with-leases",
].flatMap((line) => line.split(" "));
const reached = new Set<string>();

it(
  "does what the model does, whatever is asked of it and however late it is woken",
  () => {
    const scripts = fc.array(fc.integer(), { minLength: STEPS, maxLength: STEPS, size: "max" });
    const property = fc.property(fc.boolean(), fc.constantFrom(0, 32), scripts, play);
    assertReaching(property, { numRuns: RUNS, ...REPLAY }, () => EXPECTED.filter((each) => !reached.has(each)));
  },
  20_000 + RUNS * 100,
);

it("says the same in the same order when it is given the same commands at the same instants", () => {
  const scripts = fc.array(fc.integer(), { minLength: STEPS, maxLength: STEPS, size: "max" });
  fc.assert(
    fc.property(scripts, (script) => {
      const log: { now: number; command: Command }[] = [];
      playLogged(true, 32, script, log);
      const [once, again] = [1, 2].map(() => {
        const machine = createMachine({ maxWaiters: MAX_WAITERS, callerBounds: CALLER_BOUNDS });
        return log.map(({ now, command }) => {
          const { outcome, events, wakeAt, precise } = machine.step(command, now);
          return [say(outcome), events.map(({ to, about, news }) => [to, about, say(news)]), wakeAt, precise];
        });
      });
      expect(once).toEqual(again);
    }),
    { numRuns: 20 },
  );
});

/** `keysAtOnce` 0: no key goes through a change of its limiter before its turn comes, or it is used. */
function play(crowded: boolean, keysAtOnce: number, script: readonly number[]): void {
  const log: { now: number; command: Command }[] = [];
  try {
    playLogged(crowded, keysAtOnce, script, log);
  } catch (error) {
    const lines = log.map(({ now, command }) => `${now} ${JSON.stringify(command)}`);
    throw new Error(`${(error as Error).message}\n\nafter\n${lines.join("\n")}`, { cause: error });
  }
}

function playLogged(
  crowded: boolean,
  keysAtOnce: number,
  script: readonly number[],
  log: { now: number; command: Command }[],
): void {
  const bounds = { maxWaiters: MAX_WAITERS, callerBounds: CALLER_BOUNDS };
  const machine = createMachine({ ...bounds, rememberFor: Number.MAX_SAFE_INTEGER, keysAtOnce });
  const model = new Model(bounds);
  const commands = createRandomCommands({ model, crowded });
  const highestTokens = new Map<string, number>();
  let now = 0;
  let wakeAt = Number.POSITIVE_INFINITY;
  for (const seed of script) {
    // What a failing script can do without, it shrinks to this.
    if (seed === 0) continue;
    const { command, wait } = commands.next(seed, wakeAt);
    now += wait;
    log.push({ now, command });
    const keyedBefore = keyedOf(model);
    const step = machine.step(command, now);
    const expected = model.step(command, now);
    if (keyedBefore !== undefined && (keyedOf(model) ?? keyedBefore) !== keyedBefore) reached.add("keyed-anew");
    wakeAt = step.wakeAt;
    note(step);
    compareOutcome(step.outcome, expected.outcome);
    compareEvents(step.events, expected.events);
    compareGrants(step, expected, highestTokens);
    compareStates(machine, model, now);
    assertMachine(machine.state);
    if (wakeAt <= now) throw new Error(`wants to be woken at ${wakeAt}, which is over`);
    if (wakeAt > model.next()) throw new Error(`wants to be woken at ${wakeAt}, too late for ${model.next()}`);
  }
}

/** Of the one limiter of which that changes. */
function keyedOf(model: Model): boolean | undefined {
  return model.limiters.get("turned")?.config.keyed;
}

function note({ outcome, events }: Step<Outcome>): void {
  for (const said of [outcome, ...events.map(({ news }) => news)]) {
    reached.add(said.kind);
    if ("reason" in said) reached.add(said.reason);
    if ("end" in said) reached.add(said.end);
    if (said.kind === "session-resumed" && said.leaseIds.length > 1) reached.add("resumed-with-leases");
    if (said.kind === "declared" && said.refused.length > 0) reached.add("keyed-refused");
    if (said.kind !== "granted") continue;
    if (said !== outcome) reached.add("granted-to-a-waiter");
    if (said.resumed) reached.add("granted-again");
    if (!said.held) reached.add("granted-for-nothing");
  }
}

function compareOutcome(outcome: Outcome, expected: Said): void {
  const said = say(outcome);
  if (said.kind === "waiting" && expected.kind === "waiting") {
    if (expected.waitersAhead === "as surveyed") said.waitersAhead = "as surveyed";
    if (expected.estimatedWait === "by hold times") said.estimatedWait = "by hold times";
  }
  compare("outcome", general(said), general(expected));
}

/** The order between different streams is left open, and between different subjects; those of one subject come in order. */
function compareEvents(events: readonly MachineEvent[], expected: ModelStep["events"]): void {
  if (events.length === 0 && expected.length === 0) return;
  const bySubject = (all: ModelStep["events"]) =>
    all
      .map(({ to, about, said }) => ({ to, about, said: general(said) }))
      .toSorted((a, b) => a.to - b.to || a.about.localeCompare(b.about));
  compare(
    "events",
    bySubject(events.map(({ to, about, news }) => ({ to, about, said: say(news) }))),
    bySubject(expected),
  );
}

/** Fencing tokens rise with each grant of a limiter, for each key in the model's order. */
function compareGrants(step: Step<Outcome>, expected: ModelStep, highest: Map<string, number>): void {
  const leases = [step.outcome, ...step.events.map(({ news }) => news)].flatMap((said) =>
    said.kind === "granted" && !said.resumed ? [said.lease] : [],
  );
  if (leases.length === 0 && expected.grants.length === 0) return;
  const granted = leases.flatMap(({ id, claims }) =>
    claims.map(({ instance, fencingToken }) => ({
      name: instance.limiter.config.name,
      key: instance.key,
      id,
      fencingToken,
    })),
  );
  granted.sort((a, b) => a.fencingToken - b.fencingToken);
  for (const { name, fencingToken } of granted) {
    if (fencingToken <= (highest.get(name) ?? -1))
      throw new Error(`fencing token ${fencingToken} of ${name} does not rise`);
    highest.set(name, fencingToken);
  }
  const places = new Set(granted.map(({ name, key }) => `${name} ${key}`));
  for (const place of places) {
    const own = granted.filter(({ name, key }) => `${name} ${key}` === place).map(({ id }) => id);
    const model = expected.grants
      .filter(({ aims }) => aims.some(({ limiter, key }) => `${limiter.config.name} ${key}` === place))
      .map(({ id }) => id);
    compare(`grants of ${place}`, own, model);
  }
}

function compareStates(machine: Machine, model: Model, now: number): void {
  const { state } = machine;
  const leases = Array.from(state.leases.values(), (lease) => ({
    id: lease.id,
    caller: lease.caller,
    ttl: lease.ttl,
    trustCancel: lease.trustCancel,
    keepsOnCancel: lease.keepsOnCancel,
    attachment: showAttachment(lease.attachment),
    expiresAt: expiresAt(lease) ?? Number.POSITIVE_INFINITY,
    revoking: lease.revokedAt !== undefined,
  }));
  const modelLeases = model.leases.map((lease) => {
    const { id, caller, ttl, trustCancel, keepsOnCancel, attachment, revoking } = lease;
    return {
      id,
      caller,
      ttl,
      trustCancel,
      keepsOnCancel,
      attachment: showAttachment(attachment),
      expiresAt: model.endsAt(lease),
      revoking,
    };
  });
  const byId = (a: { id: string }, b: { id: string }) => Number(a.id) - Number(b.id);
  compare("leases", leases.toSorted(byId), modelLeases.toSorted(byId));
  const waiters = Array.from(state.waiters.values(), ({ id, caller, stream, deadline, session, keepsOnCancel }) => {
    return { id, caller, stream, deadline, session: session?.id, keepsOnCancel };
  });
  const modelWaiters = model.waiters.map(({ id, caller, stream, deadline, session, keepsOnCancel }) => {
    return { id, caller, stream, deadline, session: session?.id, keepsOnCancel };
  });
  compare("waiters", waiters, modelWaiters);
  compare("sessions", showSessions(state.sessions.values()), showSessions(model.sessions));
  compare("limiters", [...state.limiters.keys()], [...model.limiters.keys()]);
  for (const [name, limiter] of state.limiters) {
    const expected = model.limiters.get(name);
    if (expected === undefined) continue;
    compare(`limiter ${name}`, [limiter.revision, limiter.deleting], [expected.revision, expected.deleting]);
    for (const [key, instance] of limiter.instances) {
      compare(`permits of ${name} ${key}`, instance.permitsInUse, model.inUse(expected, key));
      const queue = Array.from(instance.queue.all(), ({ waiter }) => waiter.id);
      const modelQueue = model.queue(expected, key).map(({ id }) => id);
      compare(`queue of ${name} ${key}`, queue, modelQueue);
      const { rate } = limiter.config;
      if (rate === undefined) continue;
      const bucket = { ...caughtUp(instance) };
      refill(bucket, rate, now);
      const level = BigInt(bucket.tokens) * BigInt(rate.unit) + BigInt(bucket.parts);
      if (level !== model.level(expected, key)) {
        throw new Error(`parts of tokens of ${name} ${key}: ${level}, not ${model.level(expected, key)}`);
      }
    }
  }
}

function say(outcome: Outcome | MachineNews): Said {
  switch (outcome.kind) {
    case "granted":
      return {
        kind: "granted",
        id: outcome.lease.id,
        held: outcome.held,
        resumed: outcome.resumed,
        claims: claims(outcome.lease),
      };
    case "waiting": {
      const { waiterId, waitersAhead, estimatedWait } = outcome;
      return { kind: "waiting", id: waiterId, waitersAhead, estimatedWait };
    }
    case "refused": {
      const { reason, limiter, key, claim, retryAfter, waitersAhead } = outcome;
      return { kind: "refused", reason, limiter, key, claim, retryAfter, waitersAhead };
    }
    case "ended":
      return { kind: "ended", id: outcome.leaseId, end: outcome.end, already: outcome.already };
    case "renewed":
      return { kind: "renewed", id: outcome.lease.id };
    case "revoking":
      return { kind: "revoking", id: outcome.lease.id, message: outcome.message };
    case "limiter":
      return { kind: "limiter", name: outcome.limiter.config.name, revision: outcome.limiter.revision };
    case "limiter-deleted":
      return { kind: "limiter-deleted", name: outcome.name, drainingLeases: outcome.drainingLeases };
    case "declared": {
      const { created, changed, deleted, refused } = outcome;
      return {
        kind: "declared",
        created: [...created],
        changed: [...changed],
        deleted: [...deleted],
        refused: [...refused],
      };
    }
    case "displaced":
      return { kind: "displaced", reason: outcome.reason };
    case "session-resumed":
      // Queues of several limiters that are served at one instant are served in any order.
      return { kind: "session-resumed", leaseIds: [...outcome.leaseIds].sort() };
    case "session-renewed":
      return { kind: "session-renewed", validFor: outcome.validFor };
    case "withdrawn":
    case "done":
      return { kind: outcome.kind };
  }
}

function claims(lease: Lease) {
  return lease.claims.map(({ instance, permits, tokens, slots }) => ({
    limiter: instance.limiter.config.name,
    key: instance.key,
    permits,
    tokens,
    slots: slots.length,
  }));
}

/** Without what depends on which of several claims, each hopeless, or of several limiters without room, comes first. */
function general(said: Said): Said {
  if (said.kind !== "refused") return said;
  if (said.reason === "KEYS_EXHAUSTED") return { ...said, limiter: "", key: "", claim: -1 };
  const turnedAway = said.claim === -1 && said.reason !== "WAIT_TIMEOUT" && said.reason !== "WAITER_CANCELLED";
  return turnedAway ? { ...said, key: "" } : said;
}

function compare(what: string, actual: unknown, expected: unknown): void {
  if (JSON.stringify(actual) === JSON.stringify(expected)) return;
  expect(actual, what).toEqual(expected);
}
