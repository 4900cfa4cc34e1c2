/** Promise 5: first come, first served; a freed permit goes to the head of the queue in the same step. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { rateOf } from "../../../support/limiter-config.ts";
import { claimOn, MILLISECOND, SECOND } from "../builders.ts";
import { createScene, type Scene } from "./scene.ts";

describe("fair", () => {
  it("grants in the order of arrival, whatever clients give up, are lost, come back or only try between", () => {
    const act = fc.record({
      kind: fc.constantFrom(
        "ask",
        "ask",
        "ask",
        "ask",
        "release",
        "release",
        "cancel",
        "lose",
        "return",
        "try",
        "pass",
      ),
      claims: fc.uniqueArray(fc.constantFrom("a", "b", "k x", "k y"), { minLength: 1, maxLength: 3 }),
      size: fc.integer({ min: 1, max: 3 }),
      which: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 120 }), (acts) => {
        const scene = createScene();
        scene.create({ name: "a", maxConcurrent: 3 });
        scene.create({ name: "b", maxConcurrent: 3, rate: rateOf(1_000, 3) });
        scene.create({ name: "k", keyed: true, maxConcurrent: 3 });
        for (const [serial, { kind, claims, size, which }] of acts.entries()) {
          const before = scene.admissions.length;
          const waiters = [...scene.state.waiters.values()];
          const waiter = waiters[which % waiters.length];
          const leases = [...scene.state.leases.keys()];
          const wanted = claims.map((place) => {
            const [limiter = "", key = ""] = place.split(" ");
            return claimOn(limiter, { key, permits: size, tokens: size });
          });
          // Ids count up, so that they are the order of arrival.
          if (kind === "ask") scene.acquire(wanted, { requestId: `request-${serial}` });
          else if (kind === "try") scene.tryAcquire(wanted);
          else if (kind === "release") scene.release(leases[which % leases.length] ?? "unknown");
          else if (kind === "pass") scene.pass(which % 5_000);
          else if (waiter !== undefined && (kind === "return") === (waiter.stream === undefined)) {
            if (waiter.stream === undefined) scene.acquire(waiter.claims, { requestId: waiter.requestId });
            else scene.leave({ id: waiter.id, stream: waiter.stream }, kind === "lose" ? "lost" : "cancelled");
          }
          expectNoneOvertaken(scene, before);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("gives a freed permit to the head of the queue in the step that frees it, however it comes free", () => {
    const frees: ((scene: Scene, id: string, stream: number) => void)[] = [
      (scene, id) => scene.release(id),
      (scene, id, stream) => scene.leave({ id, stream }, "cancelled"),
      (scene, id) => scene.step({ kind: "revoke", leaseId: id, force: true, message: "" }),
      (scene, id, stream) => {
        scene.leave({ id, stream }, "lost");
        scene.oversleep(30 * SECOND);
        scene.step({ kind: "wake" });
      },
    ];
    for (const free of frees) {
      const scene = createScene();
      scene.create({ name: "db", maxConcurrent: 1 });
      const holder = scene.acquire([claimOn("db")]);
      const [head, next] = [scene.acquire([claimOn("db")]), scene.acquire([claimOn("db")])];
      free(scene, holder.id, holder.stream);
      expect([scene.holds(head.id), scene.holds(next.id)]).toEqual([true, false]);
      expect(scene.heardBy(head.stream)).toMatchObject([{ kind: "granted", resumed: false }]);
    }
  });

  it("does not let a newcomer into the gap when the machine is woken late: first what has fallen due, then the newcomer", () => {
    const scene = createScene();
    scene.create({ name: "db", maxConcurrent: 1, rate: rateOf(10, 1) });
    const holder = scene.tryAcquire([claimOn("db")], { ttl: SECOND });
    const waiter = scene.acquire([claimOn("db")]);
    scene.oversleep(2 * SECOND);
    const newcomer = scene.tryAcquire([claimOn("db")]);
    expect(newcomer.outcome).toMatchObject({ kind: "refused", reason: "CONCURRENCY_EXHAUSTED" });
    expect([scene.holds(holder.id), scene.holds(waiter.id)]).toEqual([false, true]);
  });

  it("does not let a TryAcquire overtake, though it would fit", () => {
    const scene = createScene();
    scene.create({ name: "db", maxConcurrent: 3 });
    scene.acquire([claimOn("db", { permits: 2 })]);
    scene.acquire([claimOn("db", { permits: 2 })]);
    expect(scene.tryAcquire([claimOn("db")]).outcome).toMatchObject({ reason: "WAITERS_AHEAD", waitersAhead: 1 });
    expect(scene.acquire([claimOn("db")], { maxWait: 0 }).outcome).toMatchObject({ reason: "WAITERS_AHEAD" });
  });

  it("does not skip a large waiter at the head for small ones behind it", () => {
    const scene = createScene();
    scene.create({ name: "db", maxConcurrent: 4 });
    const holders = [1, 2, 3, 4].map(() => scene.acquire([claimOn("db")]));
    const large = scene.acquire([claimOn("db", { permits: 4 })]);
    const small = scene.acquire([claimOn("db")]);
    for (const { id } of holders.slice(0, 3)) scene.release(id);
    expect([scene.holds(large.id), scene.holds(small.id)]).toEqual([false, false]);
    scene.release(holders[3]?.id ?? "");
    expect([scene.holds(large.id), scene.holds(small.id)]).toEqual([true, false]);
  });

  it("lets those behind go on in the step in which a large head leaves", () => {
    const scene = createScene();
    scene.create({ name: "db", maxConcurrent: 2 });
    scene.acquire([claimOn("db")]);
    const large = scene.acquire([claimOn("db", { permits: 2 })]);
    const small = scene.acquire([claimOn("db")]);
    scene.leave(large, "cancelled");
    expect(scene.holds(small.id)).toBe(true);
  });

  it("admits, of the waiters whose time is up, each that can be admitted, before it refuses the others", () => {
    const scene = createScene();
    scene.create({ name: "db", maxConcurrent: 2 });
    const holder = scene.tryAcquire([claimOn("db")], { ttl: SECOND });
    scene.acquire([claimOn("db")]);
    const large = scene.acquire([claimOn("db", { permits: 2 })], { maxWait: SECOND });
    const small = scene.acquire([claimOn("db")], { maxWait: SECOND });
    scene.pass(SECOND);
    expect(scene.holds(holder.id)).toBe(false);
    expect(scene.heardBy(large.stream)).toMatchObject([{ kind: "refused", reason: "WAIT_TIMEOUT" }]);
    expect(scene.heardBy(small.stream)).toMatchObject([{ kind: "granted" }]);
  });

  it("gives a lost waiter its old place when it comes back in time, and blocks no other meanwhile", () => {
    const scene = createScene();
    scene.create({ name: "db", maxConcurrent: 1, ttl: SECOND });
    const holder = scene.acquire([claimOn("db")]);
    const [first, second, third] = ["first", "second", "third"].map((requestId) =>
      scene.acquire([claimOn("db")], { requestId }),
    );
    if (!first || !second || !third) throw new Error("three have asked");
    scene.leave(first, "lost");
    scene.release(holder.id);
    expect(scene.holds(second.id)).toBe(true);
    scene.pass(SECOND - 1);
    const back = scene.acquire([claimOn("db")], { requestId: "first" });
    expect(back.outcome).toMatchObject({ kind: "waiting", waiterId: first.id });
    scene.release(second.id);
    expect([scene.holds(first.id), scene.holds(third.id)]).toEqual([true, false]);
    expect(scene.heardBy(back.stream)).toMatchObject([{ kind: "granted" }]);
  });

  it("forgets the place of a waiter that does not come back within its ttl", () => {
    const scene = createScene();
    scene.create({ name: "db", maxConcurrent: 1, ttl: SECOND });
    scene.acquire([claimOn("db")]);
    const lost = scene.acquire([claimOn("db")], { requestId: "lost" });
    scene.leave(lost, "lost");
    scene.acquire([claimOn("db")]);
    scene.pass(SECOND);
    const back = scene.acquire([claimOn("db")], { requestId: "lost" });
    expect(back.outcome).toMatchObject({ kind: "waiting", waiterId: back.id, waitersAhead: 1 });
  });

  it("takes the place of its own older stream, and tells that one", () => {
    const scene = createScene();
    scene.create({ name: "db", maxConcurrent: 1 });
    const holder = scene.acquire([claimOn("db")]);
    const older = scene.acquire([claimOn("db")], { requestId: "twice" });
    const newer = scene.acquire([claimOn("db")], { requestId: "twice" });
    expect(newer.outcome).toMatchObject({ kind: "waiting", waiterId: older.id });
    expect(scene.heardBy(older.stream)).toMatchObject([{ kind: "displaced", reason: "WAITER_DISPLACED" }]);
    // The older stream ends late, and takes nothing with it.
    scene.leave(older, "cancelled");
    scene.release(holder.id);
    expect(scene.heardBy(newer.stream)).toMatchObject([{ kind: "granted" }]);
  });

  it("lets no waiter exceed the limiter's max_wait by asking again, and admits at once one that will not wait on", () => {
    const scene = createScene();
    scene.create({ name: "db", maxConcurrent: 1, maxWait: SECOND, ttl: 10 * SECOND });
    const holder = scene.acquire([claimOn("db")]);
    scene.acquire([claimOn("db")], { requestId: "again" });
    scene.pass(600 * MILLISECOND);
    const again = scene.acquire([claimOn("db")], { requestId: "again" });
    scene.pass(400 * MILLISECOND);
    expect(scene.heardBy(again.stream)).toMatchObject([{ kind: "refused", reason: "WAIT_TIMEOUT" }]);

    const away = scene.acquire([claimOn("db")], { requestId: "now" });
    scene.leave(away, "lost");
    scene.release(holder.id);
    expect(scene.acquire([claimOn("db")], { requestId: "now", maxWait: 0 }).outcome).toMatchObject({ kind: "granted" });
  });
});

/** No waiter that came earlier is still present in a queue of a lease that was admitted since then. */
function expectNoneOvertaken(scene: Scene, since: number): void {
  const arrival = (id: string) => Number(id);
  const admitted = scene.admissions.slice(since).map(({ lease }) => lease);
  for (const [index, lease] of admitted.entries()) {
    for (const { instance } of lease.claims) {
      for (const { waiter } of instance.queue.present()) expect(arrival(waiter.id)).toBeGreaterThan(arrival(lease.id));
      const later = admitted
        .slice(index + 1)
        .filter((other) => other.claims.some((claim) => claim.instance === instance));
      for (const other of later) expect(arrival(other.id)).toBeGreaterThan(arrival(lease.id));
    }
  }
}
