/** Promise 9: every grant has a fencing token that rises for ever per limiter and, if asked for, a slot for each permit. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { HeldClaim } from "../../../../src/server/machine/limiter/lease.ts";
import { rateOf } from "../../../support/limiter-config.ts";
import { claimOn, SECOND } from "../builders.ts";
import { createScene, type Scene } from "./scene.ts";

/** A resource that keeps the highest token for each slot, and refuses any that is lower. */
function createResource() {
  const highest = new Map<number, number>();
  return {
    admits({ slots, fencingToken }: HeldClaim): boolean {
      if (slots.some((slot) => fencingToken < (highest.get(slot) ?? 0))) return false;
      for (const slot of slots) highest.set(slot, fencingToken);
      return true;
    },
  };
}

describe("fenced", () => {
  it("gives tokens that rise with every grant of a limiter, through deletions and restarts too", () => {
    const act = fc.record({
      kind: fc.constantFrom("ask", "ask", "ask", "try", "release", "recreate", "restart", "pass"),
      key: fc.constantFrom("x", "y"),
      which: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 100 }), (acts) => {
        const highest = new Map<string, number>();
        const config = { maxConcurrent: 3, ttl: SECOND };
        let epoch = 1e15;
        const start = () => {
          const fresh = createScene({ fencingEpoch: epoch });
          fresh.create({ name: "db", ...config });
          fresh.create({ name: "k", keyed: true, ...config });
          return fresh;
        };
        let scene = start();
        let seen = 0;
        for (const { kind, key, which } of acts) {
          const ids = [...scene.state.leases.keys()];
          const claims = [claimOn("db"), claimOn("k", { key })].slice(which % 2);
          if (kind === "ask") scene.acquire(claims);
          else if (kind === "try") scene.tryAcquire(claims);
          else if (kind === "release") scene.release(ids[which % ids.length] ?? "unknown");
          else if (kind === "pass") scene.pass(which % (2 * SECOND));
          else if (kind === "recreate") {
            scene.step({ kind: "delete-limiter", name: "db", revision: undefined, force: true });
            scene.create({ name: "db", ...config });
          } else if (kind === "restart") {
            // No process grants more than once a microsecond.
            epoch += scene.now + scene.admissions.length * 2 + 1;
            scene = start();
            seen = 0;
          }
          for (const { lease } of scene.admissions.slice(seen)) {
            for (const { instance, fencingToken } of lease.claims) {
              const { name } = instance.limiter.config;
              expect(fencingToken).toBeGreaterThan(highest.get(name) ?? 0);
              expect(Number.isSafeInteger(fencingToken)).toBe(true);
              highest.set(name, fencingToken);
            }
          }
          seen = scene.admissions.length;
        }
      }),
      { numRuns: 200 },
    );
  });

  it("gives slots below the limit that no other live claim of the limiter and key has, in the order of the permits", () => {
    const act = fc.record({
      ask: fc.boolean(),
      permits: fc.integer({ min: 1, max: 4 }),
      slots: fc.boolean(),
      key: fc.constantFrom("x", "y"),
      which: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 100 }), (acts) => {
        const scene = createScene();
        scene.create({ name: "k", keyed: true, maxConcurrent: 6 });
        for (const { ask, permits, slots, key, which } of acts) {
          const ids = [...scene.state.leases.keys()];
          if (ask) scene.acquire([claimOn("k", { key, permits, slots })]);
          else scene.release(ids[which % ids.length] ?? "unknown");
          for (const each of ["x", "y"]) expectSlotsApart(scene, each, 6);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("gives slots below the limit that stands at the grant, after it was lowered too", () => {
    const scene = createScene();
    scene.create({ name: "db", maxConcurrent: 4 });
    const holders = [1, 2, 3, 4].map(() => scene.acquire([claimOn("db", { slots: true })]));
    scene.update({ name: "db", maxConcurrent: 2 });
    for (const { id } of holders.slice(0, 3)) scene.release(id);
    const { id } = scene.acquire([claimOn("db", { slots: true })]);
    expect(scene.state.leases.get(id)?.claims[0]?.slots).toEqual([0]);
  });

  it("lets a resource that keeps the highest token per slot refuse former holders, and no lawful one", () => {
    const act = fc.record({ kind: fc.constantFrom("ask", "lose", "release", "write", "late"), which: fc.nat() });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 120 }), (acts) => {
        const scene = createScene();
        scene.create({ name: "db", maxConcurrent: 3, ttl: SECOND });
        const resource = createResource();
        for (const { kind, which } of acts) {
          const ids = [...scene.state.leases.keys()];
          const id = ids[which % ids.length] ?? "unknown";
          const lease = scene.state.leases.get(id);
          const stream = lease?.attachment.kind === "attached" ? lease.attachment.stream : 0;
          if (kind === "ask") scene.acquire([claimOn("db", { slots: true, permits: 1 + (which % 2) })]);
          else if (kind === "release") scene.release(id);
          else if (kind === "lose") {
            scene.leave({ id, stream }, "lost");
            scene.pass(SECOND);
          } else if (kind === "write") {
            for (const live of scene.state.leases.values()) {
              for (const claim of live.claims) expect(resource.admits(claim)).toBe(true);
            }
          } else {
            // One that was frozen past its end writes, once its slots have been used by later holders.
            const gone = scene.admissions.map((each) => each.lease).filter((each) => !scene.holds(each.id));
            for (const claim of gone[which % gone.length]?.claims ?? []) {
              const replaced = [...scene.state.leases.values()].some((live) =>
                live.claims.some((other) => other.slots.some((slot) => claim.slots.includes(slot))),
              );
              for (const live of scene.state.leases.values()) for (const other of live.claims) resource.admits(other);
              if (replaced) expect(resource.admits(claim)).toBe(false);
            }
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it("gives no slots where none were asked for, and none to claims that hold nothing", () => {
    const scene = createScene();
    scene.create({ name: "db", maxConcurrent: 3 });
    scene.create({ name: "api", rate: rateOf(10, 10) });
    const claims = [claimOn("db", { permits: 2 }), claimOn("api", { slots: true })];
    const { outcome } = scene.acquire(claims);
    expect(outcome.kind === "granted" && outcome.lease.claims.map(({ slots }) => slots)).toEqual([[], []]);
  });
});

function expectSlotsApart(scene: Scene, key: string, limit: number): void {
  const claims = [...scene.state.leases.values()]
    .flatMap((lease) => lease.claims.map((claim, index) => ({ claim, asked: lease.asked[index]?.slots === true })))
    .filter(({ claim }) => claim.instance.key === key);
  const slots = claims.flatMap(({ claim }) => claim.slots);
  expect(new Set(slots).size).toBe(slots.length);
  for (const slot of slots) expect(slot >= 0 && slot < limit).toBe(true);
  for (const { claim, asked } of claims) expect(claim.slots.length).toBe(asked ? claim.permits : 0);
}
