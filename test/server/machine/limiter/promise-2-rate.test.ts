/** Promise 2: in every window of length t at most `burst_size + max_rps · t` tokens are granted, and none are lost. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Rate } from "../../../../src/server/machine/limiter/rate.ts";
import { levelOf, refill } from "../../../../src/server/machine/limiter/token-bucket.ts";
import { rateOf } from "../../../support/limiter-config.ts";
import { claimOn, MILLISECOND, SECOND } from "../builders.ts";
import { anyRate } from "./any-rate.ts";
import { createScene, type Scene } from "./scene.ts";

/** Buckets that fill within three years: a scene passes that time a few times over. */
const rates = anyRate.filter(({ fillTime }) => fillTime < 1e14);

describe("rate", () => {
  it("holds in every window between two grants, however waiters, tries, cancels and late wakes are mixed", () => {
    const act = fc.record({
      kind: fc.constantFrom("acquire", "acquire", "try", "now", "cancel", "bounded", "release", "pass", "oversleep"),
      tokens: fc.integer({ min: 0, max: 5 }),
      which: fc.nat(),
    });
    fc.assert(
      fc.property(rates, fc.array(act, { maxLength: 100 }), (rate, acts) => {
        const scene = createScene();
        scene.create({ name: "api", rate, maxConcurrent: 3 });
        const burst = rate.capacity;
        for (const { kind, tokens, which } of acts) {
          const claims = [claimOn("api", { tokens: Math.min(tokens, burst) })];
          const waiters = [...scene.state.waiters.values()];
          const waiter = waiters[which % waiters.length];
          const leases = [...scene.state.leases.keys()];
          // Waits in the order of the time that a token takes.
          const micros = which % Math.ceil((4 * rate.unit) / rate.gain);
          if (kind === "acquire") scene.acquire(claims);
          else if (kind === "bounded") scene.acquire(claims, { maxWait: micros });
          else if (kind === "now") scene.acquire(claims, { maxWait: 0 });
          else if (kind === "try") scene.tryAcquire(claims);
          else if (kind === "release") scene.release(leases[which % leases.length] ?? "unknown");
          else if (kind === "pass") scene.pass(micros);
          else if (kind === "oversleep") scene.oversleep(micros);
          else if (waiter) scene.leave({ id: waiter.id, stream: waiter.stream ?? 0 }, "cancelled");
        }
        expectNoWindowAbove(scene, rate);
      }),
      { numRuns: 400 },
    );
  });

  it("is delivered whole to a queue that never empties, at any rate, where the burst has room for a claim and for what a µs brings", () => {
    fc.assert(
      fc.property(rates, fc.integer({ min: 1, max: 3 }), (rate, tokens) => {
        const size = Math.min(tokens, rate.capacity - Math.ceil(rate.gain / rate.unit));
        if (size <= 0) return;
        const scene = createScene();
        scene.create({ name: "api", rate });
        for (let i = 0; i < 40; i++) scene.acquire([claimOn("api", { tokens: size })]);
        for (let wakes = 0; wakes < 30 && scene.wakeAt < Number.POSITIVE_INFINITY; wakes++) {
          scene.pass(scene.wakeAt - scene.now);
          const came = fullParts(rate) + BigInt(scene.now) * BigInt(rate.gain);
          const claims = came / (BigInt(size) * BigInt(rate.unit));
          expect(scene.admissions.length).toBe(Math.min(40, Number(claims)));
        }
      }),
      { numRuns: 400 },
    );
  });

  it("is delivered to within a microsecond a grant where a claim takes the whole burst", () => {
    fc.assert(
      fc.property(rates, (rate) => {
        const tokens = rate.capacity;
        const scene = createScene();
        scene.create({ name: "api", rate });
        for (let i = 0; i < 10; i++) scene.acquire([claimOn("api", { tokens })]);
        while (scene.wakeAt < Number.POSITIVE_INFINITY) scene.pass(scene.wakeAt - scene.now);
        // The next is due when the bucket is full, which may be between two microseconds; what ran over is not granted,
        // or two grants would be nearer than the rate allows.
        const interval = Number((fullParts(rate) + BigInt(rate.gain) - 1n) / BigInt(rate.gain));
        expect(scene.admissions.map(({ at }) => at)).toEqual(scene.admissions.map((_, index) => index * interval));
      }),
    );
  });

  it("wakes for the next token at the very microsecond when it is there", () => {
    const scene = createScene();
    scene.create({ name: "api", rate: rateOf(3, 2) });
    for (let i = 0; i < 5; i++) scene.acquire([claimOn("api")]);
    scene.pass(SECOND);
    // A third of a second is no whole number of microseconds; the error does not add up.
    expect(scene.admissions.map(({ at }) => at)).toEqual([0, 0, 333_334, 666_667, 1_000_000]);
  });

  it("loses nothing to a timer that is late by 2 ms, unless it has said that being late would", () => {
    const lateness = fc.array(fc.integer({ min: 0, max: 2 * MILLISECOND - 1 }), { minLength: 20, maxLength: 20 });
    const fast = fc
      .record({ milliRps: fc.integer({ min: 1_000, max: 2e7 }), burst: fc.integer({ min: 1, max: 1_000 }) })
      .map(({ milliRps, burst }) => rateOf(milliRps / 1000, burst));
    fc.assert(
      fc.property(fast, lateness, (rate, delays) => {
        const scene = createScene();
        scene.create({ name: "api", rate });
        const waiting = () => scene.state.waiters.size;
        const refillQueue = () => {
          while (waiting() < 60) scene.acquire([claimOn("api")]);
        };
        refillQueue();
        for (const delay of delays) {
          const late = scene.precise ? 0 : delay;
          scene.oversleep(scene.wakeAt + late - scene.now);
          scene.step({ kind: "wake" });
          if (waiting() === 0) return;
          refillQueue();
        }
        const came = fullParts(rate) + BigInt(scene.now) * BigInt(rate.gain);
        expect(BigInt(scene.admissions.length)).toBe(came / BigInt(rate.unit));
      }),
      { numRuns: 30 },
    );
  });

  it("says that being late loses tokens exactly where the bucket has no room for 2 ms of them", () => {
    const scene = createScene();
    scene.create({ name: "tight", rate: rateOf(1_000, 2) });
    scene.create({ name: "roomy", rate: rateOf(1_000, 3) });
    for (let i = 0; i < 4; i++) scene.acquire([claimOn("roomy")]);
    expect(scene.precise).toBe(false);
    for (let i = 0; i < 3; i++) scene.acquire([claimOn("tight")]);
    expect(scene.precise).toBe(true);
    scene.pass(SECOND);
    expect(scene.precise).toBe(false);
  });

  it.each([
    ["is refused", (scene: Scene) => scene.tryAcquire([claimOn("api"), claimOn("full")])],
    ["will not wait", (scene: Scene) => scene.acquire([claimOn("api"), claimOn("full")], { maxWait: 0 })],
    ["cancels", (scene: Scene) => scene.leave(scene.acquire([claimOn("api"), claimOn("full")]), "cancelled")],
    ["is lost", (scene: Scene) => scene.leave(scene.acquire([claimOn("api"), claimOn("full")]), "lost")],
    [
      "times out",
      (scene: Scene) => {
        scene.acquire([claimOn("api"), claimOn("full")], { maxWait: 1 });
        scene.pass(1);
      },
    ],
  ])("charges no token to a client that %s", (_, ask) => {
    const scene = createScene();
    scene.create({ name: "api", rate: rateOf(0.001, 3) });
    scene.create({ name: "full", maxConcurrent: 1 });
    scene.acquire([claimOn("full")]);
    const before = tokensOf(scene, "api");
    ask(scene);
    expect(tokensOf(scene, "api") - before).toBeLessThanOrEqual(1e-6);
    expect(scene.tryAcquire([claimOn("api", { tokens: 3 })]).outcome).toMatchObject({ kind: "granted" });
  });

  it("charges rate and concurrency at one instant: a token is spent when the permit is there, not before", () => {
    const scene = createScene();
    scene.create({ name: "both", rate: rateOf(0.001, 2), maxConcurrent: 1 });
    const holder = scene.acquire([claimOn("both")]);
    const waiter = scene.acquire([claimOn("both")]);
    expect(tokensOf(scene, "both")).toBe(1);
    scene.release(holder.id);
    expect(scene.holds(waiter.id)).toBe(true);
    expect(tokensOf(scene, "both")).toBe(0);
  });

  it("never gives tokens back: a lease that ends early does not make room for another start", () => {
    const scene = createScene();
    scene.create({ name: "api", rate: rateOf(10, 1), maxConcurrent: 5 });
    scene.release(scene.acquire([claimOn("api")]).id);
    expect(scene.tryAcquire([claimOn("api")]).outcome).toMatchObject({
      reason: "RATE_EXHAUSTED",
      retryAfter: 100 * MILLISECOND,
    });
  });

  it("grants again exactly after the time that a refusal named", () => {
    fc.assert(
      fc.property(rates, fc.integer({ min: 1, max: 5 }), (rate, ask) => {
        const tokens = Math.min(ask, rate.capacity);
        const refusedAt = (early: number) => {
          const scene = createScene();
          scene.create({ name: "api", rate });
          scene.acquire([claimOn("api", { tokens: rate.capacity })]);
          const { outcome } = scene.tryAcquire([claimOn("api", { tokens })]);
          if (outcome.kind !== "refused") throw new Error("an empty bucket granted");
          scene.pass((outcome.retryAfter ?? 0) - early);
          return scene.tryAcquire([claimOn("api", { tokens })]).outcome.kind;
        };
        expect(refusedAt(0)).toBe("granted");
        expect(refusedAt(1)).toBe("refused");
      }),
    );
  });

  it("keeps what was saved when the rate changes, within the new burst, and gains from then on at the new rate", () => {
    const scene = createScene();
    scene.create({ name: "api", rate: rateOf(1, 10) });
    scene.acquire([claimOn("api", { tokens: 10 })]);
    scene.pass(4 * SECOND);
    scene.update({ name: "api", rate: rateOf(100, 10) });
    expect(tokensOf(scene, "api")).toBe(4);
    scene.pass(20 * MILLISECOND);
    expect(tokensOf(scene, "api")).toBe(6);
    scene.update({ name: "api", rate: rateOf(100, 5) });
    expect(tokensOf(scene, "api")).toBe(5);
    scene.update({ name: "api", rate: rateOf(100, 50) });
    expect(tokensOf(scene, "api")).toBe(5);
  });

  it("looks again at the head in the step that changes the rate", () => {
    const scene = createScene();
    scene.create({ name: "api", rate: rateOf(0.001, 1) });
    scene.acquire([claimOn("api")]);
    const waiter = scene.acquire([claimOn("api")]);
    scene.update({ name: "api", rate: rateOf(1_000, 1) });
    expect(scene.wakeAt).toBe(MILLISECOND);
    scene.pass(MILLISECOND);
    expect(scene.admissions.at(-1)?.lease.id).toBe(waiter.id);
  });
});

/** Tokens that could be granted now. */
function tokensOf(scene: Scene, name: string): number {
  const limiter = scene.state.limiters.get(name);
  const instance = limiter?.instances.get("");
  if (instance === undefined || limiter?.config.rate === undefined) throw new Error(`no bucket of ${name}`);
  const bucket = { ...instance.bucket };
  refill(bucket, limiter.config.rate, scene.now);
  return levelOf(bucket, limiter.config.rate);
}

/** Parts of a token in a full bucket. */
function fullParts(rate: Rate): bigint {
  return BigInt(rate.capacity) * BigInt(rate.unit);
}

function expectNoWindowAbove(scene: Scene, rate: Rate): void {
  const grants = scene.admissions.map(({ at, lease }) => ({ at, tokens: lease.claims[0]?.tokens ?? 0 }));
  for (const [from, first] of grants.entries()) {
    let tokens = 0n;
    for (const last of grants.slice(from)) {
      tokens += BigInt(last.tokens);
      const most = fullParts(rate) + BigInt(last.at - first.at) * BigInt(rate.gain);
      expect(tokens * BigInt(rate.unit) <= most).toBe(true);
    }
  }
}
