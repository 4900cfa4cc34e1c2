/** What is shown of a limiter that stands: how long, since when nothing was granted, what is in the way, what is refused. */

import { describe, expect, it } from "vitest";
import { isStill, pageWaiters, viewLimiter } from "../../../../src/server/machine/limiter/read.ts";
import type { LimiterStatus, ObstacleView } from "../../../../src/server/machine/limiter/view.ts";
import { rateOf } from "../../../support/limiter-config.ts";
import { asIs, claimOn, SECOND } from "../builders.ts";
import { createScene, type Scene } from "./scene.ts";

function statusOf(scene: Scene, name: string, key = ""): LimiterStatus {
  const limiter = scene.state.limiters.get(name);
  if (limiter === undefined) throw new Error(`there is no ${name}`);
  return viewLimiter(scene.state, limiter, asIs, key).status;
}

function waitersOf(scene: Scene, limiter: string) {
  return pageWaiters(scene.state, { limiter, key: "", after: "", limit: 100 }, asIs).items;
}

const obstacle = (
  limiter: string,
  reason: ObstacleView["reason"],
  about: Partial<ObstacleView> = {},
): ObstacleView => ({
  limiter,
  key: "",
  reason,
  waitersAhead: 0,
  ...about,
});

describe("the oldest waiter", () => {
  it("is as old as its wait, and there is none where none waits", () => {
    const scene = createScene();
    scene.create({ name: "db", maxConcurrent: 1 });
    const held = scene.acquire([claimOn("db")]);
    expect(statusOf(scene, "db")).toMatchObject({ oldestWait: undefined, sinceLastGrant: 0, obstacles: [] });
    scene.pass(SECOND);
    scene.acquire([claimOn("db")]);
    scene.pass(2 * SECOND);
    scene.acquire([claimOn("db")]);
    scene.pass(3 * SECOND);
    expect(statusOf(scene, "db")).toMatchObject({ oldestWait: 5 * SECOND, sinceLastGrant: 6 * SECOND });
    scene.release(held.id);
    expect(statusOf(scene, "db")).toMatchObject({ oldestWait: 3 * SECOND, sinceLastGrant: 0 });
  });

  it("is looked for in all keys, or in the one that is asked for", () => {
    const scene = createScene();
    scene.create({ name: "tenants", maxConcurrent: 1, keyed: true });
    for (const key of ["a", "b", "c"]) scene.acquire([claimOn("tenants", { key })]);
    for (const key of ["b", "a", "b"]) {
      scene.acquire([claimOn("tenants", { key })]);
      scene.pass(SECOND);
    }
    expect(statusOf(scene, "tenants")).toMatchObject({
      oldestWait: 3 * SECOND,
      obstacles: [obstacle("tenants", "CONCURRENCY_EXHAUSTED", { key: "b" })],
    });
    expect(statusOf(scene, "tenants", "a")).toMatchObject({
      oldestWait: 2 * SECOND,
      obstacles: [obstacle("tenants", "CONCURRENCY_EXHAUSTED", { key: "a" })],
    });
    expect(statusOf(scene, "tenants", "c")).toMatchObject({ oldestWait: undefined, obstacles: [] });
    expect(statusOf(scene, "tenants", "unknown")).toMatchObject({ oldestWait: undefined, obstacles: [] });
  });

  it("is no longer served by the grants of other keys", () => {
    const scene = createScene();
    scene.create({ name: "tenants", maxConcurrent: 1, keyed: true });
    scene.acquire([claimOn("tenants", { key: "a" })]);
    scene.acquire([claimOn("tenants", { key: "a" })]);
    scene.pass(SECOND);
    scene.acquire([claimOn("tenants", { key: "b" })]);
    scene.pass(SECOND);
    expect(statusOf(scene, "tenants").sinceLastGrant).toBe(2 * SECOND);
    expect(statusOf(scene, "tenants", "b").sinceLastGrant).toBe(SECOND);
    expect(statusOf(scene, "tenants", "c").sinceLastGrant).toBeUndefined();
  });

  it("is no waiter whose connection is lost, until it comes back", () => {
    const scene = createScene();
    scene.create({ name: "db", maxConcurrent: 1 });
    scene.acquire([claimOn("db")]);
    const requestId = "a-request-id-of-its-own";
    const first = scene.acquire([claimOn("db")], { requestId });
    scene.pass(SECOND);
    scene.acquire([claimOn("db")]);
    scene.leave(first, "lost");
    expect(waitersOf(scene, "db").map(({ away }) => away)).toEqual([true, false]);
    scene.pass(SECOND);
    expect(statusOf(scene, "db").oldestWait).toBe(SECOND);
    scene.acquire([claimOn("db")], { requestId });
    expect(statusOf(scene, "db").oldestWait).toBe(2 * SECOND);
    expect(waitersOf(scene, "db").map(({ away }) => away)).toEqual([false, false]);
  });
});

describe("obstacles", () => {
  it("name each queue of a waiter in which something is in its way, and no other", () => {
    const scene = createScene();
    scene.create({ name: "db", maxConcurrent: 1 });
    scene.create({ name: "api", rate: rateOf(1, 1), maxConcurrent: 5 });
    scene.create({ name: "free", maxConcurrent: 5 });
    scene.acquire([claimOn("db")]);
    scene.acquire([claimOn("free"), claimOn("db"), claimOn("api")]);
    expect(waitersOf(scene, "free")[0]?.obstacles).toEqual([obstacle("db", "CONCURRENCY_EXHAUSTED")]);
    // The one ahead holds up what stands behind it, also where it has what it needs itself.
    scene.acquire([claimOn("free"), claimOn("api")]);
    expect(waitersOf(scene, "free")[1]?.obstacles).toEqual([
      obstacle("free", "WAITERS_AHEAD", { waitersAhead: 1 }),
      obstacle("api", "WAITERS_AHEAD", { waitersAhead: 1 }),
    ]);
    expect(statusOf(scene, "free").obstacles).toEqual([obstacle("db", "CONCURRENCY_EXHAUSTED")]);
  });

  it("tell the rate, a pause and permits apart", () => {
    const scene = createScene();
    scene.create({ name: "api", rate: rateOf(1, 1), maxConcurrent: 1 });
    const { id } = scene.acquire([claimOn("api")]);
    scene.acquire([claimOn("api")]);
    expect(statusOf(scene, "api").obstacles).toEqual([obstacle("api", "CONCURRENCY_EXHAUSTED")]);
    scene.release(id);
    expect(statusOf(scene, "api").obstacles).toEqual([obstacle("api", "RATE_EXHAUSTED")]);
    scene.update({ name: "api", paused: true });
    expect(statusOf(scene, "api").obstacles).toEqual([obstacle("api", "PAUSED")]);
  });

  it("say that the server learns", () => {
    const scene = createScene({ learning: true });
    scene.create({ name: "db", maxConcurrent: 1 });
    scene.acquire([claimOn("db")]);
    expect(statusOf(scene, "db").obstacles).toEqual([obstacle("db", "LEARNING")]);
  });
});

describe("refusals a second", () => {
  it("are those of the last ten seconds, and keep the limiter in motion until they have faded", () => {
    const scene = createScene();
    scene.create({ name: "db", maxConcurrent: 1 });
    scene.acquire([claimOn("db")]);
    scene.pass(20 * SECOND);
    for (let i = 0; i < 20; i++) scene.tryAcquire([claimOn("db")]);
    expect(statusOf(scene, "db").refusalRate).toBe(2);
    const limiter = scene.state.limiters.get("db");
    if (limiter === undefined) throw new Error("there is no db");
    // What never asked for tokens or permits is a refusal, too, and no arrival.
    scene.create({ name: "small", maxConcurrent: 1 });
    scene.tryAcquire([claimOn("small", { permits: 2 })]);
    const small = scene.state.limiters.get("small");
    expect(small?.statistics.flow).toBeUndefined();
    expect(small && isStill(scene.state, small)).toBe(false);
    scene.pass(11 * SECOND);
    expect(statusOf(scene, "db").refusalRate).toBe(0);
    expect(small && isStill(scene.state, small)).toBe(true);
  });
});
