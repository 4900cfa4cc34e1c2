import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import type { LimiterChanges } from "../../src/client/api/limiter.ts";
import { LeaseEnd, LeaseState } from "../../src/client/gen/ggen/backpressure/v1/lease_pb.ts";
import { LimiterState } from "../../src/client/gen/ggen/backpressure/v1/limiter_pb.ts";
import { Reason } from "../../src/client/gen/ggen/backpressure/v1/reason_pb.ts";
import { refusal } from "../../src/server/machine/reasons.ts";
import { refusalError } from "../../src/server/wire/error-wire.ts";
import { createFixture, settle } from "./support/client-fixture.ts";
import { connectionLost } from "./support/fake-service.ts";

const AT = new Date(Date.UTC(2026, 5, 1));
const TIMESTAMP = timestampFromMs(AT.getTime());

describe("limiters", () => {
  it("are listed page by page, as far as the loop goes", async () => {
    const { client, service } = createFixture();
    const names: string[] = [];
    async function list() {
      for await (const { name } of client.limiters.list({ pageSize: 2 })) {
        names.push(name);
        if (name === "c") break;
      }
    }
    const listing = list();
    const first = await service.listLimiters.next();
    expect(first.request).toMatchObject({ pageSize: 2, pageToken: "" });
    first.answer({ limiters: [{ name: "a" }, { name: "b" }], nextPageToken: "after b" });
    const second = await service.listLimiters.next();
    expect(second.request).toMatchObject({ pageSize: 2, pageToken: "after b" });
    second.answer({ limiters: [{ name: "c" }, { name: "d" }], nextPageToken: "after d" });
    await listing;
    expect(names).toEqual(["a", "b", "c"]);
    expect(service.listLimiters.untaken).toHaveLength(0);
  });

  it("tell how they stood in the last hour, from when on that is asked", async () => {
    const { client, service } = createFixture();
    const reading = client.limiters.history("db", { from: AT });
    const call = await service.getLimiterHistory.next();
    expect(call.request).toMatchObject({ name: "db", fromTime: TIMESTAMP });
    const sample = { time: TIMESTAMP, span: durationFromMs(15_000), permitsInUse: 2n, permitsLimit: 3n, waiters: 4n };
    call.answer({ samples: [{ ...sample, oldestWait: durationFromMs(1_500), admissionRate: 0.5 }, sample] });
    const rates = { arrivalRate: 0, admissionRate: 0, completionRate: 0, refusalRate: 0 };
    const shown = { time: AT, spanMs: 15_000, permitsInUse: 2, permitsLimit: 3, waiters: 4, ...rates };
    expect(await reading).toEqual([
      { ...shown, oldestWaitMs: 1_500, admissionRate: 0.5 },
      { ...shown, oldestWaitMs: undefined },
    ]);
  });

  it("show their configuration and what goes on, in numbers, milliseconds and dates", async () => {
    const { client, service } = createFixture();
    const getting = client.limiters.get("db", { key: "eu" });
    const call = await service.getLimiter.next();
    expect(call.request).toMatchObject({ name: "db", key: "eu" });
    call.answer({
      limiter: {
        name: "db",
        description: "the database",
        maxConcurrent: 10,
        keyed: true,
        maxWait: durationFromMs(1500),
        ttl: durationFromMs(10_000),
        etag: "e1",
        declared: true,
        state: LimiterState.DELETING,
        createTime: TIMESTAMP,
        status: {
          permitsInUse: 3n,
          permitsLimit: 10n,
          waiters: 2n,
          leases: 3n,
          admissionRate: 1.5,
          meanHoldTime: durationFromMs(250.5),
          grantedCount: 99n,
          refusals: [
            { reason: Reason.QUEUE_FULL, count: 4n },
            { reason: 999 as Reason, count: 1n },
          ],
        },
      },
    });
    expect(await getting).toMatchObject({
      name: "db",
      description: "the database",
      maxRps: undefined,
      rate: undefined,
      maxConcurrent: 10,
      keyed: true,
      maxWait: 1500,
      ttl: 10_000,
      maxTtl: undefined,
      paused: false,
      etag: "e1",
      declared: true,
      state: "deleting",
      createTime: AT,
      updateTime: undefined,
      status: {
        permitsInUse: 3,
        permitsLimit: 10,
        waiters: 2,
        leases: 3,
        admissionRate: 1.5,
        meanHoldTimeMs: 250.5,
        waitTimeP50Ms: undefined,
        grantedCount: 99,
        refusals: { QUEUE_FULL: 4, UNKNOWN: 1 },
      },
    });
  });

  it("are created with what is given, and nothing else", async () => {
    const { client, service } = createFixture();
    const creating = client.limiters.create({ name: "db", maxRps: 10, ttl: 0, paused: true });
    const { request, answer } = await service.createLimiter.next();
    expect(request.limiter).toMatchObject({ name: "db", maxRps: 10, ttl: { seconds: 0n, nanos: 0 }, paused: true });
    expect(request.limiter?.maxConcurrent).toBeUndefined();
    expect(request.limiter?.maxWait).toBeUndefined();
    answer({ limiter: { name: "db" } });
    expect((await creating).name).toBe("db");
  });

  it("are updated in the fields that are given; null goes back to the default", async () => {
    const { client, service } = createFixture();
    const updating = client.limiters.update(
      "db",
      { maxConcurrent: 5, maxRps: null, description: undefined, maxWait: 100 },
      { etag: "e1" },
    );
    const { request, answer } = await service.updateLimiter.next();
    expect(request.updateMask?.paths).toEqual(["max_concurrent", "max_rps", "max_wait"]);
    expect(request.limiter).toMatchObject({
      name: "db",
      etag: "e1",
      maxConcurrent: 5,
      maxWait: { nanos: 100_000_000 },
    });
    expect(request.limiter?.maxRps).toBeUndefined();
    answer({ limiter: { name: "db" } });
    await updating;
  });

  it("refuse changes to what cannot be changed", async () => {
    const { client } = createFixture();
    const changes = { keyed: true } as LimiterChanges;
    await expect(client.limiters.update("db", changes)).rejects.toThrow("keyed is no setting");
  });

  it("are paused and resumed by an update of that field alone", async () => {
    const { client, service } = createFixture();
    const pausing = client.limiters.pause("db");
    const pause = await service.updateLimiter.next();
    expect(pause.request).toMatchObject({ limiter: { name: "db", paused: true }, updateMask: { paths: ["paused"] } });
    pause.answer({ limiter: { name: "db", paused: true } });
    expect((await pausing).paused).toBe(true);
    void client.limiters.resume("db");
    const resume = await service.updateLimiter.next();
    expect(resume.request).toMatchObject({ limiter: { name: "db", paused: false }, updateMask: { paths: ["paused"] } });
  });

  it("say after a deletion how many leases they wait for", async () => {
    const { client, service } = createFixture();
    const deleting = client.limiters.delete("db", { force: true, etag: "e1" });
    const { request, answer } = await service.deleteLimiter.next();
    expect(request).toMatchObject({ name: "db", force: true, etag: "e1" });
    answer({ drainingLeases: 3n });
    expect(await deleting).toEqual({ drainingLeases: 3 });
  });

  it("reject with the reason of a refusal", async () => {
    const { client, service } = createFixture();
    const updating = client.limiters.update("db", { maxRps: 1 }, { etag: "old" });
    (await service.updateLimiter.next()).fail(refusalError(refusal("ETAG_MISMATCH", { limiter: "db" })));
    await expect(updating).rejects.toMatchObject({ name: "AdmissionError", reason: "ETAG_MISMATCH", code: "ABORTED" });
  });

  it("end a call whose signal aborts, with the signal's reason", async () => {
    const { client, service } = createFixture();
    const controller = new AbortController();
    const getting = client.limiters.get("db", { signal: controller.signal });
    const call = await service.getLimiter.next();
    controller.abort(new Error("gone"));
    await expect(getting).rejects.toThrow("gone");
    expect(call.signal.aborted).toBe(true);
  });
});

describe("watching limiters", () => {
  it("tells a snapshot, then what changes, and ends the call when the loop is left", async () => {
    const { client, service } = createFixture();
    const events: unknown[] = [];
    async function watch() {
      for await (const event of client.limiters.watch({ names: ["a", "b"] })) {
        events.push(event.kind === "removed" ? event.name : event.kind);
        if (event.kind === "removed") break;
      }
    }
    const watching = watch();
    const call = await service.watchLimiters.next();
    expect(call.request.names).toEqual(["a", "b"]);
    call.say({ event: { case: "snapshot", value: { limiters: [{ name: "a" }, { name: "b" }] } } });
    call.say({ event: { case: "changed", value: { name: "a" } } });
    call.say({ event: { case: "removed", value: "b" } });
    await watching;
    expect(events).toEqual(["snapshot", "changed", "b"]);
    await call.cancelled;
  });

  it("ends the call when the loop's body throws", async () => {
    const { client, service } = createFixture();
    async function watch() {
      for await (const _ of client.limiters.watch()) throw new Error("mine");
    }
    const watching = watch();
    const call = await service.watchLimiters.next();
    call.say({ event: { case: "snapshot", value: { limiters: [] } } });
    await expect(watching).rejects.toThrow("mine");
    await call.cancelled;
  });

  it("ends the call when its signal aborts, while it waits for news", async () => {
    const { client, service } = createFixture();
    const controller = new AbortController();
    async function watch() {
      for await (const _ of client.limiters.watch({ signal: controller.signal }));
    }
    const watching = watch();
    const call = await service.watchLimiters.next();
    controller.abort(new Error("enough"));
    await expect(watching).rejects.toThrow("enough");
    await call.cancelled;
  });

  it("rejects with the client's own error where it hears nothing in so many attempts", async () => {
    const { client, service, clock } = createFixture({ retry: { maxAttempts: 2 } });
    const next = client.limiters.watch()[Symbol.asyncIterator]().next();
    next.catch(() => {});
    (await service.watchLimiters.next()).fail(connectionLost());
    await settle();
    clock.advance(100);
    (await service.watchLimiters.next()).fail(connectionLost());
    await expect(next).rejects.toMatchObject({ name: "ServerUnavailableError" });
  });

  it("goes on with a new snapshot when the connection was lost, also in the middle of one", async () => {
    const { client, service, clock } = createFixture();
    const events = client.limiters.watch()[Symbol.asyncIterator]();
    const first = events.next();
    let call = await service.watchLimiters.next();
    call.say({ event: { case: "snapshot", value: { limiters: [{ name: "old" }] } }, more: true });
    await settle();
    call.fail(connectionLost());
    await settle();
    clock.advance(100);
    call = await service.watchLimiters.next();
    call.say({ event: { case: "snapshot", value: { limiters: [{ name: "a" }] } }, more: true });
    call.say({ event: { case: "changed", value: { name: "b" } } });
    expect((await first).value).toMatchObject({ kind: "snapshot", limiters: [{ name: "a" }, { name: "b" }] });
    const second = events.next();
    call.end();
    await settle();
    clock.advance(100);
    (await service.watchLimiters.next()).say({ event: { case: "snapshot", value: { limiters: [{ name: "b" }] } } });
    expect((await second).value).toMatchObject({ kind: "snapshot", limiters: [{ name: "b" }] });
    await events.return?.();
  });

  it("ends with the client", async () => {
    const { client, service } = createFixture();
    const next = client.limiters.watch()[Symbol.asyncIterator]().next();
    const call = await service.watchLimiters.next();
    const closing = client.close();
    await expect(next).rejects.toMatchObject({ name: "ClientClosedError" });
    await call.cancelled;
    await closing;
  });
});

describe("lists of leases and of waiters", () => {
  it("shows the leases of a limiter", async () => {
    const { client, service } = createFixture();
    const leases = client.limiters.leases({ limiter: "db", key: "eu" })[Symbol.asyncIterator]();
    const next = leases.next();
    const { request, answer } = await service.listLeases.next();
    expect(request).toMatchObject({ limiter: "db", key: "eu" });
    answer({
      leases: [
        {
          id: "lease-1",
          claims: [{ limiter: "db", key: "eu", permits: 2, tokens: 1, fencingToken: 2n ** 63n, slots: [0, 1] }],
          holder: "billing",
          caller: "user-1",
          grantTime: TIMESTAMP,
          ttl: durationFromMs(5000),
          state: LeaseState.ORPHANED,
          expireTime: TIMESTAMP,
          revoking: true,
        },
      ],
    });
    expect((await next).value).toEqual({
      id: "lease-1",
      claims: [{ limiter: "db", key: "eu", permits: 2, tokens: 1, fencingToken: 2n ** 63n, slots: [0, 1] }],
      holder: "billing",
      caller: "user-1",
      grantTime: AT,
      ttlMs: 5000,
      state: "orphaned",
      expireTime: AT,
      revoking: true,
    });
    expect((await leases.next()).done).toBe(true);
  });

  it("shows the waiters of a limiter", async () => {
    const { client, service } = createFixture();
    const next = client.limiters.waiters("db")[Symbol.asyncIterator]().next();
    const { request, answer } = await service.listWaiters.next();
    expect(request).toMatchObject({ limiter: "db", key: "" });
    answer({
      waiters: [
        {
          id: "w",
          claims: [{ limiter: "db" }],
          holder: "me",
          caller: "user-1",
          waitersAhead: 1,
          arriveTime: TIMESTAMP,
          obstacles: [{ limiter: "db", reason: Reason.WAITERS_AHEAD, waitersAhead: 1 }],
          away: true,
        },
      ],
    });
    expect((await next).value).toEqual({
      id: "w",
      claims: [{ limiter: "db", key: "", permits: 1, tokens: 1, slots: false }],
      holder: "me",
      caller: "user-1",
      waitersAhead: 1,
      estimatedWaitMs: undefined,
      arriveTime: AT,
      deadline: undefined,
      obstacles: [{ limiter: "db", key: "", reason: "WAITERS_AHEAD", waitersAhead: 1 }],
      away: true,
    });
  });

  it("asks a lease back, and says whether it still lives", async () => {
    const { client, service } = createFixture();
    const asking = client.limiters.revokeLease("lease-1", { message: "maintenance" });
    const asked = await service.revokeLease.next();
    expect(asked.request).toMatchObject({ leaseId: "lease-1", force: false, message: "maintenance" });
    asked.answer({ lease: { id: "lease-1", expireTime: TIMESTAMP, revoking: true } });
    expect(await asking).toMatchObject({ kind: "revoking", lease: { id: "lease-1", expireTime: AT } });

    const forcing = client.limiters.revokeLease("lease-1", { force: true });
    (await service.revokeLease.next()).answer({ end: LeaseEnd.REVOKED });
    expect(await forcing).toEqual({ kind: "ended", end: "revoked" });
  });

  it("takes a waiter out of the queue", async () => {
    const { client, service } = createFixture();
    const cancelling = client.limiters.cancelWaiter("w");
    const { request, answer } = await service.cancelWaiter.next();
    expect(request.waiterId).toBe("w");
    answer({});
    await cancelling;
  });
});

describe("a controller", () => {
  it("asks for its limiter and key, now or in turn", async () => {
    const { client, service } = createFixture();
    const controller = client.controller("db", { key: "eu" });
    void controller.acquire({ permits: 2, maxWait: 100 });
    const acquire = await service.acquire.next();
    expect(acquire.request).toMatchObject({
      claims: [{ limiter: "db", key: "eu", permits: 2 }],
      maxWait: { nanos: 100_000_000 },
    });
    void controller.tryAcquire({ permits: 3 });
    const { request } = await service.tryAcquire.next();
    expect(request.claims).toMatchObject([{ limiter: "db", key: "eu", permits: 3 }]);
    await settle();
  });

  it.each([
    ["a concurrency limit", { maxConcurrent: 10, status: { permitsInUse: 4n, permitsLimit: 10n } }, 4, 10, 0.4],
    ["a rate limit alone", { maxRps: 5, status: {} }, 0, Number.POSITIVE_INFINITY, 0],
    ["a limit that was lowered", { maxConcurrent: 2, status: { permitsInUse: 3n, permitsLimit: 2n } }, 3, 2, 1.5],
  ])("tells what is in flight of what there is, for %s", async (_, limiter, inFlight, capacity, utilization) => {
    const { client, service } = createFixture();
    const controller = client.controller("db");
    async function ask(question: Promise<number>) {
      (await service.getLimiter.next()).answer({ limiter: { name: "db", ...limiter } });
      return question;
    }
    expect(await ask(controller.inFlight())).toBe(inFlight);
    expect(await ask(controller.capacity())).toBe(capacity);
    expect(await ask(controller.utilization())).toBe(utilization);
  });

  it("knows the room of a key that is not in use, and of all keys in use together", async () => {
    const { client, service } = createFixture();
    async function ask(question: Promise<number>, permitsLimit: bigint) {
      const status = { permitsInUse: 0n, permitsLimit };
      (await service.getLimiter.next()).answer({ limiter: { name: "db", maxConcurrent: 3, keyed: true, status } });
      return question;
    }
    expect(await ask(client.controller("db", { key: "new" }).capacity(), 0n)).toBe(3);
    expect(await ask(client.controller("db").capacity(), 6n)).toBe(6);
    expect(await ask(client.controller("db").utilization(), 0n)).toBe(0);
  });
});
