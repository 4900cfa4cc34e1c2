/** The TypeScript client over connections that are lost: what its user notices of that, which is nothing if it is short. */

import { createConnectTransport } from "@connectrpc/connect-node";
import { expect, test } from "vitest";
import type { WaitingNotice } from "../../src/client/api/admission-controller.ts";
import type { ClientEvent } from "../../src/client/api/events.ts";
import type { Lease } from "../../src/client/api/lease.ts";
import { LeaseState } from "../../src/client/gen/ggen/backpressure/v1/lease_pb.ts";
import { type Client, type ConnectOptions, createClient } from "../../src/client/index.ts";
import { aborted } from "../client/support/aborted.ts";
import { createMailbox, type Mailbox } from "../client/support/mailbox.ts";
import { startTcpProxy } from "../client/support/tcp-proxy.ts";
import { held, hold, queue } from "../support/acquire.ts";
import { connect } from "../support/connect.ts";
import { leasesOf, statusOf, untilStatus, waitersOf } from "../support/look.ts";
import { startTestServer } from "../support/server.ts";

/** ms: how long a lease is good for its holder without a word from the server, which keeps it for twice that. */
const VALID_FOR = 1000;
/** ms that a busy machine may be late, and less than the rest of the ttl. */
const LATENESS = 500;
const SHORT = "limiters: [{ name: db, max_concurrent: 1, ttl: 2s }]";
/** Nothing runs out while a test lasts. */
const LONG = "limiters: [{ name: db, max_concurrent: 1, ttl: 60s }]";
const MANY = "limiters: [{ name: db, max_concurrent: 100, ttl: 60s }]";
const QUICK_PINGS = { pingInterval: 100, pingTimeout: 100 };

/** A server, a way to it that fails, a client that goes that way, and what that tells of it. */
async function setup(yaml: string, options: ConnectOptions = {}) {
  await using cleanup = new AsyncDisposableStack();
  const server = cleanup.use(await startTestServer(yaml));
  const proxy = await startTcpProxy(server.address);
  const events = createMailbox<ClientEvent>();
  const client = cleanup.use(connect(proxy.address, { ...options, onEvent: events.put }));
  cleanup.defer(() => proxy.heal());
  const own = cleanup.move();
  return { server, proxy, events, client, direct: server.grpc(), [Symbol.asyncDispose]: () => own.disposeAsync() };
}

/** The next event of this kind. */
async function nextOf<K extends ClientEvent["kind"]>(
  events: Mailbox<ClientEvent>,
  kind: K,
): Promise<Extract<ClientEvent, { readonly kind: K }>> {
  for (;;) {
    const event = await events.next();
    if (event.kind === kind) return event as Extract<ClientEvent, { readonly kind: K }>;
  }
}

async function detached(client: Client): Promise<Lease> {
  const answer = await client.tryAcquire("db");
  if (!answer.granted) throw new Error(answer.message);
  return answer;
}

test("a lease lives on over a connection that is cut: the same id, the same fencing token, and its signal never aborts", async () => {
  await using there = await setup(LONG);
  const { proxy, client, direct, events } = there;
  await using lease = await client.acquire("db");
  const [before] = await leasesOf(direct, "db");
  const waiter = await queue(direct, "db");
  for (let i = 0; i < 3; i += 1) {
    proxy.cut();
    expect(await nextOf(events, "resumed")).toMatchObject({ leaseId: lease.id });
    expect(lease.signal.aborted).toBe(false);
    const leases = await leasesOf(direct, "db");
    expect(leases).toMatchObject([{ id: lease.id, claims: before?.claims, state: LeaseState.ATTACHED }]);
    expect(leases[0]?.claims[0]?.fencingToken).toBe(lease.claims[0]?.fencingToken);
  }
  expect(waiter.kinds).not.toContain("granted");
  expect(await lease.release()).toBe("released");
  await waiter.next("granted");
});

test("a server that cannot be reached for less than the validity is not noticed by a holder", async () => {
  await using there = await setup(SHORT);
  const { proxy, client, direct, events } = there;
  await using lease = await client.acquire("db");
  await proxy.refuse();
  for (const attempt of [1, 2]) {
    expect(await nextOf(events, "resuming")).toMatchObject({ attempt, error: { name: "ServerUnavailableError" } });
  }
  await proxy.heal();
  await nextOf(events, "resumed");
  expect(lease.signal.aborted).toBe(false);
  expect(await leasesOf(direct, "db")).toMatchObject([{ id: lease.id, state: LeaseState.ATTACHED }]);
  // It lives by its renewals again, well beyond its ttl: this waiter's patience is as good as a clock.
  const waiter = await queue(direct, { claims: [{ limiter: "db" }], maxWait: { seconds: 3n } });
  expect(await waiter.ending).toMatchObject({ reason: "WAIT_TIMEOUT" });
  expect(lease.signal.aborted).toBe(false);
});

test.each(["acquire", "tryAcquire"] as const)(
  "one that cannot be reached for longer loses the lease when its validity is over, before another has it: %s",
  async (how) => {
    await using there = await setup(SHORT);
    const { proxy, client, direct } = there;
    const askedAt = performance.now();
    const lease = how === "acquire" ? await client.acquire("db") : await detached(client);
    const heardAt = performance.now();
    await proxy.refuse();
    const waiter = await queue(direct, "db");
    const lostAt = aborted(lease.signal).then((reason) => {
      expect(reason).toMatchObject({ name: "LeaseLostError", reason: "VALIDITY_EXPIRED" });
      expect(waiter.kinds).not.toContain("granted");
      return performance.now();
    });
    expect(await lostAt).toBeGreaterThanOrEqual(askedAt + VALID_FOR - 1);
    expect(await lostAt).toBeLessThan(heardAt + VALID_FOR + LATENESS);
    await held(waiter);
  },
);

test("a lease of TryAcquire lives on when the server could not be reached for less than its validity", async () => {
  await using there = await setup(SHORT);
  const { proxy, client, direct } = there;
  await using lease = await detached(client);
  await proxy.refuse();
  // Waits in vain are as good as clocks: this one is shorter than the validity, and lets a renewal fail in it; the next is
  // longer than the ttl.
  const away = await queue(direct, { claims: [{ limiter: "db" }], maxWait: { nanos: 450e6 } });
  expect(await away.ending).toMatchObject({ reason: "WAIT_TIMEOUT" });
  await proxy.heal();
  const waiter = await queue(direct, { claims: [{ limiter: "db" }], maxWait: { seconds: 3n } });
  expect(await waiter.ending).toMatchObject({ reason: "WAIT_TIMEOUT" });
  expect(lease.signal.aborted).toBe(false);
});

test("a connection that falls silent is found by pings, and the lease taken up over another, though the server knows of no loss", async () => {
  await using there = await setup(LONG, QUICK_PINGS);
  const { proxy, client, direct, events } = there;
  await using lease = await client.acquire("db");
  proxy.silence();
  await nextOf(events, "resuming");
  expect(await leasesOf(direct, "db")).toMatchObject([{ id: lease.id, state: LeaseState.ATTACHED }]);
  await proxy.heal();
  await nextOf(events, "resumed");
  expect(await leasesOf(direct, "db")).toMatchObject([{ id: lease.id, state: LeaseState.ATTACHED }]);
  expect(lease.signal.aborted).toBe(false);
  expect(await lease.release()).toBe("released");
});

test("a connection that stalls is given up for another, and nothing of what it then delivers frees the lease", async () => {
  await using there = await setup(LONG, QUICK_PINGS);
  const { proxy, client, direct, events } = there;
  await using lease = await client.acquire("db");
  const waiter = await queue(direct, "db");
  for (let i = 0; i < 3; i += 1) {
    proxy.stall();
    await nextOf(events, "resuming");
    await proxy.heal();
    await nextOf(events, "resumed");
    expect(await leasesOf(direct, "db")).toMatchObject([{ id: lease.id, state: LeaseState.ATTACHED }]);
  }
  expect(waiter.kinds).not.toContain("granted");
  expect(lease.signal.aborted).toBe(false);
  expect(await lease.release()).toBe("released");
  await waiter.next("granted");
});

test("fifty leases that lose their one connection are all taken up again, each once", async () => {
  await using there = await setup(MANY);
  const { proxy, client, direct, events } = there;
  const leases = await Promise.all(Array.from({ length: 50 }, () => client.acquire("db")));
  const ids = leases.map(({ id }) => id).sort();
  const tokens = (await leasesOf(direct, "db")).map(({ claims }) => claims[0]?.fencingToken);
  const orphaned = untilStatus(direct, "db", ({ orphanedLeases }) => orphanedLeases === 50n);
  await proxy.refuse();
  await orphaned;
  await proxy.heal();
  const resumed = new Set<string>();
  while (resumed.size < 50) resumed.add((await nextOf(events, "resumed")).leaseId);
  expect([...resumed].sort()).toEqual(ids);
  const kept = await leasesOf(direct, "db");
  expect(kept.map(({ id }) => id).sort()).toEqual(ids);
  expect(new Set(kept.map(({ claims }) => claims[0]?.fencingToken))).toEqual(new Set(tokens));
  expect(kept.every(({ state }) => state === LeaseState.ATTACHED)).toBe(true);
  expect(await statusOf(direct, "db")).toMatchObject({ permitsInUse: 50n, leases: 50n, grantedCount: 50n });
  expect(leases.every(({ valid, signal }) => valid && !signal.aborted)).toBe(true);
  expect(proxy.connections).toBe(1);
  expect(new Set(await Promise.all(leases.map((lease) => lease.release())))).toEqual(new Set(["released"]));
  expect(await statusOf(direct, "db")).toMatchObject({ permitsInUse: 0n });
});

test("a server that has forgotten its leases says so, and they are lost at once", async () => {
  await using there = await setup(LONG);
  await using other = await startTestServer(LONG);
  const { proxy, client } = there;
  const lease = await client.acquire("db");
  proxy.leadTo(other.address);
  proxy.cut();
  expect(await aborted(lease.signal)).toMatchObject({ name: "LeaseLostError", reason: "LEASE_NOT_FOUND" });
  expect(await lease.release()).toBe("unconfirmed");
});

test("a lease that an operator took while its holder was away is lost at once when that comes back", async () => {
  await using there = await setup(LONG);
  const { server, proxy, client } = there;
  await using operator = connect(server.address);
  const lease = await client.acquire("db");
  await proxy.refuse();
  await operator.limiters.revokeLease(lease.id, { force: true });
  await proxy.heal();
  expect(await aborted(lease.signal)).toMatchObject({ reason: "LEASE_REVOKED" });
  expect(await lease.release()).toBe("revoked");
});

test("a release while the server cannot be reached is said as soon as it can, and nothing is taken up after it", async () => {
  await using there = await setup(LONG);
  const { proxy, client, direct, events } = there;
  const lease = await client.acquire("db");
  const waiter = await queue(direct, "db");
  await proxy.refuse();
  await nextOf(events, "resuming");
  const releasing = lease.release();
  await proxy.heal();
  expect(await releasing).toBe("released");
  const next = await held(waiter);
  expect(await leasesOf(direct, "db")).toMatchObject([{ id: next.leaseId }]);
  expect(events.untaken.filter(({ kind }) => kind === "resumed")).toEqual([]);
  expect(lease.signal.aborted).toBe(false);
});

test("a release that cannot reach the server gives up, and says so", async () => {
  await using there = await setup(LONG, { retry: { maxAttempts: 3, initialDelay: 1 } });
  const { proxy, client, events } = there;
  const lease = await client.acquire("db");
  await proxy.refuse();
  await nextOf(events, "resuming");
  expect(await lease.release()).toBe("unconfirmed");
});

test("a waiter keeps its place, however often it asks in vain before the server can be reached again", async () => {
  const retry = { maxAttempts: 2, initialDelay: 1, maxDelay: 1 };
  await using there = await setup(LONG, { retry });
  const { proxy, client, direct } = there;
  const first = await hold(direct, "db");
  const places = createMailbox<WaitingNotice>();
  const early = client.acquire("db", { onWaiting: places.put });
  await places.next();
  const late = await queue(direct, "db");
  const away = untilStatus(direct, "db", ({ waiters }) => waiters === 1n);
  await proxy.refuse();
  await away;
  // Time for many more attempts than two.
  const clock = await queue(direct, { claims: [{ limiter: "db" }], maxWait: { nanos: 200e6 } });
  expect(await clock.ending).toMatchObject({ reason: "WAIT_TIMEOUT" });
  await proxy.heal();
  expect(await places.next()).toMatchObject({ waitersAhead: 0 });
  expect(await waitersOf(direct, "db")).toHaveLength(2);
  first.cancel();
  await using lease = await early;
  expect(late.kinds).not.toContain("granted");
  expect(await lease.release()).toBe("released");
  await late.next("granted");
});

test("a waiter whose grant was lost on the way finds it when it asks again, and holds one lease", async () => {
  await using there = await setup(LONG, QUICK_PINGS);
  const { proxy, client, direct } = there;
  const first = await hold(direct, "db");
  const places = createMailbox<WaitingNotice>();
  const acquiring = client.acquire("db", { onWaiting: places.put });
  await places.next();
  proxy.silence();
  const grantedUnheard = untilStatus(direct, "db", ({ grantedCount }) => grantedCount === 2n);
  first.cancel();
  await grantedUnheard;
  const [unheard] = await leasesOf(direct, "db");
  await proxy.heal();
  await using lease = await acquiring;
  expect(lease.id).toBe(unheard?.id);
  expect(lease.valid).toBe(true);
  expect(await statusOf(direct, "db")).toMatchObject({ grantedCount: 2n, permitsInUse: 1n });
});

test.each(["1.1", "2"] as const)("over Connect and HTTP/%s a lease is taken up again as well", async (httpVersion) => {
  await using server = await startTestServer(LONG);
  const proxy = await startTcpProxy(new URL(server.url).host);
  const events = createMailbox<ClientEvent>();
  const transport = createConnectTransport({ baseUrl: `http://${proxy.address}`, httpVersion });
  await using client = createClient({ transport, maxStreams: 1, onEvent: events.put });
  const direct = server.grpc();
  await using lease = await client.acquire("db");
  proxy.cut();
  await nextOf(events, "resumed");
  expect(lease.signal.aborted).toBe(false);
  expect(await leasesOf(direct, "db")).toMatchObject([{ id: lease.id }]);
  await expect(client.acquire("db")).rejects.toMatchObject({ name: "TooManyStreamsError" });
  expect(await lease.release()).toBe("released");
});
