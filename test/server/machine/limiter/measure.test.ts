/** What is measured of a limiter adds up to what has happened. */

import { describe, expect, test } from "vitest";
import { TIME_BOUNDS } from "../../../../src/server/machine/limiter/flow.ts";
import {
  addLimiter,
  createSum,
  type LimiterFigures,
  measureKey,
  measureLimiter,
} from "../../../../src/server/machine/limiter/measure.ts";
import type { HistogramCounts } from "../../../../src/server/machine/structures/histogram.ts";
import { rateOf } from "../../../support/limiter-config.ts";
import { claimOn, SECOND } from "../builders.ts";
import { createScene, type Scene } from "./scene.ts";

function measured(scene: Scene, name: string): LimiterFigures {
  const limiter = scene.state.limiters.get(name);
  if (limiter === undefined) throw new Error(`there is no limiter ${name}`);
  return measureLimiter(scene.state, limiter);
}

/** How many durations were counted, by the bound that they do not exceed, in s. */
function countsOf({ bounds, counts }: HistogramCounts): Record<string, number> {
  const entries = counts.map((count, index) => [(bounds[index] ?? Number.POSITIVE_INFINITY) / 1e6, count] as const);
  return Object.fromEntries(entries.filter(([, count]) => count > 0));
}

describe("a limiter", () => {
  test("has its gauges as it stands", () => {
    const scene = createScene();
    scene.create({ name: "a", maxConcurrent: 3, rate: rateOf(1, 10) });
    scene.acquire([claimOn("a", { permits: 2 })]);
    scene.acquire([claimOn("a", { permits: 2 })]);
    scene.pass(2 * SECOND);
    expect(measured(scene, "a")).toMatchObject({
      permits: 3,
      permitsInUse: 2,
      waiters: 1,
      oldestWait: 2 * SECOND,
      leases: 1,
      orphanedLeases: 0,
      keys: undefined,
      tokensAvailable: 10,
      paused: 0,
    });
    scene.update({ name: "a", paused: true });
    expect(measured(scene, "a").paused).toBe(1);
  });

  test("without limits has neither permits nor tokens", () => {
    const scene = createScene();
    scene.create({ name: "a" });
    expect(measured(scene, "a")).toMatchObject({ permits: undefined, tokensAvailable: undefined });
  });

  test("counts claims, grants, tokens and refusals", () => {
    const scene = createScene();
    scene.create({ name: "a", maxConcurrent: 1, rate: rateOf(1, 10) });
    scene.tryAcquire([claimOn("a", { tokens: 3 })]);
    scene.tryAcquire([claimOn("a")]);
    scene.acquire([claimOn("a")], { maxWait: SECOND });
    scene.pass(2 * SECOND);
    const { requests, grants, totals, refusals } = measured(scene, "a");
    expect({ requests, grants, tokens: totals.tokens }).toEqual({ requests: 3, grants: 1, tokens: 3 });
    expect(Object.fromEntries(refusals)).toEqual({ CONCURRENCY_EXHAUSTED: 1, WAIT_TIMEOUT: 1 });
  });

  test("counts how leases end, and what holders say of the work", () => {
    const scene = createScene();
    scene.create({ name: "a", maxConcurrent: 10, ttl: SECOND });
    const ask = () => scene.tryAcquire([claimOn("a")]).id;
    const release = (workOutcome: "success" | "overloaded" | "ignored") =>
      scene.step({ kind: "release", leaseId: ask(), workOutcome, session: undefined });
    release("success");
    release("success");
    release("overloaded");
    release("ignored");
    scene.step({ kind: "revoke", leaseId: ask(), force: true, message: "" });
    scene.leave(scene.acquire([claimOn("a")]), "cancelled");
    ask();
    scene.pass(2 * SECOND);
    const { ends, releases } = measured(scene, "a").totals;
    expect(ends).toEqual({ released: 4, cancelled: 1, expired: 1, revoked: 1, deleted: 0 });
    expect(releases).toEqual({ success: 2, overloaded: 1, ignored: 1 });
  });

  test("counts a lease of several claims once, where it ends and where it is released", () => {
    const scene = createScene();
    scene.create({ name: "k", keyed: true, maxConcurrent: 10 });
    const { id } = scene.tryAcquire([claimOn("k", { key: "x" }), claimOn("k", { key: "y" })]);
    scene.step({ kind: "release", leaseId: id, workOutcome: "success", session: undefined });
    const { grants, totals } = measured(scene, "k");
    expect({ grants, ended: totals.ends.released, released: totals.releases.success }).toEqual({
      grants: 2,
      ended: 1,
      released: 1,
    });
  });

  test("tells how long requests waited for their grants, and how long leases were held", () => {
    const scene = createScene();
    scene.create({ name: "a", maxConcurrent: 1 });
    const first = scene.acquire([claimOn("a")]);
    scene.acquire([claimOn("a")]);
    scene.pass(40_000);
    scene.release(first.id);
    const { waits, holds } = measured(scene, "a").totals;
    expect(countsOf(waits)).toEqual({ 0.001: 1, 0.05: 1 });
    expect(waits.sum).toBe(40_000);
    expect(countsOf(holds)).toEqual({ 0.05: 1 });
    expect(holds.sum).toBe(40_000);
  });

  test("has bounds from a millisecond to five minutes", () => {
    expect([TIME_BOUNDS[0], TIME_BOUNDS.at(-1)]).toEqual([1_000, 300 * SECOND]);
  });
});

test("limiters added up have the sums of their figures, the longest wait, and how many are paused", () => {
  const scene = createScene();
  scene.create({ name: "a", maxConcurrent: 1 });
  scene.create({ name: "b", maxConcurrent: 2, rate: rateOf(1, 5) });
  scene.create({ name: "k", keyed: true, maxConcurrent: 1 });
  scene.create({ name: "p", paused: true });
  scene.acquire([claimOn("a")]);
  scene.acquire([claimOn("a")]);
  scene.pass(SECOND);
  scene.acquire([claimOn("b")]);
  scene.tryAcquire([claimOn("k", { key: "x" })]);
  scene.tryAcquire([claimOn("k", { key: "x" })]);
  const sum = createSum();
  for (const limiter of scene.state.limiters.values()) addLimiter(sum, scene.state, limiter);
  expect(sum).toMatchObject({
    permits: 4,
    permitsInUse: 3,
    waiters: 1,
    oldestWait: SECOND,
    leases: 3,
    keys: 1,
    tokensAvailable: 4,
    paused: 1,
    requests: 5,
    grants: 3,
  });
  expect(Object.fromEntries(sum.refusals)).toEqual({ CONCURRENCY_EXHAUSTED: 1 });
  expect(sum.totals.tokens).toBe(1);
});

test("a key is measured by itself, in use or not", () => {
  const scene = createScene();
  scene.create({ name: "k", keyed: true, maxConcurrent: 1, rate: rateOf(1, 5) });
  scene.acquire([claimOn("k", { key: "x", tokens: 2 })]);
  scene.acquire([claimOn("k", { key: "x" })]);
  scene.pass(SECOND);
  const limiter = scene.state.limiters.get("k");
  if (limiter === undefined) throw new Error("there is no limiter k");
  const { state } = scene;
  expect(measureKey(state, limiter, "x")).toEqual({
    permitsInUse: 1,
    waiters: 1,
    oldestWait: SECOND,
    tokensAvailable: 4,
  });
  expect(measureKey(state, limiter, "y")).toEqual({
    permitsInUse: 0,
    waiters: 0,
    oldestWait: 0,
    tokensAvailable: 5,
  });
});
