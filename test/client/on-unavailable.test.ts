/** What an outage means for a request: nothing is admitted, everything is, or what a limiter of this process admits. */

import { describe, expect, it } from "vitest";
import type { ClientEvent } from "../../src/client/api/events.ts";
import { createRateLimiter, createRateLimiters } from "../../src/in-process/index.ts";
import { refusal } from "../../src/server/machine/reasons.ts";
import { draining, refusalError } from "../../src/server/wire/error-wire.ts";
import { createFixture, granted, settle } from "./support/client-fixture.ts";
import { connectionLost } from "./support/fake-service.ts";

const ONCE = { retry: { maxAttempts: 1 } } as const;

describe("closed, the default", () => {
  it("rejects with the error", async () => {
    const { client, service } = createFixture(ONCE);
    const asked = client.tryAcquire("db");
    (await service.tryAcquire.next()).fail(connectionLost());
    await expect(asked).rejects.toMatchObject({ name: "ServerUnavailableError" });
  });
});

describe("open", () => {
  it.each(["acquire", "tryAcquire"] as const)(
    "grants %s, marks the lease, tells of it, and tells no server of its end",
    async (method) => {
      const events: ClientEvent[] = [];
      const { client, service } = createFixture({
        ...ONCE,
        onUnavailable: "open",
        onEvent: (event) => events.push(event),
      });
      const asked = client[method]("db", { permits: 2, key: "k", holder: "me" });
      (await service[method].next()).fail(connectionLost());
      const lease = await asked;
      if (!lease.granted) throw new Error(lease.message);
      expect(lease).toMatchObject({
        admittedBy: "open",
        valid: true,
        holder: "me",
        claims: [{ limiter: "db", key: "k", permits: 2, tokens: 1, fencingToken: 0n, slots: [] }],
      });
      expect(events).toMatchObject([
        { kind: "outage-began" },
        {
          kind: "admitted-without-server",
          leaseId: lease.id,
          admittedBy: "open",
          limiters: ["db"],
          error: { address: "fake:50051" },
        },
      ]);
      expect(await lease.release()).toBe("released");
      expect(lease.valid).toBe(false);
      expect(service.release.untaken).toHaveLength(0);
      // While the outage is known, the next does not even ask.
      const next = await client[method]("db");
      expect(next).toMatchObject({ admittedBy: "open" });
    },
  );

  it("is said by a call for itself", async () => {
    const { client, service } = createFixture(ONCE);
    const asked = client.tryAcquire("db", { onUnavailable: "open" });
    (await service.tryAcquire.next()).fail(connectionLost());
    expect(await asked).toMatchObject({ admittedBy: "open" });
    await expect(client.tryAcquire("db")).rejects.toMatchObject({ name: "ServerUnavailableError" });
    const mine = createFixture({ ...ONCE, onUnavailable: "open" });
    const closed = mine.client.tryAcquire("db", { onUnavailable: "closed" });
    (await mine.service.tryAcquire.next()).fail(connectionLost());
    await expect(closed).rejects.toMatchObject({ name: "ServerUnavailableError" });
  });

  it("holds for a server that is about to stop", async () => {
    const { client, service } = createFixture({ ...ONCE, onUnavailable: "open" });
    const asked = client.tryAcquire("db");
    (await service.tryAcquire.next()).fail(draining());
    expect(await asked).toMatchObject({ admittedBy: "open" });
  });

  it("grants nothing that the server has refused, nor what the program did wrong, nor what its caller took back", async () => {
    const { client, service } = createFixture({ ...ONCE, onUnavailable: "open" });
    const refused = client.acquire("db");
    (await service.acquire.next()).fail(refusalError(refusal("CLAIM_EXCEEDS_LIMIT")));
    await expect(refused).rejects.toMatchObject({ reason: "CLAIM_EXCEEDS_LIMIT" });
    await expect(client.acquire("db", { permits: -1 })).rejects.toThrow(RangeError);
    const controller = new AbortController();
    const taken = client.acquire("db", { signal: controller.signal });
    await service.acquire.next();
    controller.abort(new Error("enough"));
    await expect(taken).rejects.toThrow("enough");
  });

  it("ends with its signal, and with its client", async () => {
    const { client, service } = createFixture({ ...ONCE, onUnavailable: "open" });
    const controller = new AbortController();
    const asked = client.tryAcquire("db", { signal: controller.signal });
    (await service.tryAcquire.next()).fail(connectionLost());
    const one = await asked;
    const other = await client.tryAcquire("db");
    if (!one.granted || !other.granted) throw new Error("refused");
    controller.abort(new Error("enough"));
    expect(one.signal.reason).toEqual(new Error("enough"));
    expect(one.valid).toBe(false);
    expect(other.valid).toBe(true);
    await client.close();
    expect(other.signal.reason).toMatchObject({ name: "ClientClosedError" });
  });

  it("lets withLease and limit work", async () => {
    const { client, service } = createFixture({ ...ONCE, onUnavailable: "open" });
    const worked = client.withLease("db", (lease) => lease.admittedBy);
    (await service.acquire.next()).fail(connectionLost());
    expect(await worked).toBe("open");
    expect(await client.limit("db")((lease) => lease.admittedBy)).toBe("open");
  });
});

describe("a controller of this process", () => {
  it("decides, and its leases are marked", async () => {
    const limiter = createRateLimiter({ maxConcurrent: 3, name: "stand-in" });
    const events: ClientEvent[] = [];
    const { client, service } = createFixture({
      ...ONCE,
      onUnavailable: limiter,
      onEvent: (event) => events.push(event),
    });
    const asked = client.acquire([{ limiter: "gpu", permits: 2 }, { limiter: "license" }]);
    (await service.acquire.next()).fail(connectionLost());
    const lease = await asked;
    expect(lease).toMatchObject({ granted: true, admittedBy: "local", valid: true });
    expect(events.at(-1)).toMatchObject({
      kind: "admitted-without-server",
      admittedBy: "local",
      limiters: ["gpu", "license"],
    });
    expect(await limiter.inFlight()).toBe(3);
    expect(await client.tryAcquire("db")).toMatchObject({
      granted: false,
      reason: "CONCURRENCY_EXHAUSTED",
      limiter: "stand-in",
    });
    expect(await lease.release()).toBe("released");
    expect(lease.valid).toBe(false);
    expect(await limiter.inFlight()).toBe(0);
    expect(service.release.untaken).toHaveLength(0);
  });

  it("gives its leases back with the client", async () => {
    const limiter = createRateLimiter({ maxConcurrent: 1 });
    const { client, service } = createFixture({ ...ONCE, onUnavailable: limiter });
    const asked = client.acquire("db");
    (await service.acquire.next()).fail(connectionLost());
    const lease = await asked;
    await client.close();
    expect(lease.signal.aborted).toBe(true);
    await expect.poll(() => limiter.inFlight()).toBe(0);
  });

  it("waits for no longer than what the server has left of maxWait and the time to answer", async () => {
    const waits: (number | undefined)[] = [];
    const limiter = createRateLimiter({ maxConcurrent: 1 });
    const { client, service, clock } = createFixture({
      answerWithin: 1000,
      onUnavailable: {
        ...limiter,
        acquire: (options) => {
          waits.push(options?.maxWait);
          return limiter.acquire(options);
        },
      },
    });
    const silent = client.acquire("db", { maxWait: 400 });
    await service.acquire.next();
    await settle();
    clock.advance(1000);
    await (await silent).release();
    const bounded = client.acquire("db", { maxWait: 3000 });
    await bounded.then((lease) => lease.release());
    expect(waits).toEqual([400, 3000]);
  });
});

describe("a function of the claims", () => {
  it("brings each key to its own limit", async () => {
    const limiters = createRateLimiters({ tenants: { maxConcurrent: 1, keyed: true } });
    const { client, service } = createFixture({
      ...ONCE,
      onUnavailable: ([claim]) => limiters.controller(claim?.limiter ?? "", { key: claim?.key }),
    });
    const asked = client.acquire("tenants", { key: "a" });
    (await service.acquire.next()).fail(connectionLost());
    await using lease = await asked;
    expect(lease.claims).toMatchObject([{ limiter: "tenants", key: "a" }]);
    await expect(client.tryAcquire("tenants", { key: "a" })).resolves.toMatchObject({ granted: false, key: "a" });
    await using other = await client.acquire("tenants", { key: "b" });
    expect(other.admittedBy).toBe("local");
  });

  it("decides for each limiter, and is not asked while the server answers", async () => {
    const asked: string[] = [];
    const { client, service } = createFixture({
      ...ONCE,
      onUnavailable: (claims) => {
        asked.push(...claims.map(({ limiter }) => limiter));
        return claims.some(({ limiter }) => limiter === "payments") ? "closed" : "open";
      },
    });
    const first = client.acquire("mails");
    (await service.acquire.next()).say({ event: { case: "granted", value: granted() } });
    expect((await first).admittedBy).toBe("server");
    expect(asked).toEqual([]);
    const second = client.acquire("mails");
    (await service.acquire.next()).fail(connectionLost());
    expect((await second).admittedBy).toBe("open");
    await expect(client.tryAcquire("payments")).rejects.toMatchObject({ name: "ServerUnavailableError" });
    expect(asked).toEqual(["mails", "payments"]);
  });

  it("rejects the request with what it throws", async () => {
    const { client, service } = createFixture({
      ...ONCE,
      onUnavailable: () => {
        throw new TypeError("no such tenant");
      },
    });
    const asked = client.acquire("db");
    (await service.acquire.next()).fail(connectionLost());
    await expect(asked).rejects.toThrow("no such tenant");
  });
});

it("a lease of the server says so, as one of an in-process limiter says that it is local", async () => {
  const { client, service } = createFixture();
  const asked = client.acquire("db");
  (await service.acquire.next()).say({ event: { case: "granted", value: granted() } });
  expect((await asked).admittedBy).toBe("server");
  await using lease = await createRateLimiter({ maxConcurrent: 1 }).acquire();
  expect(lease.admittedBy).toBe("local");
});
