/**
 * The faults of the library that this service comes from, each reproduced there by running it; none may be here.
 *
 * Those of its board (a stage's token leaks, duplicate cards are lost, a pull looks at every card) belong to the board
 * service, which is yet to come; what the machine has of the same kind is held here: leases that leak, request ids that
 * come twice, grants that look at the whole queue.
 */

import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { LimiterSchema } from "../../../../src/server/gen/ggen/backpressure/v1/limiter_pb.ts";
import { createMachine } from "../../../../src/server/machine/limiter/machine.ts";
import { createRate } from "../../../../src/server/machine/limiter/rate.ts";
import { violationsOf } from "../../../../src/server/wire/validate.ts";
import { limiterOf, rateOf } from "../../../support/limiter-config.ts";
import { claimOn, MILLISECOND, MINUTE, SECOND } from "../builders.ts";
import { countLooks } from "./looks.ts";
import { createScene } from "./scene.ts";

describe("not a fault of this one", () => {
  it("a try that is refused for want of permits burns a token of the rate", () => {
    const scene = createScene();
    scene.create({ name: "both", rate: rateOf(0.001, 2), maxConcurrent: 1 });
    const holder = scene.acquire([claimOn("both")]);
    for (let i = 0; i < 100; i++) {
      expect(scene.tryAcquire([claimOn("both")]).outcome).toMatchObject({ reason: "CONCURRENCY_EXHAUSTED" });
    }
    scene.release(holder.id);
    expect(scene.tryAcquire([claimOn("both")]).outcome).toMatchObject({ kind: "granted" });
  });

  it("a waiter that is cancelled loses the token that it waited for", () => {
    const scene = createScene();
    scene.create({ name: "api", rate: rateOf(1, 1) });
    scene.acquire([claimOn("api")]);
    for (let i = 0; i < 10; i++) {
      const waiter = scene.acquire([claimOn("api")]);
      scene.pass(100 * MILLISECOND - 1);
      scene.leave(waiter, "cancelled");
    }
    scene.pass(10);
    // A second has gone by: the one token of that second is there.
    expect(scene.tryAcquire([claimOn("api")]).outcome).toMatchObject({ kind: "granted" });
  });

  it("while one waits for the rate, tries fail that have nothing to do with it", () => {
    const scene = createScene();
    scene.create({ name: "api", rate: rateOf(0.001, 1) });
    scene.create({ name: "tenants", keyed: true, rate: rateOf(0.001, 1) });
    scene.create({ name: "other", rate: rateOf(1, 1) });
    for (let i = 0; i < 2; i++) {
      scene.acquire([claimOn("api")]);
      scene.acquire([claimOn("tenants", { key: "a" })]);
    }
    expect(scene.state.waiters.size).toBe(2);
    expect(scene.tryAcquire([claimOn("other")]).outcome).toMatchObject({ kind: "granted" });
    expect(scene.tryAcquire([claimOn("tenants", { key: "b" })]).outcome).toMatchObject({ kind: "granted" });
    // Behind a waiter of its own it is refused for that, at once.
    expect(scene.tryAcquire([claimOn("api")]).outcome).toMatchObject({ reason: "WAITERS_AHEAD", waitersAhead: 1 });
  });

  it.each([1_000, 5_000])("waiting delivers only a part of a limit of %d/s", (rps) => {
    for (const burst of [1, 10, 100]) {
      const scene = createScene();
      scene.create({ name: "api", rate: rateOf(rps, burst) });
      const waiting = () => scene.state.waiters.size;
      for (let i = 0; i <= burst; i++) scene.acquire([claimOn("api")]);
      const { admissions } = scene;
      const before = admissions.length;
      const until = scene.now + SECOND / 10;
      while (scene.wakeAt <= until) {
        scene.pass(scene.wakeAt - scene.now);
        while (waiting() < 4) scene.acquire([claimOn("api")]);
      }
      expect(admissions.length - before).toBeGreaterThanOrEqual((0.995 * rps) / 10);
      expect(admissions.length - before).toBeLessThanOrEqual(rps / 10);
    }
  });

  it("after a jam of permits clears, more start at once than burst and rate allow", () => {
    const scene = createScene();
    scene.create({ name: "both", rate: rateOf(10, 1), maxConcurrent: 20 });
    const jam = scene.acquire([claimOn("both", { permits: 20 })]);
    for (let i = 0; i < 20; i++) scene.acquire([claimOn("both")]);
    scene.pass(MINUTE);
    const cleared = scene.now;
    scene.release(jam.id);
    scene.pass(10 * MILLISECOND);
    expect(scene.admissions.filter(({ at }) => at >= cleared).length).toBe(1);
    scene.pass(SECOND - 10 * MILLISECOND);
    expect(scene.admissions.filter(({ at }) => at >= cleared).length).toBe(11);
  });

  it("a limit of 0 permits gives NaN and hangs, a rate of 0 panics", () => {
    const violations = (limits: { maxRps?: number; maxConcurrent?: number; burstSize?: number }) =>
      violationsOf(LimiterSchema, create(LimiterSchema, { name: "db", ...limits })).map(({ field }) => field);
    expect(violations({ maxConcurrent: 1, maxRps: 1 })).toEqual([]);
    expect(violations({ maxConcurrent: 0 })).toEqual(["max_concurrent"]);
    expect(violations({ maxRps: 0 })).toEqual(["max_rps"]);
    expect(violations({ maxRps: 1, burstSize: 0 })).toEqual(["burst_size"]);
    for (const maxRps of [-1, Number.NaN, Number.POSITIVE_INFINITY, 10_000_001]) {
      expect(violations({ maxRps })).toEqual(["max_rps"]);
      expect(createRate({ kind: "per-second", maxRps }, 1)).toBeUndefined();
    }
    expect(createRate({ kind: "per-second", maxRps: 0 }, 1)).toBeUndefined();
    expect(createRate({ kind: "per-second", maxRps: 1 }, 0)).toBeUndefined();
    expect(violations({})).toEqual([""]);
  });

  it("a token of a stage leaks, so that its capacity is lost for good", () => {
    const scene = createScene();
    scene.create({ name: "stage", maxConcurrent: 2, ttl: SECOND });
    // Each way to be gone: done, cancelled, lost, cancelled or lost in the queue, asked back.
    for (let round = 0; round < 20; round++) {
      const [done, other, ...waiters] = [1, 2, 3, 4, 5].map(() => scene.acquire([claimOn("stage")]));
      if (!done || !other) throw new Error("five have asked");
      scene.release(done.id);
      scene.leave(other, round % 2 === 0 ? "cancelled" : "lost");
      for (const [index, waiter] of waiters.entries()) scene.leave(waiter, index % 2 === 0 ? "cancelled" : "lost");
      scene.pass(SECOND);
    }
    expect(scene.tryAcquire([claimOn("stage", { permits: 2 })]).outcome).toMatchObject({ kind: "granted" });
  });

  it("what comes twice under one id is lost, or taken twice", () => {
    const scene = createScene();
    scene.create({ name: "db", maxConcurrent: 2 });
    const requestId = "one and the same";
    const first = scene.acquire([claimOn("db")], { requestId });
    const again = scene.acquire([claimOn("db")], { requestId });
    expect(again.outcome).toMatchObject({ kind: "granted", resumed: true, lease: { id: first.id } });
    expect(scene.acquire([claimOn("db", { permits: 2 })], { requestId }).outcome).toMatchObject({
      reason: "REQUEST_ID_REUSED",
    });
    expect(scene.tryAcquire([claimOn("db")], { requestId }).outcome).toMatchObject({ reason: "REQUEST_ID_REUSED" });
    expect(scene.state.leases.size).toBe(1);
    expect(scene.heardBy(first.stream)).toMatchObject([{ kind: "displaced", reason: "LEASE_DISPLACED" }]);
    const tried = scene.tryAcquire([claimOn("db")], { requestId: "tried" });
    expect(scene.tryAcquire([claimOn("db")], { requestId: "tried" }).outcome).toMatchObject({
      resumed: true,
      lease: { id: tried.id },
    });
    scene.release(tried.id);
    expect(scene.tryAcquire([claimOn("db")], { requestId: "tried" }).outcome).toMatchObject({ reason: "LEASE_ENDED" });
    expect(scene.state.leases.size).toBe(1);
  });

  it("taking the next looks at every one that waits", () => {
    const looksWith = (waiters: number) => {
      const machine = createMachine({ maxWaiters: waiters });
      machine.step({ kind: "create-limiter", config: limiterOf({ name: "stage", maxConcurrent: 1 }) }, 0);
      for (let stream = 0; stream <= waiters; stream++) {
        const rest = { holder: "", maxWait: undefined, ttl: undefined, requestId: "", session: undefined };
        const asked = { claims: [claimOn("stage")], ...rest };
        machine.step({ kind: "acquire", id: `${stream}`, stream, monitored: true, keepOnCancel: false, ...asked }, 0);
      }
      const looks = countLooks(machine.state);
      return looks.during(() =>
        machine.step({ kind: "release", leaseId: "0", workOutcome: "success", session: undefined }, 0),
      );
    };
    expect(looksWith(10_000)).toBe(looksWith(10));
  });
});
