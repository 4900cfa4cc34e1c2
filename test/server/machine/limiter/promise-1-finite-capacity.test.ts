/** Promise 1: at every instant the permits of a limiter's live leases sum to at most its limit. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { rateOf } from "../../../support/limiter-config.ts";
import { claimOn, SECOND } from "../builders.ts";
import { createScene, type Scene } from "./scene.ts";

const act = fc.record({
  kind: fc.constantFrom("acquire", "acquire", "acquire", "try", "release", "lose", "cancel", "revoke", "limit", "pass"),
  permits: fc.integer({ min: 1, max: 4 }),
  which: fc.nat(),
});

describe("finite capacity", () => {
  it("holds in books kept from outside, whatever is asked, lost, revoked and changed", () => {
    fc.assert(
      fc.property(fc.array(act, { maxLength: 80 }), (acts) => {
        const scene = createScene();
        scene.create({ name: "db", maxConcurrent: 4, ttl: SECOND });
        let limit = 4;
        let before = 0;
        for (const { kind, permits, which } of acts) {
          const books = liveBooks(scene);
          const pick = books[which % books.length];
          const id = pick?.id ?? "unknown";
          if (kind === "acquire") scene.acquire([claimOn("db", { permits: Math.min(permits, limit) })]);
          else if (kind === "try") scene.tryAcquire([claimOn("db", { permits: Math.min(permits, limit) })]);
          else if (kind === "release") scene.release(id);
          else if (kind === "revoke") scene.step({ kind: "revoke", leaseId: id, force: which % 2 === 0, message: "" });
          else if (kind === "pass") scene.pass(which % (2 * SECOND));
          else if (kind === "limit") {
            limit = 1 + (which % 6);
            scene.update({ name: "db", maxConcurrent: limit });
          } else scene.leave({ id, stream: Number(id) }, kind === "lose" ? "lost" : "cancelled");
          const inUse = liveBooks(scene).reduce((sum, each) => sum + each.permits, 0);
          // Lowered below what is in use, it lets those finish, and admits none meanwhile.
          expect(inUse).toBeLessThanOrEqual(Math.max(limit, before));
          before = inUse;
        }
      }),
      { numRuns: 500 },
    );
  });

  it("lets running work finish when the limit is lowered, and admits no waiter until there is room", () => {
    const scene = createScene();
    scene.create({ name: "db", maxConcurrent: 4 });
    const holders = [1, 2, 3, 4].map(() => scene.acquire([claimOn("db")]));
    const waiter = scene.acquire([claimOn("db")]);
    scene.update({ name: "db", maxConcurrent: 2 });
    for (const { id } of holders) expect(scene.holds(id)).toBe(true);
    scene.release(holders[0]?.id ?? "");
    scene.release(holders[1]?.id ?? "");
    expect(scene.holds(waiter.id)).toBe(false);
    expect(scene.tryAcquire([claimOn("db")]).outcome).toMatchObject({ kind: "refused" });
    scene.release(holders[2]?.id ?? "");
    expect(scene.holds(waiter.id)).toBe(true);
  });

  it("admits each waiter that fits in the step that raises the limit", () => {
    const scene = createScene();
    scene.create({ name: "db", maxConcurrent: 1 });
    const asked = [1, 2, 3, 4].map(() => scene.acquire([claimOn("db")]));
    scene.update({ name: "db", maxConcurrent: 3 });
    expect(asked.map(({ id }) => scene.holds(id))).toEqual([true, true, true, false]);
  });

  it("drains a limiter that is deleted while it is held, and does not give its name away before", () => {
    const scene = createScene();
    const config = scene.create({ name: "db", maxConcurrent: 2 });
    const [first, second] = [scene.acquire([claimOn("db")]), scene.acquire([claimOn("db")])];
    const waiter = scene.acquire([claimOn("db")]);
    const deletion = { kind: "delete-limiter", name: "db", revision: undefined, force: false } as const;
    expect(scene.step(deletion)).toMatchObject({ kind: "limiter-deleted", drainingLeases: 2 });
    expect(scene.heardBy(waiter.stream)).toMatchObject([{ kind: "refused", reason: "LIMITER_NOT_FOUND" }]);
    const refusedWhileDraining = () => {
      const asked = [scene.acquire([claimOn("db")]), scene.tryAcquire([claimOn("db")])];
      for (const { outcome } of asked) expect(outcome).toMatchObject({ reason: "LIMITER_NOT_FOUND" });
      const reborn = scene.step({ kind: "create-limiter", config });
      expect(reborn).toMatchObject({ kind: "refused", reason: "LIMITER_EXISTS" });
    };
    refusedWhileDraining();
    scene.release(first.id);
    refusedWhileDraining();
    expect(scene.step(deletion)).toMatchObject({ drainingLeases: 1 });
    scene.release(second.id);
    expect(scene.state.limiters.has("db")).toBe(false);
    scene.create({ name: "db", maxConcurrent: 2 });
    expect(scene.tryAcquire([claimOn("db", { permits: 2 })]).outcome).toMatchObject({ kind: "granted" });
  });

  it("ends the leases of a limiter that is deleted by force, and tells their holders", () => {
    const scene = createScene();
    scene.create({ name: "db", maxConcurrent: 2 });
    scene.create({ name: "gpu", maxConcurrent: 1 });
    const both = scene.acquire([claimOn("db"), claimOn("gpu")]);
    const next = scene.acquire([claimOn("gpu")]);
    scene.step({ kind: "delete-limiter", name: "db", revision: undefined, force: true });
    expect(scene.heardBy(both.stream)).toMatchObject([{ kind: "ended", end: "deleted" }]);
    expect(scene.state.limiters.has("db")).toBe(false);
    expect(scene.holds(next.id)).toBe(true);
  });

  it("counts what is still held when a limiter is declared again while it drains", () => {
    const scene = createScene();
    const config = scene.create({ name: "db", maxConcurrent: 2 });
    const holder = scene.acquire([claimOn("db", { permits: 2 })]);
    scene.step({ kind: "delete-limiter", name: "db", revision: undefined, force: false });
    scene.step({ kind: "declare", configs: [config], undeclared: [] });
    expect(scene.tryAcquire([claimOn("db")]).outcome).toMatchObject({ reason: "CONCURRENCY_EXHAUSTED" });
    scene.release(holder.id);
    expect(scene.tryAcquire([claimOn("db")]).outcome).toMatchObject({ kind: "granted" });
  });

  it("keeps the waiters of a paused limiter, admits none, and admits in order when it goes on", () => {
    const scene = createScene();
    scene.create({ name: "db", maxConcurrent: 2 });
    const holder = scene.acquire([claimOn("db", { permits: 2 })]);
    const waiters = [1, 2, 3].map(() => scene.acquire([claimOn("db")]));
    scene.update({ name: "db", paused: true });
    scene.release(holder.id);
    scene.pass(SECOND);
    expect(scene.tryAcquire([claimOn("db")]).outcome).toMatchObject({ reason: "PAUSED" });
    expect(waiters.map(({ id }) => scene.holds(id))).toEqual([false, false, false]);
    scene.update({ name: "db", paused: false });
    expect(scene.admissions.slice(1).map(({ lease }) => lease.id)).toEqual(waiters.slice(0, 2).map(({ id }) => id));
  });

  it("counts each key by itself, and keeps a key that was granted from its queue", () => {
    const scene = createScene();
    scene.create({ name: "tenants", keyed: true, maxKeys: 2, maxConcurrent: 1 });
    const ofA = scene.acquire([claimOn("tenants", { key: "a" })]);
    const waiting = scene.acquire([claimOn("tenants", { key: "a" })]);
    expect(scene.acquire([claimOn("tenants", { key: "b" })]).outcome).toMatchObject({ kind: "granted" });
    scene.release(ofA.id);
    expect(scene.holds(waiting.id)).toBe(true);
    scene.pass(10 * SECOND);
    // A key forgotten while it is held would be found new, with all its capacity.
    expect(scene.tryAcquire([claimOn("tenants", { key: "c" })]).outcome).toMatchObject({ reason: "KEYS_EXHAUSTED" });
    expect(scene.tryAcquire([claimOn("tenants", { key: "a" })]).outcome).toMatchObject({
      reason: "CONCURRENCY_EXHAUSTED",
    });
  });

  it("never forgets a key before its bucket is full again", () => {
    const scene = createScene();
    scene.create({ name: "tenants", keyed: true, maxKeys: 1, rate: rateOf(1, 2) });
    for (let taken = 0; taken < 2; taken++) scene.acquire([claimOn("tenants", { key: "a" })]);
    scene.pass(2 * SECOND - 1);
    expect(scene.tryAcquire([claimOn("tenants", { key: "b" })]).outcome).toMatchObject({ reason: "KEYS_EXHAUSTED" });
    scene.pass(1);
    expect(scene.tryAcquire([claimOn("tenants", { key: "b" })]).outcome).toMatchObject({ kind: "granted" });
  });

  it("forgets keys by itself, a bounded number in a step, without asking to be woken at once", () => {
    const scene = createScene();
    const keys = 2_500;
    scene.create({ name: "tenants", keyed: true, maxConcurrent: 1 });
    const state = scene.state;
    const claims = Array.from({ length: keys }, (_, key) => claimOn("tenants", { key: `${key}` }));
    for (let from = 0; from < keys; from += 8) scene.release(scene.acquire(claims.slice(from, from + 8)).id);
    const known = () => state.limiters.get("tenants")?.instances.size ?? 0;
    expect(known()).toBe(keys);
    let steps = 0;
    while (scene.wakeAt < Number.POSITIVE_INFINITY) {
      const before = known();
      expect(scene.wakeAt).toBeGreaterThan(scene.now);
      scene.oversleep(scene.wakeAt - scene.now);
      scene.step({ kind: "wake" });
      expect(before - known()).toBeLessThanOrEqual(1_000);
      steps += 1;
    }
    expect(known()).toBe(0);
    expect(steps).toBeLessThanOrEqual(4);
  });
});

/** The live leases and their permits, from what was said to askers and streams and from nothing else. */
function liveBooks(scene: Scene): { id: string; permits: number }[] {
  return scene.admissions
    .filter(({ lease }) => scene.holds(lease.id))
    .map(({ lease }) => ({ id: lease.id, permits: lease.claims.reduce((sum, claim) => sum + claim.permits, 0) }));
}
