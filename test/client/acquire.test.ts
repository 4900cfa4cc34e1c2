import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it, vi } from "vitest";
import { WorkOutcome } from "../../src/client/gen/ggen/backpressure/v1/lease_pb.ts";
import { refusal } from "../../src/server/machine/reasons.ts";
import { draining, refusalError } from "../../src/server/wire/error-wire.ts";
import { createFixture, granted, RENEW_AFTER, settle } from "./support/client-fixture.ts";
import { connectionLost } from "./support/fake-service.ts";

const WAITING = {
  event: { case: "waiting" as const, value: { waitersAhead: 3, estimatedWait: durationFromMs(1500) } },
};
const GRANTED = { event: { case: "granted" as const, value: granted() } };

describe("acquire", () => {
  it("sends what was asked, and leaves the rest to the server's defaults", async () => {
    const { client, service } = createFixture();
    const acquiring = client.acquire("db", {
      key: "eu",
      permits: 2,
      tokens: 0,
      slots: true,
      maxWait: 2500,
      ttl: 100,
      holder: "me",
      requestId: "0123456789abcdef",
    });
    const call = await service.acquire.next();
    expect(call.request).toMatchObject({
      claims: [{ limiter: "db", key: "eu", permits: 2, tokens: 0, slots: true }],
      holder: "me",
      maxWait: { seconds: 2n, nanos: 500_000_000 },
      ttl: { seconds: 0n, nanos: 100_000_000 },
      requestId: "0123456789abcdef",
    });
    call.say(GRANTED);
    await acquiring;

    void client.acquire("db");
    const { request } = await service.acquire.next();
    expect(request).toMatchObject({ claims: [{ limiter: "db", key: "", slots: false }], holder: "" });
    expect(request.claims[0]?.permits).toBeUndefined();
    expect(request.claims[0]?.tokens).toBeUndefined();
    expect(request.maxWait).toBeUndefined();
    expect(request.ttl).toBeUndefined();
  });

  it("claims several limiters with one request", async () => {
    const { client, service } = createFixture();
    void client.acquire([{ limiter: "a" }, { limiter: "b", permits: 2 }], { holder: "me" });
    const { request } = await service.acquire.next();
    expect(request.claims).toMatchObject([{ limiter: "a" }, { limiter: "b", permits: 2 }]);
    expect(request.holder).toBe("me");
  });

  it("names the client's holder where the request names none", async () => {
    const { client, service } = createFixture({ holder: "billing" });
    void client.acquire("db");
    expect((await service.acquire.next()).request.holder).toBe("billing");
  });

  it("makes a request id of its own for each call", async () => {
    const { client, service } = createFixture();
    void client.acquire("db");
    void client.acquire("db");
    const ids = [await service.acquire.next(), await service.acquire.next()].map(({ request }) => request.requestId);
    expect(new Set(ids).size).toBe(2);
  });

  it("tells its place while it waits", async () => {
    const { client, service } = createFixture();
    const notices: unknown[] = [];
    const acquiring = client.acquire("db", { onWaiting: (notice) => notices.push(notice) });
    const call = await service.acquire.next();
    call.say(WAITING);
    call.say({ event: { case: "waiting", value: { waitersAhead: 0 } } });
    call.say(GRANTED);
    await acquiring;
    expect(notices).toEqual([
      { waitersAhead: 3, estimatedWaitMs: 1500 },
      { waitersAhead: 0, estimatedWaitMs: undefined },
    ]);
  });

  it("rejects with the reason of a refusal", async () => {
    const { client, service } = createFixture();
    const acquiring = client.acquire("db");
    const details = { limiter: "db", key: "eu", waitersAhead: 9, retryAfter: 250_000 };
    (await service.acquire.next()).fail(refusalError(refusal("QUEUE_FULL", details)));
    await expect(acquiring).rejects.toMatchObject({
      name: "AdmissionError",
      reason: "QUEUE_FULL",
      code: "RESOURCE_EXHAUSTED",
      limiter: "db",
      key: "eu",
      retryAfterMs: 250,
    });
  });

  it("leaves the queue when its signal aborts, and rejects with the signal's reason", async () => {
    const { client, service } = createFixture();
    const controller = new AbortController();
    const acquiring = client.acquire("db", { signal: controller.signal });
    const call = await service.acquire.next();
    call.say(WAITING);
    await settle();
    controller.abort(new Error("no longer needed"));
    await expect(acquiring).rejects.toThrow("no longer needed");
    await call.cancelled;
  });

  it("holds nothing after its signal has aborted, however close to the grant that is", async () => {
    for (let turns = 0; turns < 100; turns += 1) {
      const { client, service, clock } = createFixture();
      const controller = new AbortController();
      const acquiring = client.acquire("db", { signal: controller.signal });
      const call = await service.acquire.next();
      call.say(GRANTED);
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      controller.abort(new Error("enough"));
      const [fate] = await Promise.allSettled([acquiring]);
      if (fate?.status === "fulfilled") expect(fate.value.valid).toBe(false);
      await settle();
      const givenBack = service.release.untaken.length + service.withdrawn.length;
      expect({ turns, givenBack }).toEqual({ turns, givenBack: 1 });
      clock.advance(RENEW_AFTER);
      await settle();
      expect(service.renew.untaken).toHaveLength(0);
    }
  });

  it("asks nothing at all when its signal has aborted before", async () => {
    const { client, service } = createFixture();
    await expect(client.acquire("db", { signal: AbortSignal.abort("never") })).rejects.toBe("never");
    expect(service.acquire.untaken).toHaveLength(0);
  });

  it("leaves the queue when `onWaiting` throws, and rejects with what it threw", async () => {
    const { client, service } = createFixture();
    const acquiring = client.acquire("db", {
      onWaiting: () => {
        throw new Error("a bug of the caller's");
      },
    });
    const call = await service.acquire.next();
    call.say(WAITING);
    await expect(acquiring).rejects.toThrow("a bug of the caller's");
    await call.cancelled;
  });

  it("leaves the queue when the client is closed", async () => {
    const { client, service } = createFixture();
    const acquiring = client.acquire("db");
    const call = await service.acquire.next();
    await client.close();
    await expect(acquiring).rejects.toMatchObject({ name: "ClientClosedError" });
    await call.cancelled;
  });

  it("leaves no timer behind, and no listener on a signal that lives longer", async () => {
    const { client, service, clock } = createFixture();
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, "addEventListener");
    const removed = vi.spyOn(signal, "removeEventListener");

    const refused = client.acquire("db", { signal });
    (await service.acquire.next()).fail(refusalError(refusal("LIMITER_NOT_FOUND")));
    await expect(refused).rejects.toMatchObject({ reason: "LIMITER_NOT_FOUND" });
    const granted = client.acquire("db", { signal });
    const stream = await service.acquire.next();
    stream.say(GRANTED);
    const lease = await granted;
    const releasing = lease.release();
    (await service.release.next()).answer({});
    stream.end();
    await releasing;
    await settle();

    expect(clock.pending()).toBe(0);
    const listeners = (spy: typeof added | typeof removed) => new Set(spy.mock.calls.map(([, listener]) => listener));
    expect(added).toHaveBeenCalled();
    expect(listeners(removed)).toEqual(listeners(added));
  });

  it.each([
    ["permits", { permits: 1.5 }],
    ["permits", { permits: -1 }],
    ["tokens", { tokens: Number.NaN }],
    ["maxWait", { maxWait: -1 }],
    ["ttl", { ttl: Number.POSITIVE_INFINITY }],
  ])("refuses at once %s that are none", async (name, options) => {
    const { client } = createFixture();
    await expect(client.acquire("db", options)).rejects.toThrow(new RegExp(`^${name} must be`));
  });

  it("takes an infinite maxWait for none", async () => {
    const { client, service } = createFixture();
    void client.acquire("db", { maxWait: Number.POSITIVE_INFINITY });
    expect((await service.acquire.next()).request.maxWait).toBeUndefined();
  });
});

describe("acquire over a connection that fails", () => {
  it("asks again with the same request id, after a backoff that doubles", async () => {
    const { client, service, clock } = createFixture();
    const acquiring = client.acquire("db");
    const first = await service.acquire.next();
    first.fail(connectionLost());
    await settle();
    clock.advance(74);
    await settle();
    expect(service.acquire.untaken).toHaveLength(0);
    clock.advance(1);
    const second = await service.acquire.next();
    expect(second.request.requestId).toBe(first.request.requestId);
    second.fail(connectionLost());
    await settle();
    clock.advance(150);
    const third = await service.acquire.next();
    third.say(GRANTED);
    expect((await acquiring).id).toBe("lease-1");
  });

  it("gives up after so many attempts, and names the address and what to look for", async () => {
    const { client, service, clock } = createFixture({ retry: { maxAttempts: 3 } });
    const failing = client.acquire("db").catch((reason: unknown) => reason);
    for (let i = 0; i < 3; i += 1) {
      (await service.acquire.next()).fail(connectionLost());
      await settle();
      clock.advance(1000);
    }
    const error = await failing;
    expect(error).toMatchObject({ name: "ServerUnavailableError", address: "fake:50051" });
    expect(String(error)).toContain("fake:50051");
    expect(String(error)).toContain("is it running there");
    expect((error as Error).cause).toBeInstanceOf(ConnectError);
  });

  it("counts attempts anew once the server has taken it into the queue", async () => {
    const { client, service, clock } = createFixture({ retry: { maxAttempts: 2 } });
    const acquiring = client.acquire("db");
    for (let i = 0; i < 5; i += 1) {
      const call = await service.acquire.next();
      call.say(WAITING);
      await settle();
      call.fail(connectionLost());
      await settle();
      clock.advance(3000);
    }
    (await service.acquire.next()).say(GRANTED);
    await acquiring;
  });

  it.each([
    ["as long as its maxWait allows", 60_000, 60_000],
    ["as long as its place may be kept where it has none", undefined, 30_000],
  ])("asks again for a place in the queue that was lost %s", async (_, maxWait, patience) => {
    const { client, service, clock } = createFixture({ retry: { maxAttempts: 2 } });
    const started = clock.now().monotonic;
    let isOver = false;
    const failing = client.acquire("db", { maxWait }).catch((error: unknown) => {
      isOver = true;
      return error;
    });
    const call = await service.acquire.next();
    call.say(WAITING);
    await settle();
    call.fail(connectionLost());
    await settle();
    while (!isOver) {
      while (service.acquire.untaken.length > 0) (await service.acquire.next()).fail(connectionLost());
      clock.advance(25);
      await settle();
    }
    expect(await failing).toMatchObject({ name: "ServerUnavailableError" });
    // Give or take the greatest delay between two calls.
    expect(Math.abs(clock.now().monotonic - started - patience)).toBeLessThanOrEqual(3000);
  });

  it("does not ask again, with a place or without, where one call is all that it may make", async () => {
    const { client, service } = createFixture({ retry: { maxAttempts: 1 } });
    const failing = client.acquire("db", { maxWait: 60_000 });
    const call = await service.acquire.next();
    call.say(WAITING);
    await settle();
    call.fail(connectionLost());
    await expect(failing).rejects.toMatchObject({ name: "ServerUnavailableError" });
  });

  it("waits no longer in all than maxWait", async () => {
    const { client, service, clock } = createFixture();
    const acquiring = client.acquire("db", { maxWait: 1000 });
    const first = await service.acquire.next();
    expect(first.request.maxWait).toMatchObject({ seconds: 1n, nanos: 0 });
    clock.advance(400);
    first.fail(connectionLost());
    await settle();
    clock.advance(75);
    const second = await service.acquire.next();
    expect(second.request.maxWait).toMatchObject({ seconds: 0n, nanos: 525_000_000 });
    clock.advance(500);
    second.fail(connectionLost());
    await expect(acquiring).rejects.toMatchObject({ name: "ServerUnavailableError" });
  });

  it("waits as long as a stopping server says before it asks again", async () => {
    const { client, service, clock } = createFixture();
    const acquiring = client.acquire("db");
    (await service.acquire.next()).fail(draining(1_000_000));
    await settle();
    clock.advance(1000);
    await settle();
    expect(service.acquire.untaken).toHaveLength(0);
    clock.advance(75);
    (await service.acquire.next()).say(GRANTED);
    await acquiring;
  });

  it("gives up waiting to ask again as soon as its signal aborts", async () => {
    const { client, service, clock } = createFixture();
    const controller = new AbortController();
    const acquiring = client.acquire("db", { signal: controller.signal });
    (await service.acquire.next()).fail(connectionLost());
    await settle();
    controller.abort(new Error("enough"));
    await expect(acquiring).rejects.toThrow("enough");
    expect(clock.pending()).toBe(0);
  });

  it("takes a server that says nothing within the time to answer for lost, and asks again for the place that it had", async () => {
    const { client, service, clock } = createFixture({ answerWithin: 1000 });
    const acquiring = client.acquire("db");
    const first = await service.acquire.next();
    first.say(WAITING);
    await settle();
    first.fail(connectionLost());
    await settle();
    clock.advance(75);
    const silent = await service.acquire.next();
    clock.advance(1000);
    await silent.cancelled;
    await settle();
    clock.advance(75);
    (await service.acquire.next()).say(GRANTED);
    await acquiring;
  });

  it("asks anew, with a fresh request id, when the lost answer was a grant that has ended meanwhile", async () => {
    const { client, service, clock } = createFixture();
    const acquiring = client.acquire("db");
    const first = await service.acquire.next();
    first.fail(connectionLost());
    await settle();
    clock.advance(75);
    (await service.acquire.next()).fail(refusalError(refusal("LEASE_ENDED")));
    const third = await service.acquire.next();
    expect(third.request.requestId).not.toBe(first.request.requestId);
    third.say(GRANTED);
    await acquiring;
  });

  it("says so when a request id of the caller's own stands for a lease that has ended", async () => {
    const { client, service } = createFixture();
    const acquiring = client.acquire("db", { requestId: "0123456789abcdef" });
    (await service.acquire.next()).fail(refusalError(refusal("LEASE_ENDED")));
    await expect(acquiring).rejects.toMatchObject({ reason: "LEASE_ENDED" });
  });

  it("does not ask again where the server has failed", async () => {
    const { client, service } = createFixture();
    const acquiring = client.acquire("db");
    (await service.acquire.next()).fail(new ConnectError("an internal error", Code.Internal));
    await expect(acquiring).rejects.toMatchObject({ name: "ServerError", code: "INTERNAL" });
  });

  it("takes up a grant again whose answer was lost, with a validity of its own", async () => {
    const { client, service, clock } = createFixture();
    const acquiring = client.acquire("db");
    (await service.acquire.next()).fail(connectionLost());
    await settle();
    clock.advance(75);
    const sentAt = clock.now().monotonic;
    (await service.acquire.next()).say({ event: { case: "granted", value: { ...granted(), resumed: true } } });
    const lease = await acquiring;
    clock.advance(2999 - (clock.now().monotonic - sentAt));
    expect(lease.valid).toBe(true);
    clock.advance(1);
    expect(lease.valid).toBe(false);
  });
});

describe("withLease", () => {
  it("releases with `success` when the work returns, and answers what it returned", async () => {
    const { client, service } = createFixture();
    const working = client.withLease("db", { permits: 2 }, async (lease, signal) => {
      expect(signal).toBe(lease.signal);
      return lease.id;
    });
    const call = await service.acquire.next();
    expect(call.request.claims).toMatchObject([{ limiter: "db", permits: 2 }]);
    call.say(GRANTED);
    const release = await service.release.next();
    expect(release.request.outcome).toBe(WorkOutcome.SUCCESS);
    release.answer({});
    call.end();
    await expect(working).resolves.toBe("lease-1");
  });

  it.each([
    ["ignored", "anything", () => new Error("mine"), undefined, WorkOutcome.IGNORED],
    [
      "overloaded",
      "an OverloadedError",
      async () => new (await import("../../src/client/api/errors.ts")).OverloadedError("503"),
      undefined,
      WorkOutcome.OVERLOADED,
    ],
    [
      "what outcomeOf says",
      "anything",
      () => new Error("429"),
      (error: unknown) => (String(error).includes("429") ? ("overloaded" as const) : ("ignored" as const)),
      WorkOutcome.OVERLOADED,
    ],
  ])("releases with %s when the work throws %s, and throws it on", async (_, __, makeError, outcomeOf, outcome) => {
    const { client, service } = createFixture();
    const error = await makeError();
    const working = client.withLease("db", { outcomeOf }, () => {
      throw error;
    });
    const call = await service.acquire.next();
    call.say(GRANTED);
    const release = await service.release.next();
    expect(release.request.outcome).toBe(outcome);
    release.answer({});
    call.end();
    await expect(working).rejects.toBe(error);
  });

  it("releases even when outcomeOf itself throws", async () => {
    const { client, service } = createFixture();
    const working = client.withLease(
      "db",
      {
        outcomeOf: () => {
          throw new Error("a bug in outcomeOf");
        },
      },
      () => Promise.reject(new Error("mine")),
    );
    const call = await service.acquire.next();
    call.say(GRANTED);
    (await service.release.next()).answer({});
    call.end();
    await expect(working).rejects.toThrow("a bug in outcomeOf");
  });

  it("aborts the work's signal when the lease is lost, and waits for the work to end", async () => {
    const { client, service } = createFixture();
    const working = client.withLease([{ limiter: "db" }], (_, signal) => {
      return new Promise<string>((resolve) => signal.addEventListener("abort", () => resolve("stopped")));
    });
    const call = await service.acquire.next();
    call.say(GRANTED);
    await settle();
    call.fail(refusalError(refusal("LEASE_EXPIRED")));
    await expect(working).resolves.toBe("stopped");
  });
});

describe("a client with few streams", () => {
  it("says so when they are all in use, and takes the next as soon as one has ended", async () => {
    const { client, service } = createFixture({ maxStreams: 2 });
    const first = client.acquire("db");
    const call = await service.acquire.next();
    void client.acquire("db");
    await service.acquire.next();
    await expect(client.acquire("db")).rejects.toMatchObject({ name: "TooManyStreamsError", maxStreams: 2 });
    call.fail(refusalError(refusal("WAIT_TIMEOUT")));
    await expect(first).rejects.toMatchObject({ reason: "WAIT_TIMEOUT" });
    void client.acquire("db");
    await service.acquire.next();
  });

  it("counts watches too, and counts no tryAcquire", async () => {
    const { client, service } = createFixture({ maxStreams: 1 });
    const watch = client.limiters.watch()[Symbol.asyncIterator]();
    const next = watch.next();
    const call = await service.watchLimiters.next();
    await expect(client.acquire("db")).rejects.toMatchObject({ name: "TooManyStreamsError" });
    const trying = client.tryAcquire("db");
    (await service.tryAcquire.next()).answer({ result: { case: "granted", value: granted() } });
    expect((await trying).granted).toBe(true);
    call.say({ event: { case: "removed", value: "db" } });
    await next;
    await watch.return?.();
    await call.cancelled;
    void client.acquire("db");
    await service.acquire.next();
  });
});
