/** Promise 6: a lease ends exactly once, by one of five ends; a ttl after a loss was noticed its capacity is back. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { LeaseEnd } from "../../../../src/server/machine/limiter/outcomes.ts";
import { rateOf } from "../../../support/limiter-config.ts";
import { claimOn, MINUTE, SECOND } from "../builders.ts";
import { createScene, type Scene } from "./scene.ts";

describe("nothing leaks", () => {
  it("ends each lease exactly once, and all capacity is back when all are gone", () => {
    const act = fc.record({
      kind: fc.constantFrom(
        "ask",
        "ask",
        "try",
        "release",
        "cancel",
        "lose",
        "revoke",
        "resume",
        "renew",
        "pass",
        "delete",
      ),
      names: fc.uniqueArray(fc.constantFrom("a", "b", "k x", "k y"), { minLength: 1 }),
      size: fc.integer({ min: 1, max: 2 }),
      monitored: fc.boolean(),
      which: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 100 }), (acts) => {
        const scene = createScene();
        const create = () => {
          scene.create({ name: "a", maxConcurrent: 2, rate: rateOf(10, 2), ttl: SECOND });
          scene.create({ name: "b", maxConcurrent: 3, ttl: SECOND, trustCancel: false });
          scene.create({ name: "k", keyed: true, maxConcurrent: 2, ttl: 2 * SECOND });
        };
        create();
        for (const { kind, names, size, monitored, which } of acts) {
          const ids = scene.admissions.map(({ lease }) => lease.id);
          const id = ids[which % ids.length] ?? "unknown";
          const lease = scene.state.leases.get(id);
          const stream = lease?.attachment.kind === "attached" ? lease.attachment.stream : 0;
          const claims = names.map((place) => {
            const [limiter = "", key = ""] = place.split(" ");
            return claimOn(limiter, { key, permits: size });
          });
          if (kind === "ask") scene.acquire(claims, { monitored });
          else if (kind === "try") scene.tryAcquire(claims);
          else if (kind === "release") scene.release(id);
          else if (kind === "revoke") scene.step({ kind: "revoke", leaseId: id, force: monitored, message: "" });
          else if (kind === "renew") scene.step({ kind: "renew", leaseId: id });
          else if (kind === "resume")
            scene.step({ kind: "resume", leaseId: id, stream: 1_000_000 + which, monitored, keepOnCancel: false });
          else if (kind === "pass") scene.pass(which % (3 * SECOND));
          else if (kind === "delete" && monitored) {
            scene.step({ kind: "delete-limiter", name: "a", revision: undefined, force: true });
            create();
          } else scene.leave({ id, stream }, kind === "lose" ? "lost" : "cancelled");
        }
        for (const { id } of [...scene.state.waiters.values()]) scene.step({ kind: "cancel-waiter", waiterId: id });
        for (const id of [...scene.state.leases.keys()]) scene.release(id);
        for (const { lease } of scene.admissions) {
          expect(scene.ends.filter(({ id }) => id === lease.id).length).toBe(1);
          expect(scene.release(lease.id)).toMatchObject({ kind: "ended", already: true });
        }
        scene.pass(MINUTE);
        expectEmpty(scene);
      }),
      { numRuns: 200 },
    );
  });

  it.each<[LeaseEnd, (scene: Scene, id: string) => void]>([
    ["released", (scene, id) => scene.release(id)],
    ["cancelled", (scene, id) => scene.leave({ id, stream: 1 }, "cancelled")],
    [
      "expired",
      (scene, id) => {
        scene.leave({ id, stream: 1 }, "lost");
        scene.pass(30 * SECOND);
      },
    ],
    ["revoked", (scene, id) => scene.step({ kind: "revoke", leaseId: id, force: true, message: "" })],
    ["deleted", (scene) => scene.step({ kind: "delete-limiter", name: "db", revision: undefined, force: true })],
  ])("says for ever after that a lease was %s, to a release, renewal, revocation or resume", (end, act) => {
    const scene = createScene();
    scene.create({ name: "db", maxConcurrent: 1 });
    const { id } = scene.acquire([claimOn("db")]);
    act(scene, id);
    const said = { kind: "ended", leaseId: id, end, already: true };
    expect(scene.release(id)).toEqual(said);
    expect(scene.step({ kind: "renew", leaseId: id })).toEqual(said);
    expect(scene.step({ kind: "revoke", leaseId: id, force: false, message: "" })).toEqual(said);
    const reason = {
      released: "LEASE_ENDED",
      cancelled: "LEASE_ENDED",
      expired: "LEASE_EXPIRED",
      revoked: "LEASE_REVOKED",
      deleted: "LIMITER_DELETED",
    }[end];
    expect(scene.step({ kind: "resume", leaseId: id, stream: 9, monitored: true, keepOnCancel: false })).toMatchObject({
      reason,
    });
    scene.leave({ id, stream: 1 }, "cancelled");
    expect(scene.state.leases.size).toBe(0);
  });

  describe("gives the capacity back exactly a ttl after", () => {
    const TTL = SECOND;
    /** Asserts that the permit is held until just before `micros` from now, and free then. */
    function expectFreeIn(scene: Scene, micros: number): void {
      scene.pass(micros - 1);
      expect(scene.state.limiters.get("db")?.permitsInUse).toBe(1);
      scene.pass(1);
      expect(scene.state.limiters.get("db")?.permitsInUse).toBe(0);
    }
    function held({ monitored = true, trustCancel = true } = {}) {
      const scene = createScene();
      scene.create({ name: "db", maxConcurrent: 1, ttl: TTL, trustCancel });
      const holder = scene.acquire([claimOn("db")], { monitored });
      return { scene, ...holder, renew: () => scene.step({ kind: "renew", leaseId: holder.id }) };
    }

    it("the stream was lost", () => {
      const { scene, id, stream } = held();
      scene.pass(MINUTE);
      scene.leave({ id, stream }, "lost");
      expectFreeIn(scene, TTL);
    });

    it("a cancel that is not trusted", () => {
      const { scene, id, stream } = held({ trustCancel: false });
      scene.leave({ id, stream }, "cancelled");
      expectFreeIn(scene, TTL);
    });

    it("the last Renew of a lease whose stream cannot be monitored", () => {
      const { scene, renew } = held({ monitored: false });
      scene.pass(TTL - 1);
      renew();
      expectFreeIn(scene, TTL);
    });

    it("the last Renew of a lease without a stream", () => {
      const scene = createScene();
      scene.create({ name: "db", maxConcurrent: 1, ttl: TTL });
      const { id } = scene.tryAcquire([claimOn("db")]);
      scene.pass(TTL - 1);
      scene.step({ kind: "renew", leaseId: id });
      expectFreeIn(scene, TTL);
    });

    it("the loss of the stream that had resumed it, which stopped the clock", () => {
      const { scene, id, stream } = held();
      scene.leave({ id, stream }, "lost");
      scene.pass(TTL - 1);
      scene.step({ kind: "resume", leaseId: id, stream: 7, monitored: true, keepOnCancel: false });
      scene.pass(MINUTE);
      scene.leave({ id, stream: 7 }, "lost");
      expectFreeIn(scene, TTL);
    });

    it("an operator asked for it, whatever is renewed or resumed", () => {
      const { scene, id, renew } = held();
      scene.step({ kind: "revoke", leaseId: id, force: false, message: "please" });
      scene.pass(TTL / 2);
      renew();
      scene.step({ kind: "resume", leaseId: id, stream: 8, monitored: true, keepOnCancel: false });
      scene.step({ kind: "revoke", leaseId: id, force: false, message: "again" });
      expectFreeIn(scene, TTL / 2);
      expect(scene.heardBy(8).at(-1)).toMatchObject({ kind: "ended", end: "revoked" });
    });

    it("its stream was lost, if an operator asks for it while it is orphaned", () => {
      const { scene, id, stream } = held();
      scene.leave({ id, stream }, "lost");
      scene.pass(TTL / 4);
      scene.step({ kind: "revoke", leaseId: id, force: false, message: "" });
      expectFreeIn(scene, (3 * TTL) / 4);
    });
  });

  it("never expires a lease whose stream is monitored, however long it is silent", () => {
    const scene = createScene();
    scene.create({ name: "db", maxConcurrent: 1, ttl: SECOND });
    const { id } = scene.acquire([claimOn("db")]);
    expect(scene.wakeAt).toBe(Number.POSITIVE_INFINITY);
    scene.oversleep(1_000 * MINUTE);
    scene.step({ kind: "wake" });
    expect(scene.holds(id)).toBe(true);
  });

  it.each(["cancelled", "lost"] as const)("frees at once with a ttl of 0 when the stream is %s", (how) => {
    for (const monitored of [true, false]) {
      const scene = createScene();
      scene.create({ name: "db", maxConcurrent: 1, ttl: 0, trustCancel: false });
      const holder = scene.acquire([claimOn("db")], { monitored });
      scene.pass(MINUTE);
      expect(scene.holds(holder.id)).toBe(true);
      scene.leave(holder, how);
      expect(scene.holds(holder.id)).toBe(false);
    }
  });

  it.each([
    ["what the request says", 3 * SECOND, [5 * SECOND, 4 * SECOND], [MINUTE, MINUTE], 3 * SECOND],
    [
      "the least of the limiters where the request says nothing",
      undefined,
      [5 * SECOND, 4 * SECOND],
      [MINUTE, MINUTE],
      4 * SECOND,
    ],
    ["at most what every limiter allows", 3 * MINUTE, [SECOND, SECOND], [MINUTE, 2 * MINUTE], MINUTE],
    ["zero where one limiter says so", undefined, [SECOND, 0], [MINUTE, MINUTE], 0],
    ["what the request says, zero too", 0, [SECOND, SECOND], [MINUTE, MINUTE], 0],
  ])("has as its ttl %s", (_, asked, ttls, maxTtls, expected) => {
    const scene = createScene();
    const names = ["a", "b"];
    for (const [i, name] of names.entries()) {
      scene.create({ name, maxConcurrent: 1, ttl: ttls[i] ?? 0, maxTtl: maxTtls[i] ?? 0 });
    }
    const { id } = scene.acquire(
      names.map((name) => claimOn(name)),
      { ttl: asked },
    );
    expect(scene.state.leases.get(id)?.ttl).toBe(expected);
  });

  it("gives a TryAcquire thirty seconds where the limiter's ttl is zero: it has no stream to end with", () => {
    const scene = createScene();
    scene.create({ name: "db", maxConcurrent: 1, ttl: 0 });
    const { id } = scene.tryAcquire([claimOn("db")]);
    expect(scene.state.leases.get(id)?.ttl).toBe(30 * SECOND);
  });

  it("leaves nothing behind of a grant that holds no permits", () => {
    const scene = createScene();
    scene.create({ name: "api", rate: rateOf(10, 10) });
    scene.create({ name: "db", maxConcurrent: 1 });
    expect(scene.acquire([claimOn("api")]).outcome).toMatchObject({ kind: "granted", held: false });
    expect(scene.tryAcquire([claimOn("db", { permits: 0 })]).outcome).toMatchObject({ kind: "granted", held: false });
    expect(scene.state.leases.size).toBe(0);
    expect(scene.wakeAt).toBe(Number.POSITIVE_INFINITY);
  });

  it("tells the older stream when a lease is resumed, and does not let its late end take the lease along", () => {
    const scene = createScene();
    scene.create({ name: "db", maxConcurrent: 1 });
    const holder = scene.acquire([claimOn("db")]);
    scene.step({ kind: "resume", leaseId: holder.id, stream: 9, monitored: true, keepOnCancel: false });
    expect(scene.heardBy(holder.stream)).toMatchObject([{ kind: "displaced", reason: "LEASE_DISPLACED" }]);
    scene.leave(holder, "cancelled");
    expect(scene.holds(holder.id)).toBe(true);
    scene.leave({ id: holder.id, stream: 9 }, "lost");
    expect(scene.holds(holder.id)).toBe(true);
  });

  it("takes the cancel of a stream that took the lease up for no more than a lost connection, unless the ttl is zero", () => {
    for (const ttl of [SECOND, 0]) {
      const scene = createScene();
      scene.create({ name: "db", maxConcurrent: 1, ttl });
      const { id } = scene.acquire([claimOn("db")]);
      scene.step({ kind: "resume", leaseId: id, stream: 9, monitored: true, keepOnCancel: false });
      scene.leave({ id, stream: 9 }, "cancelled");
      expect(scene.holds(id)).toBe(ttl > 0);
      scene.pass(ttl);
      expect(scene.holds(id)).toBe(false);
    }
  });

  it("leaves a lease alone that an overtaken attempt takes up and cancels: its holder takes it up again", () => {
    const scene = createScene();
    scene.create({ name: "db", maxConcurrent: 1 });
    const { id, stream } = scene.acquire([claimOn("db")], { requestId: "request-000000001" });
    const late = scene.acquire([claimOn("db")], { requestId: "request-000000001" });
    expect(late.outcome).toMatchObject({ kind: "granted", resumed: true });
    expect(scene.heardBy(stream)).toMatchObject([{ kind: "displaced", reason: "LEASE_DISPLACED" }]);
    scene.leave({ id, stream: late.stream }, "cancelled");
    expect(scene.holds(id)).toBe(true);
    const again = scene.step({ kind: "resume", leaseId: id, stream: 99, monitored: true, keepOnCancel: false });
    expect(again).toMatchObject({ kind: "granted" });
  });
});

/** Nothing is held, waits, falls due or is known that was not there at the start. */
function expectEmpty({ state, wakeAt }: Scene): void {
  expect(state.leases.size + state.waiters.size + state.requests.size + state.deadlines.size).toBe(0);
  expect(wakeAt).toBe(Number.POSITIVE_INFINITY);
  for (const limiter of state.limiters.values()) {
    const { permitsInUse, leases, orphanedLeases, waiters } = limiter;
    expect([permitsInUse, leases, orphanedLeases, waiters]).toEqual([0, 0, 0, 0]);
    expect(limiter.instances.size).toBe(limiter.config.keyed ? 0 : 1);
  }
}
