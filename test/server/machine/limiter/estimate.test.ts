/** The wait that is estimated for a waiter: from what holds took lately, and from how long the present ones have. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { pageWaiters, viewWaiter } from "../../../../src/server/machine/limiter/read.ts";
import { asIs, claimOn, SECOND } from "../builders.ts";
import { createScene, type Scene } from "./scene.ts";

/** A limiter whose holders have lately held for half a second each. */
function shortHolds(maxConcurrent: number, config = {}): Scene {
  const scene = createScene();
  scene.create({ name: "db", maxConcurrent, ...config });
  for (let i = 0; i < 20; i++) {
    const { id } = scene.acquire([claimOn("db")]);
    scene.pass(SECOND / 2);
    scene.release(id);
  }
  return scene;
}

/** The waiter's estimate now. */
function estimateNow(scene: Scene, { id }: { readonly id: string }): number | undefined {
  const waiter = scene.state.waiters.get(id);
  if (waiter === undefined) throw new Error("it does not wait");
  return viewWaiter(scene.state, waiter, scene.now, asIs).estimatedWait;
}

describe("the estimate", () => {
  it("grows with a holder that holds longer than others did", () => {
    const scene = shortHolds(1);
    scene.acquire([claimOn("db")]);
    const waiter = scene.acquire([claimOn("db")]);
    expect(waiter.outcome).toMatchObject({ kind: "waiting", estimatedWait: SECOND / 2 });
    scene.pass(10 * SECOND);
    expect(estimateNow(scene, waiter)).toBe(10 * SECOND);
    scene.pass(58 * SECOND);
    expect(estimateNow(scene, waiter)).toBe(68 * SECOND);
    // The slow holder is waited for once: those behind it go on at the mean.
    const behind = scene.acquire([claimOn("db")]);
    expect(behind.outcome).toMatchObject({ kind: "waiting" });
    const { estimatedWait } = behind.outcome as { estimatedWait: number };
    expect(estimatedWait).toBeGreaterThan(68 * SECOND);
    expect(estimatedWait).toBeLessThan(72 * SECOND);
  });

  it("heeds those that come and go beside a holder that stays", () => {
    const scene = shortHolds(2);
    scene.acquire([claimOn("db")]);
    scene.pass(60 * SECOND);
    for (let i = 0; i < 40; i++) {
      const { id } = scene.acquire([claimOn("db")]);
      scene.pass(SECOND / 2);
      scene.release(id);
    }
    scene.acquire([claimOn("db")]);
    const one = scene.acquire([claimOn("db")]);
    expect((one.outcome as { estimatedWait: number }).estimatedWait).toBeLessThan(SECOND);
    // One that wants both permits waits for the holder that stays, and so does what stands behind it.
    const both = scene.acquire([claimOn("db", { permits: 2 })]);
    expect((both.outcome as { estimatedWait: number }).estimatedWait).toBeGreaterThanOrEqual(80 * SECOND);
    const behind = scene.acquire([claimOn("db")]);
    expect((behind.outcome as { estimatedWait: number }).estimatedWait).toBeGreaterThanOrEqual(80 * SECOND);
  });

  it("is known from the holders alone once none has ended for minutes", () => {
    const scene = shortHolds(1);
    scene.acquire([claimOn("db")]);
    const waiter = scene.acquire([claimOn("db")]);
    scene.pass(300 * SECOND);
    expect(estimateNow(scene, waiter)).toBe(300 * SECOND);
  });

  it("is unknown where no hold has ended, and none has lasted for a second", () => {
    const scene = createScene();
    scene.create({ name: "db", maxConcurrent: 1 });
    scene.acquire([claimOn("db")]);
    scene.pass(SECOND / 2);
    expect(scene.acquire([claimOn("db")]).outcome).toMatchObject({ kind: "waiting", estimatedWait: undefined });
  });

  it("of several claims is the longest", () => {
    const scene = shortHolds(1);
    scene.create({ name: "free", maxConcurrent: 5 });
    scene.acquire([claimOn("db")]);
    scene.pass(30 * SECOND);
    const { outcome } = scene.acquire([claimOn("free"), claimOn("db")]);
    expect(outcome).toMatchObject({ kind: "waiting", estimatedWait: 30 * SECOND });
  });

  it("refuses long waits, with the numbers and the time after which to ask again", () => {
    const scene = shortHolds(1, { refuseLongWaits: true });
    scene.acquire([claimOn("db")]);
    scene.pass(30 * SECOND);
    expect(scene.acquire([claimOn("db")], { maxWait: 10 * SECOND }).outcome).toMatchObject({
      kind: "refused",
      reason: "WAIT_TOO_LONG",
      retryAfter: 20 * SECOND,
      numbers: { estimatedWait: 30 * SECOND, maxWait: 10 * SECOND },
    });
    expect(scene.acquire([claimOn("db")], { maxWait: 40 * SECOND }).outcome).toMatchObject({ kind: "waiting" });
  });

  it("never falls while time passes and nothing else happens, and never with what stands before", () => {
    const act = fc.record({
      pass: fc.nat({ max: 3 * SECOND }),
      permits: fc.integer({ min: 1, max: 3 }),
      end: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(act, { maxLength: 40 }),
        fc.array(fc.nat({ max: 20 * SECOND }), { maxLength: 10 }),
        (acts, passes) => {
          const scene = createScene();
          scene.create({ name: "db", maxConcurrent: 3 });
          for (const { pass, permits, end } of acts) {
            const [oldest] = scene.state.leases.keys();
            if (end && oldest !== undefined) scene.release(oldest);
            else scene.acquire([claimOn("db", { permits })], { ttl: 300 * SECOND });
            scene.pass(pass);
          }
          // Within the period for which hold times are remembered.
          let last: (number | undefined)[] = [];
          const mean = scene.state.limiters.get("db")?.statistics.flow?.holds.mean(scene.now);
          for (const pass of [0, ...passes]) {
            scene.pass(pass);
            if (scene.state.limiters.get("db")?.statistics.flow?.holds.mean(scene.now) !== mean) return;
            const { items } = pageWaiters(scene.state, { limiter: "db", key: "", after: "", limit: 100 }, asIs);
            const estimates = items.map(({ estimatedWait }) => estimatedWait);
            for (const [index, estimate] of estimates.entries()) {
              expect(estimate ?? 0).toBeGreaterThanOrEqual(last[index] ?? 0);
              expect(estimate ?? 0).toBeGreaterThanOrEqual(estimates[index - 1] ?? 0);
            }
            last = estimates;
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
