import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import type { WaitingNotice } from "../../../src/client/api/admission-controller.ts";
import type { ClientEvent } from "../../../src/client/api/events.ts";
import type { Lease } from "../../../src/client/api/lease.ts";
import type { connect } from "../../../src/client/index.ts";
import { carrier } from "../../support/carrier.ts";
import { aborted } from "../support/aborted.ts";
import { createMailbox } from "../support/mailbox.ts";
import { connectForTest, startRealServer } from "../support/real-server.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";

const DB = "limiters: [{ name: db, max_concurrent: 1 }]";

/** Resolves when the limiter's status is as wanted. */
async function until(client: ReturnType<typeof connect>, leases: number, waiters = 0): Promise<void> {
  for await (const event of client.limiters.watch({ names: ["db"] })) {
    const limiter =
      event.kind === "snapshot" ? event.limiters[0] : event.kind === "changed" ? event.limiter : undefined;
    if (limiter?.status.leases === leases && limiter.status.waiters === waiters) return;
  }
}

describe("a client in Node, over gRPC", () => {
  it("waits its turn, holds, and gives back", async () => {
    const { address } = await startRealServer(DB);
    const client = connectForTest(address, { holder: "tests" });
    const notices = createMailbox<WaitingNotice>();
    const first = await client.acquire("db");
    expect(first.claims).toMatchObject([{ limiter: "db", permits: 1 }]);
    expect(first.holder).toBe("tests");
    const second = client.acquire("db", { onWaiting: notices.put });
    expect(await notices.next()).toMatchObject({ waitersAhead: 0 });
    expect(await first.release()).toBe("released");
    await using lease = await second;
    expect(lease.claims[0]?.fencingToken).toBeGreaterThan(first.claims[0]?.fencingToken ?? 0n);
    expect(await first.release()).toBe("released");
  });

  it("frees its lease at once when it is left by an aborted signal", async () => {
    const { address } = await startRealServer(DB);
    const client = connectForTest(address);
    const controller = new AbortController();
    await client.acquire("db", { signal: controller.signal });
    controller.abort();
    await using lease = await client.acquire("db");
    expect(lease.valid).toBe(true);
  });

  it("gives the place to the next when a waiter's signal aborts", async () => {
    const { address } = await startRealServer(DB);
    const client = connectForTest(address);
    const holder = await client.acquire("db");
    const controller = new AbortController();
    const impatient = client.acquire("db", { signal: controller.signal });
    await until(client, 1, 1);
    controller.abort(new Error("enough"));
    await expect(impatient).rejects.toThrow("enough");
    await until(client, 1, 0);
    await holder.release();
  });

  it("tells of a refusal with everything that the server says", async () => {
    const { address } = await startRealServer("limiters: [{ name: db, max_concurrent: 1, keyed: true }]");
    const client = connectForTest(address);
    await expect(client.acquire("nowhere")).rejects.toMatchObject({ reason: "LIMITER_NOT_FOUND", limiter: "nowhere" });
    await expect(client.acquire("db")).rejects.toMatchObject({
      reason: "INVALID_REQUEST",
      violations: [{ field: "claims[0].key" }],
    });
    await expect(client.acquire("db", { key: "k", permits: 2 })).rejects.toMatchObject({
      reason: "CLAIM_EXCEEDS_LIMIT",
    });
    await using _ = await client.acquire("db", { key: "k" });
    await expect(client.acquire("db", { key: "k", maxWait: 0 })).rejects.toMatchObject({
      reason: "CONCURRENCY_EXHAUSTED",
      limiter: "db",
      key: "k",
    });
    await expect(client.acquire("db", { key: "k", maxWait: 20 })).rejects.toMatchObject({ reason: "WAIT_TIMEOUT" });
    expect(await client.tryAcquire("db", { key: "k" })).toMatchObject({ reason: "CONCURRENCY_EXHAUSTED" });
  });

  it("loses leases of ttl 0 at once with their connection", async () => {
    const { address } = await startRealServer("limiters: [{ name: db, max_concurrent: 1, ttl: 0s }]");
    const proxy = await startTcpProxy(address);
    const client = connectForTest(proxy.address);
    const lease = await client.acquire("db");
    proxy.cut();
    expect(await aborted(lease.signal)).toMatchObject({ name: "LeaseLostError", reason: "CONNECTION_LOST" });
    expect(await lease.release("ignored")).toBe("cancelled");
    await using next = await client.acquire("db");
    expect(next.valid).toBe(true);
  });

  it("loses its leases within their validity when the connection goes silent", async () => {
    const { address } = await startRealServer("limiters: [{ name: db, max_concurrent: 1, ttl: 4s }]");
    const proxy = await startTcpProxy(address);
    const client = connectForTest(proxy.address, { retry: { maxAttempts: 1 } });
    const sentAt = performance.now();
    const lease = await client.acquire("db");
    proxy.silence();
    expect(await aborted(lease.signal)).toMatchObject({ reason: "VALIDITY_EXPIRED" });
    expect(performance.now() - sentAt).toBeLessThan(4000);
  });

  it("finds a silent connection by its pings, long before a long validity is over", async () => {
    const { address } = await startRealServer("limiters: [{ name: db, max_concurrent: 1, ttl: 60s }]");
    const proxy = await startTcpProxy(address);
    const events = createMailbox<ClientEvent>();
    const quick = { pingInterval: 100, pingTimeout: 100, retry: { maxAttempts: 1 } };
    const client = connectForTest(proxy.address, { ...quick, onEvent: events.put });
    const lease = await client.acquire("db");
    proxy.silence();
    expect(await events.next()).toMatchObject({ kind: "resuming", leaseId: lease.id });
    expect(lease.valid).toBe(true);
  });

  it("keeps its leases alive by renewals, also those without a stream, well beyond their ttl", async () => {
    const { address } = await startRealServer("limiters: [{ name: db, max_concurrent: 2, ttl: 2s }]");
    const client = connectForTest(address);
    await using stream = await client.acquire("db");
    await using detached = await client.tryAcquire("db");
    if (!detached.granted) throw new Error(detached.message);
    const third = client.tryAcquire("db");
    expect((await third).granted).toBe(false);
    // A waiter that gives up after more than two ttls is as good as a clock.
    await expect(client.acquire("db", { maxWait: 4500 })).rejects.toMatchObject({ reason: "WAIT_TIMEOUT" });
    expect(stream.valid).toBe(true);
    expect(detached.valid).toBe(true);
  });

  it("gets its old place in the queue back when the connection is lost while it waits", async () => {
    const { address } = await startRealServer(DB);
    const proxy = await startTcpProxy(address);
    const direct = connectForTest(address);
    const holder = await direct.acquire("db");
    const places = createMailbox<WaitingNotice>();
    const order: string[] = [];
    const note = (name: string) => (lease: Lease) => {
      order.push(name);
      return lease.release();
    };
    const early = connectForTest(proxy.address).acquire("db", { onWaiting: places.put }).then(note("early"));
    await places.next();
    const late = direct.acquire("db").then(note("late"));
    await until(direct, 1, 2);
    proxy.cut();
    // It is sent its place anew when it has come back.
    expect(await places.next()).toMatchObject({ waitersAhead: 0 });
    await holder.release();
    await Promise.all([early, late]);
    expect(order).toEqual(["early", "late"]);
  });

  it("is notified that an operator asks for its lease back, and loses it by force", async () => {
    const { address } = await startRealServer(DB);
    const client = connectForTest(address);
    const asked = createMailbox<{ message: string }>();
    const lease = await client.acquire("db", { onRevoking: asked.put });
    expect(await client.limiters.revokeLease(lease.id, { message: "maintenance" })).toMatchObject({ kind: "revoking" });
    expect(await asked.next()).toMatchObject({ message: "maintenance" });
    expect(lease.revoking?.message).toBe("maintenance");
    expect(lease.valid).toBe(true);
    await client.limiters.revokeLease(lease.id, { force: true });
    expect(await aborted(lease.signal)).toMatchObject({ reason: "LEASE_REVOKED" });
    expect(await lease.release()).toBe("revoked");
  });

  it("stops relying on a lease that was asked back before the server takes it", async () => {
    const { address } = await startRealServer("limiters: [{ name: db, max_concurrent: 1, ttl: 0.6s }]");
    const client = connectForTest(address);
    const lease = await client.acquire("db");
    await client.limiters.revokeLease(lease.id);
    const waiting = client.acquire("db").then((next) => {
      expect(lease.signal.aborted).toBe(true);
      return next;
    });
    expect(await aborted(lease.signal)).toMatchObject({ name: "LeaseLostError" });
    await (await waiting).release();
  });

  it("is notified when the server is about to stop, and the server waits until it has finished", async () => {
    const server = await startRealServer(`drain: { timeout: 1h }\n${DB}`);
    const client = connectForTest(server.address, { retry: { maxAttempts: 1 } });
    const draining = createMailbox<{ endTime: Date }>();
    const lease = await client.acquire("db", { onDraining: draining.put });
    const stopped = server.stop();
    expect((await draining.next()).endTime.getTime()).toBeGreaterThan(Date.now());
    await expect(client.acquire("db")).rejects.toMatchObject({ name: expect.stringMatching(/Error$/) });
    expect(lease.valid).toBe(true);
    await lease.release();
    await stopped;
  });

  it("names the address when nothing listens there, whatever is called", async () => {
    const client = connectForTest("127.0.0.1:1", { retry: { maxAttempts: 2, initialDelay: 1 } });
    const calls = [
      client.acquire("db"),
      client.tryAcquire("db"),
      client.limiters.get("db"),
      client.limiters.watch()[Symbol.asyncIterator]().next(),
    ];
    for (const { status, reason } of (await Promise.allSettled(calls)) as PromiseRejectedResult[]) {
      expect(status).toBe("rejected");
      expect(reason).toMatchObject({ name: "ServerUnavailableError", address: "127.0.0.1:1" });
    }
  });

  it("says that it finds no gRPC where something else answers", async () => {
    const web = createServer((_, response) => response.end("hello"));
    web.listen(0, "127.0.0.1");
    await once(web, "listening");
    onTestFinished(() => void web.close());
    const { port } = web.address() as AddressInfo;
    const client = connectForTest(`127.0.0.1:${port}`, { retry: { maxAttempts: 1 } });
    await expect(client.acquire("db")).rejects.toMatchObject({
      name: "ServerUnavailableError",
      message: expect.stringContaining("is this its gRPC port"),
    });
  });

  it("holds more leases than one connection may have, and releases them all", async () => {
    const { address } = await startRealServer("limiters: [{ name: db, max_concurrent: 5000 }]");
    const proxy = await startTcpProxy(address);
    const client = connectForTest(proxy.address, { answerWithin: 60_000 });
    const leases = await Promise.all(Array.from({ length: 1500 }, () => client.acquire("db")));
    expect(proxy.connections).toBe(carrier === "sessions" ? 1 : 2);
    expect(new Set(leases.map(({ id }) => id)).size).toBe(1500);
    expect(await client.controller("db").inFlight()).toBe(1500);
    const ends = await Promise.all(leases.map((lease) => lease.release()));
    expect(new Set(ends)).toEqual(new Set(["released"]));
    expect(await client.controller("db").inFlight()).toBe(0);
  });

  it("heeds the server's own limit of calls on a connection", async () => {
    const { address } = await startRealServer(
      "limits: { max_streams_per_connection: 5 }\nlimiters: [{ name: db, max_concurrent: 100 }]",
    );
    const client = connectForTest(address);
    const leases = await Promise.all(Array.from({ length: 17 }, () => client.acquire("db")));
    expect(leases.every((lease: Lease) => lease.valid)).toBe(true);
    await Promise.all(leases.map((lease) => lease.release()));
  });

  it("releases everything when it is closed", async () => {
    const { address } = await startRealServer("limiters: [{ name: db, max_concurrent: 3, ttl: 60s }]");
    const client = connectForTest(address);
    await client.acquire("db");
    await client.acquire("db");
    await client.tryAcquire("db");
    await client.close();
    expect(await connectForTest(address).controller("db").inFlight()).toBe(0);
  });
});

describe("a process that uses a client", () => {
  const script = fileURLToPath(new URL("../support/one-lease.ts", import.meta.url));

  it("ends by itself once its leases are released, though the client was never closed", async () => {
    const { address } = await startRealServer(DB);
    const { stdout } = await promisify(execFile)(process.execPath, [script, address], { timeout: 20_000 });
    expect(stdout).toBe("released\n");
  });
});
