/** Each invariant notices what it is for: a sound state with one thing wrong is refused, and for that reason. */

import { describe, expect, it } from "vitest";
import { assertMachine } from "../../../../src/server/machine/limiter/invariants.ts";
import type { Lease } from "../../../../src/server/machine/limiter/lease.ts";
import type {
  Instance,
  Limiter,
  LimiterConfig,
  Place,
  Waiter,
} from "../../../../src/server/machine/limiter/limiter.ts";
import type { State } from "../../../../src/server/machine/limiter/machine.ts";
import { rateOf } from "../../../support/limiter-config.ts";
import { claimOn, MILLISECOND, SECOND } from "../builders.ts";
import { createScene } from "./scene.ts";

/** One of everything: holders, waiters, one away, one orphaned, an idle key, a head that waits for tokens. */
function sound() {
  const scene = createScene();
  scene.create({ name: "db", maxConcurrent: 2, ttl: SECOND });
  scene.create({ name: "api", rate: rateOf(10, 1) });
  scene.create({ name: "keys", keyed: true, maxConcurrent: 2, maxKeys: 3, rate: rateOf(1, 2) });
  const [older, newer] = ["older", "newer"].map((requestId) =>
    scene.acquire([claimOn("db", { slots: true })], { requestId }),
  );
  const [first, second, away] = ["first", "second", "away"].map((requestId) =>
    scene.acquire([claimOn("db", { permits: 2 })], { requestId }),
  );
  if (!older || !newer || !first || !second || !away) throw new Error("five have asked");
  scene.leave(newer, "lost");
  scene.leave(away, "lost");
  scene.create({ name: "unused", maxConcurrent: 1 });
  scene.create({ name: "held", maxConcurrent: 2 });
  scene.acquire([claimOn("held", { permits: 2 })]);
  scene.acquire([claimOn("api")]);
  scene.acquire([claimOn("api")]);
  scene.release(scene.acquire([claimOn("keys", { key: "idle" })]).id);
  scene.acquire([claimOn("keys", { key: "held" })]);
  const { state } = scene;
  const limiter = (name: string) => state.limiters.get(name) as Limiter;
  const instance = (name: string, key = "") => limiter(name).instances.get(key) as Instance;
  return {
    state,
    limiter,
    instance,
    older: state.leases.get(older.id) as Lease,
    newer: state.leases.get(newer.id) as Lease,
    first: state.waiters.get(first.id) as Waiter,
    second: state.waiters.get(second.id) as Waiter,
    away: state.waiters.get(away.id) as Waiter,
  };
}

type Sound = ReturnType<typeof sound>;

describe("invariants", () => {
  it("hold of a sound state", () => {
    expect(() => assertMachine(sound().state)).not.toThrow();
  });

  it.each<[rule: string, spoil: (scene: Sound) => void]>([
    ["no queue is left unsettled", ({ state, instance }) => state.unsettled.push(instance("db"))],
    ["no queue is left unsettled", ({ instance }) => Object.assign(instance("db"), { unsettled: true })],
    // Capacity
    ["2 permits held by leases, counted 3", ({ instance }) => add(instance("db"), "permitsInUse", 1)],
    ["2 permits held by leases, counted 1", ({ instance }) => add(instance("db"), "permitsInUse", -1)],
    ["2 permits in use, counted 3", ({ limiter }) => add(limiter("db"), "permitsInUse", 1)],
    ["no more permits are in use than there are", ({ limiter }) => reconfigure(limiter("held"), { maxConcurrent: 1 })],
    [
      "1 different slots, counted 2",
      ({ older, newer }) => Object.assign(older.claims[0] ?? {}, { slots: newer.claims[0]?.slots }),
    ],
    ["slots are lower than the limit", ({ older }) => Object.assign(older.claims[0] ?? {}, { slots: [2] })],
    // Tokens
    ["0 <= tokens <= capacity", ({ instance }) => Object.assign(instance("api").bucket, { tokens: -1 })],
    ["0 <= tokens <= capacity", ({ instance }) => Object.assign(instance("api").bucket, { tokens: 2 })],
    ["tokens and parts are whole", ({ instance }) => Object.assign(instance("api").bucket, { parts: 0.5 })],
    ["0 <= parts < unit", ({ instance }) => Object.assign(instance("api").bucket, { parts: -1 })],
    ["0 <= parts < unit", ({ instance }) => Object.assign(instance("api").bucket, { tokens: 0, parts: 1e6 })],
    ["a full bucket has no parts", ({ instance }) => Object.assign(instance("api").bucket, { tokens: 1, parts: 1 })],
    [
      "its bucket is not ahead of time",
      ({ state, instance }) => Object.assign(instance("api").bucket, { at: state.now + 1 }),
    ],
    // Queues
    ["the first of those present is the next", ({ second, instance }) => wrongHead(instance("db"), second)],
    ["places belong to their waiters", ({ instance }) => instance("db").queue.append(strayPlace(instance("db")))],
    ["permits asked for in the queue", ({ instance }) => add(instance("db"), "queuedPermits", 1)],
    ["tokens asked for in the queue", ({ instance }) => add(instance("api"), "queuedTokens", -1)],
    ["2 waiters, counted 1", ({ limiter }) => add(limiter("db"), "waiters", -1)],
    ["each place of the queue is of a waiter", ({ state, second }) => forget(state, second)],
    ["it is present exactly while it has a stream", ({ away }) => Object.assign(away, { stream: 9 })],
    ["away implies request id", ({ away }) => Object.assign(away, { requestId: "" })],
    [
      "permits of a waiter are at most max_concurrent",
      ({ first }) => Object.assign(first.claims[0] ?? {}, { permits: 3 }),
    ],
    ["waiters stand in the order of their arrival", ({ state, first }) => queueAnew(state, first)],
    // Wake-ups
    [
      "the head does not fit now",
      ({ first, second, away, instance }) => {
        for (const { claims } of [first, second, away]) Object.assign(claims[0] ?? {}, { permits: 0 });
        instance("db").queuedPermits = 0;
      },
    ],
    [
      "its deadline is the instant at which its head has its tokens",
      ({ state, instance }) => state.deadlines.clear(instance("api")),
    ],
    [
      "its deadline is the instant at which its head has its tokens",
      ({ state, instance }) => state.deadlines.set(instance("api"), state.now + 101 * MILLISECOND),
    ],
    [
      "its deadline is the instant at which its head has its tokens",
      ({ state, instance }) => state.deadlines.set(instance("db"), state.now + 1),
    ],
    ["precise deadlines, counted", ({ state }) => add(state, "preciseDeadlines", 1)],
    ["what has moved is noted", ({ state }) => void state.moved.splice(0)],
    // Leases
    ["its time runs exactly if its holder must show itself", ({ state, newer }) => state.deadlines.clear(newer)],
    [
      "its time runs exactly if its holder must show itself",
      ({ state, older }) => state.deadlines.set(older, state.now + 1),
    ],
    ["it has no more time than its ttl", ({ state, newer }) => state.deadlines.set(newer, state.now + SECOND + 1)],
    ["it ends when its time has run out", ({ state, newer }) => state.deadlines.set(newer, state.now)],
    ["it gives up when its time has run out", ({ state, away }) => state.deadlines.set(away, state.now)],
    [
      "what lives is not remembered as ended",
      ({ state, older }) => state.pastLeases.set(older.id, "released", state.now),
    ],
    ["leases stand in the order of their grants", ({ state, older }) => last(state.leases, older.id)],
    [
      "fencing tokens rise with every grant of a limiter",
      ({ older, newer }) => Object.assign(newer.claims[0] ?? {}, { fencingToken: older.claims[0]?.fencingToken }),
    ],
    ["no fencing token is above the last", ({ limiter }) => add(limiter("db"), "fencingToken", -1)],
    ["2 leases, counted 3", ({ limiter }) => add(limiter("db"), "leases", 1)],
    ["1 orphaned leases, counted 0", ({ limiter }) => Object.assign(limiter("db"), { orphanedLeases: 0 })],
    ["its request id leads to it", ({ state, older, newer }) => state.requests.set(older.requestId, newer)],
    ["its request id leads to it", ({ state }) => state.requests.delete("older")],
    ["request ids that stand for something", ({ state, older }) => state.requests.set("unused", older)],
    // Callers
    ["leases, counted 0", ({ state }) => Object.assign(state.callers.get("anonymous") ?? {}, { leases: 0 })],
    ["waiters, counted 0", ({ state }) => Object.assign(state.callers.get("anonymous") ?? {}, { waiters: 0 })],
    ["callers of whom something lives", ({ state }) => state.callers.set("x", { name: "x", leases: 0, waiters: 0 })],
    // Limiters
    [
      "a limiter stays while something of it is held",
      ({ state }) => state.limiters.delete("db") && state.limiterNames.delete("db"),
    ],
    ["limiters are found by name, in order", ({ state }) => state.limiters.delete("unused")],
    [
      "a deleted limiter goes when it has drained",
      ({ limiter }) => Object.assign(limiter("unused"), { deleting: true }),
    ],
    ["a waiter's limiter is not deleted", ({ limiter }) => Object.assign(limiter("db"), { deleting: true })],
    [
      "idle is a key of which nothing is held or asked",
      ({ instance }) => Object.assign(instance("keys", "held"), { idle: true }),
    ],
    ["1 idle keys, counted 0", ({ limiter, instance }) => limiter("keys").idle.clear(instance("keys", "idle"))],
    ["idle keys imply a deadline of the limiter", ({ state, limiter }) => state.deadlines.clear(limiter("keys"))],
    ["its limiter knows it", ({ limiter }) => rename(limiter("keys"), "held")],
    ["it has at most as many keys as it may", ({ limiter }) => reconfigure(limiter("keys"), { maxKeys: 1 })],
    ["held instances that their limiters know", ({ limiter }) => lose(limiter("keys"), "held")],
    // Deadlines
    ["heapIndex equals position", ({ newer }) => add(newer, "heapIndex", 1)],
    [
      "what falls due first is first in its heap",
      ({ state, limiter }) => Object.assign(limiter("keys"), { dueAt: state.now + 1 }),
    ],
  ])("notice: %s", (rule, spoil) => {
    const scene = sound();
    spoil(scene);
    expect(() => assertMachine(scene.state)).toThrow(rule);
  });
});

function add<K extends string>(target: Record<K, number>, field: K, by: number): void {
  target[field] += by;
}

function reconfigure(limiter: Limiter, fields: Partial<LimiterConfig>): void {
  limiter.config = { ...limiter.config, ...fields };
}

/** The queue names as next a waiter that is not. */
function wrongHead(instance: Instance, waiter: Waiter): void {
  Object.defineProperty(instance.queue, "first", { value: waiter.places[0] });
}

function strayPlace(instance: Instance): Place {
  const [place] = instance.queue.all();
  if (place === undefined) throw new Error("no waiter");
  return { ...place, arrival: place.arrival + 100, previous: undefined, next: undefined };
}

function queueAnew(state: State, waiter: Waiter): void {
  state.waiters.delete(waiter);
  state.waiters.add(waiter);
}

function forget(state: State, waiter: Waiter): void {
  state.waiters.delete(waiter);
  state.requests.delete(waiter.requestId);
}

function rename(limiter: Limiter, key: string): void {
  const instance = limiter.instances.get(key);
  if (instance === undefined) throw new Error(`no key ${key}`);
  limiter.instances.delete(key);
  limiter.instances.set("another", instance);
}

function lose(limiter: Limiter, key: string): void {
  limiter.permitsInUse -= limiter.instances.get(key)?.permitsInUse ?? 0;
  limiter.instances.delete(key);
}

function last<V>(map: Map<string, V>, id: string): void {
  const value = map.get(id) as V;
  map.delete(id);
  map.set(id, value);
}
