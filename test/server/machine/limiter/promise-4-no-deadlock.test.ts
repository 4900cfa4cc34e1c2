/** Promise 4: TryAcquire never waits; claims are granted whole or not at all, in order of arrival; queues are bounded. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { rateOf } from "../../../support/limiter-config.ts";
import { claimOn, SECOND } from "../builders.ts";
import { createScene } from "./scene.ts";

const NAMES = ["a", "b", "c", "d"];

describe("no deadlock", () => {
  it("serves every client in the end, whatever they claim together and in whichever order they name it", () => {
    const wanted = fc.uniqueArray(fc.constantFrom(...NAMES), { minLength: 1 });
    const client = fc.record({
      wanted,
      permits: fc.integer({ min: 1, max: 3 }),
      hold: fc.integer({ min: 0, max: 50 }),
    });
    fc.assert(
      fc.property(fc.array(client, { minLength: 1, maxLength: 40 }), (clients) => {
        const scene = createScene();
        for (const name of NAMES) scene.create({ name, maxConcurrent: 3, rate: rateOf(100, 3) });
        const asked = clients.map(({ wanted: names, permits }) =>
          scene.acquire(names.map((limiter) => claimOn(limiter, { permits }))),
        );
        const held = new Map<string, number>();
        // No client needs more than the ms that it holds, its tokens and those of the clients before it.
        for (let millisecond = 0; millisecond < 60 * 40 && held.size < clients.length; millisecond++) {
          for (const [index, { id }] of asked.entries()) {
            if (scene.holds(id) && !held.has(id)) held.set(id, millisecond + (clients[index]?.hold ?? 0));
            if (scene.holds(id) && (held.get(id) ?? 0) <= millisecond) scene.release(id);
          }
          scene.pass(1_000);
        }
        expect(held.size).toBe(clients.length);
      }),
      { numRuns: 60 },
    );
  });

  it("grants claims on several limiters whole or not at all: no client holds one while waiting for another", () => {
    const act = fc.record({
      names: fc.uniqueArray(fc.constantFrom(...NAMES), { minLength: 1 }),
      release: fc.boolean(),
      which: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
        const scene = createScene();
        for (const name of NAMES) scene.create({ name, maxConcurrent: 2 });
        for (const { names, release, which } of acts) {
          const ids = [...scene.state.leases.keys()];
          if (release) scene.release(ids[which % ids.length] ?? "unknown");
          else scene.acquire(names.map((limiter) => claimOn(limiter)));
          const inUse = NAMES.map((name) => scene.state.limiters.get(name)?.permitsInUse ?? 0);
          const granted = [...scene.state.leases.values()].flatMap((lease) => lease.claims);
          const whole = NAMES.map(
            (name) => granted.filter(({ instance }) => instance.limiter.config.name === name).length,
          );
          expect(inUse).toEqual(whole);
          for (const lease of scene.state.leases.values()) expect(lease.claims.length).toBe(lease.asked.length);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("is not stopped by two clients that name the same limiters in opposite order", () => {
    const scene = createScene();
    scene.create({ name: "a", maxConcurrent: 1 });
    scene.create({ name: "b", maxConcurrent: 1 });
    const holder = scene.acquire([claimOn("a"), claimOn("b")]);
    const forth = scene.acquire([claimOn("a"), claimOn("b")]);
    const back = scene.acquire([claimOn("b"), claimOn("a")]);
    scene.release(holder.id);
    expect([scene.holds(forth.id), scene.holds(back.id)]).toEqual([true, false]);
    scene.release(forth.id);
    expect(scene.holds(back.id)).toBe(true);
  });

  it("makes those behind wait for a waiter that is first with them and waits elsewhere: the price of order", () => {
    const scene = createScene();
    scene.create({ name: "a", maxConcurrent: 1 });
    scene.create({ name: "b", maxConcurrent: 1 });
    const holder = scene.acquire([claimOn("a")]);
    const both = scene.acquire([claimOn("a"), claimOn("b")]);
    const behind = scene.acquire([claimOn("b")]);
    expect(behind.outcome).toMatchObject({ kind: "waiting", waitersAhead: 1 });
    scene.release(holder.id);
    expect([scene.holds(both.id), scene.holds(behind.id)]).toEqual([true, false]);
  });

  it("never lets a TryAcquire wait, whatever is in its way", () => {
    const scene = createScene();
    scene.create({ name: "full", maxConcurrent: 1 });
    scene.create({ name: "empty", rate: rateOf(0.001, 1) });
    scene.create({ name: "paused", maxConcurrent: 1, paused: true });
    scene.create({ name: "queued", maxConcurrent: 2 });
    scene.create({ name: "keys", keyed: true, maxKeys: 1, maxConcurrent: 1 });
    scene.acquire([claimOn("full"), claimOn("empty"), claimOn("keys", { key: "a" }), claimOn("queued")]);
    scene.acquire([claimOn("queued", { permits: 2 })]);
    const reasons = [
      claimOn("full"),
      claimOn("empty"),
      claimOn("paused"),
      claimOn("queued"),
      claimOn("keys", { key: "b" }),
      claimOn("full", { permits: 2 }),
      claimOn("nothing"),
    ].map((claim) => {
      const { outcome } = scene.tryAcquire([claim]);
      return outcome.kind === "refused" ? outcome.reason : outcome.kind;
    });
    expect(reasons).toEqual([
      "CONCURRENCY_EXHAUSTED",
      "RATE_EXHAUSTED",
      "PAUSED",
      "WAITERS_AHEAD",
      "KEYS_EXHAUSTED",
      "CLAIM_EXCEEDS_LIMIT",
      "LIMITER_NOT_FOUND",
    ]);
    expect(scene.state.waiters.size).toBe(1);
  });

  it("bounds every queue: of a limiter, of a key, and of all together", () => {
    const scene = createScene({ maxWaiters: 5 });
    scene.create({ name: "a", maxConcurrent: 1, maxWaiters: 2 });
    scene.create({ name: "keys", keyed: true, maxConcurrent: 1, maxWaiters: 1 });
    scene.create({ name: "no-queue", maxConcurrent: 1, maxWaiters: 0 });
    const asks = (name: string, key = "") => {
      const { outcome } = scene.acquire([claimOn(name, { key })]);
      return outcome.kind === "refused" ? outcome.reason : outcome.kind;
    };
    expect([1, 2, 3, 4].map(() => asks("a"))).toEqual(["granted", "waiting", "waiting", "QUEUE_FULL"]);
    expect([1, 2, 3].map(() => asks("keys", "x"))).toEqual(["granted", "waiting", "QUEUE_FULL"]);
    expect([1, 2].map(() => asks("no-queue"))).toEqual(["granted", "QUEUE_FULL"]);
    expect([1, 2, 3].map(() => asks("keys", "y"))).toEqual(["granted", "waiting", "QUEUE_FULL"]);
    expect([1, 2].map(() => asks("keys", "z"))).toEqual(["granted", "waiting"]);
    expect(asks("a")).toBe("QUEUE_FULL");
    expect(scene.state.waiters.size).toBe(5);
  });

  it("refuses at once, where the limiter says so, a claim whose wait would be too long, and charges nothing", () => {
    const scene = createScene();
    scene.create({ name: "api", rate: rateOf(10, 1), refuseLongWaits: true });
    scene.acquire([claimOn("api")]);
    scene.acquire([claimOn("api")]);
    const { outcome } = scene.acquire([claimOn("api")], { maxWait: SECOND / 10 });
    // Its turn is in 200 ms: the caller may come back when what is left fits.
    expect(outcome).toMatchObject({ reason: "WAIT_TOO_LONG", retryAfter: SECOND / 10, waitersAhead: 1 });
    expect(scene.acquire([claimOn("api")], { maxWait: SECOND / 5 }).outcome).toMatchObject({
      kind: "waiting",
      estimatedWait: SECOND / 5,
    });
  });
});
