/** What the service promises, through each proxy with the configuration that docs/proxies.md has for it. */

import { once } from "node:events";
import { connect as connectTls } from "node:tls";
import { beforeEach, describe, expect, test } from "vitest";
import { AdmissionService } from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import type { Client, Lease } from "../../src/client/index.ts";
import { connectForTest, startRealServer } from "../client/support/real-server.ts";
import { createGrpcClient } from "../support/grpc-client.ts";
import { KINDS, type ProxyKind } from "./support/kinds.ts";
import { pageConfig } from "./support/page.ts";
import { startProxy } from "./support/proxy.ts";
import { connectThrough, NODE_WAYS, type Traveller, WAYS } from "./support/ways.ts";

const CONFIG = `
limiters: [{ name: db, max_concurrent: 1, ttl: 10s }, { name: held, max_concurrent: 100, ttl: 10s }]
boards: [{ name: delivery, stages: [{ name: Todo }, { name: Doing, kind: WORK }, { name: Done }] }]
`;

async function setup(kind: ProxyKind, yaml = CONFIG) {
  const server = await startRealServer(yaml);
  const proxy = await startProxy(kind, pageConfig(kind), { grpc: server.address, web: server.url });
  return { server, proxy, near: connectForTest(server.address) };
}

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function untilWaiters(client: Client, waiters: number): Promise<void> {
  while ((await client.limiters.get("db")).status.waiters !== waiters) await later(20);
}

async function untilEvent({ events }: Traveller, kind: string): Promise<void> {
  while ((await events.next()).kind !== kind);
}

/** The clients that were granted the lease, in order; each releases it at once. */
function grants(named: Readonly<Record<string, Promise<Lease>>>): { readonly order: string[]; all: Promise<unknown> } {
  const order: string[] = [];
  const all = Object.entries(named).map(async ([name, acquiring]) => {
    const lease = await acquiring;
    order.push(name);
    await lease.release();
  });
  return { order, all: Promise.all(all) };
}

describe.each(KINDS)("through $name", (kind) => {
  beforeEach(kind.require);

  test.each(WAYS)("a call is answered, a place in the queue and a grant arrive as they are said: %s", async (way) => {
    const { proxy, near } = await setup(kind);
    const { client } = connectThrough(way, proxy);
    const attempt = await client.tryAcquire("db");
    expect(attempt.granted).toBe(true);
    const said = Promise.withResolvers<number>();
    const waiting = client.acquire("db", { onWaiting: ({ waitersAhead }) => said.resolve(waitersAhead) });
    // Were it held back, the client would not have the server's word in time (`answerWithin`).
    expect(await said.promise).toBe(0);
    if (attempt.granted) await attempt.release();
    const lease = await waiting;
    expect(lease.valid).toBe(true);
    expect(await lease.release()).toBe("released");
    await (await near.acquire("db", { maxWait: 1_000 })).release();
  });

  test.each(WAYS)("a board is watched, and a card is pulled, worked on and finished: %s", async (way) => {
    const { proxy, near } = await setup(kind);
    const board = connectThrough(way, proxy).client.board("delivery");
    const watch = board.watch()[Symbol.asyncIterator]();
    await watch.next();
    const pulling = board.pull("Doing");
    await later(100);
    const { id } = await near.board("delivery").add({ title: "parser" });
    const work = await pulling;
    expect(work.card.id).toBe(id);
    await work.finish();
    expect((await near.board("delivery").get(id)).state).toBe("completed");
    expect((await watch.next()).done).toBe(false);
    await watch.return?.();
  });

  test("a browser is offered HTTP/2", async () => {
    const { proxy } = await setup(kind);
    const { hostname, port } = new URL(proxy.web);
    const socket = connectTls({
      host: hostname,
      port: Number(port),
      ALPNProtocols: ["h2", "http/1.1"],
      rejectUnauthorized: false,
    });
    await once(socket, "secureConnect");
    expect(socket.alpnProtocol).toBe("h2");
    socket.destroy();
  });

  test.each(WAYS)("killed and started again, it costs neither a lease nor a place: %s", async (way) => {
    const { proxy, near } = await setup(kind);
    const far = connectThrough(way, proxy);
    const lease = await far.client.acquire("db");
    const early = far.client.acquire("db");
    await untilWaiters(near, 1);
    const late = near.acquire("db");
    await untilWaiters(near, 2);
    const { order, all } = grants({ early, late });
    await proxy.restart();
    await untilEvent(far, "resumed");
    await untilWaiters(near, 2);
    expect(lease.valid).toBe(true);
    expect(await lease.release()).toBe("released");
    await all;
    expect(order).toEqual(["early", "late"]);
  });

  test.each(WAYS)("what is given up is free at once, whatever the ttl: %s", async (way) => {
    const { proxy, near } = await setup(kind, "limiters: [{ name: db, max_concurrent: 1, ttl: 1h, max_ttl: 1h }]");
    const { client } = connectThrough(way, proxy);
    const controller = new AbortController();
    const acquiring = client.acquire("db", { signal: controller.signal });
    setTimeout(() => controller.abort(new Error("enough")), 5);
    await acquiring.catch(() => {});
    await using lease = await near.acquire("db", { maxWait: 2_000 });
    expect(lease.valid).toBe(true);
  });

  test("a cancelled stream frees its lease as the page says, where the request does not say keep_on_cancel", async () => {
    const { proxy, near } = await setup(kind, "limiters: [{ name: db, max_concurrent: 1, ttl: 2s }]");
    await using far = createGrpcClient(proxy.grpc);
    const call = far.open(AdmissionService.method.acquire, { claims: [{ limiter: "db" }] });
    await call.next();
    call.cancel();
    const atOnce = await near.acquire("db", { maxWait: 1_000 }).then(
      (lease) => lease.release(),
      () => undefined,
    );
    expect(atOnce === "released").toBe(kind.passesCancels);
    await (await near.acquire("db", { maxWait: 15_000 })).release();
  });

  test.each(NODE_WAYS)("thousands of calls beside a lease and a place cost neither: %s", async (way) => {
    const { proxy, near } = await setup(kind);
    const far = connectThrough(way, proxy, { answerWithin: 10_000 });
    const lease = await far.client.acquire("db");
    const early = far.client.acquire("db");
    await untilWaiters(near, 1);
    const late = near.acquire("db");
    await untilWaiters(near, 2);
    const { order, all } = grants({ early, late });
    // nginx ends a connection after 1,000 requests.
    for (let i = 0; i < 25; i += 1) {
      await Promise.all(Array.from({ length: 100 }, () => far.client.limiters.get("db")));
    }
    await untilWaiters(near, 2);
    expect(await lease.release()).toBe("released");
    await all;
    expect(order).toEqual(["early", "late"]);
  });
});

// Envoy takes up a configuration of this kind by a new start.
describe.each(KINDS.filter(({ reload }) => reload !== undefined))("through $name", (kind) => {
  beforeEach(kind.require);

  test("its reload costs neither a lease nor a place", async () => {
    const { proxy, near } = await setup(kind);
    const travellers = WAYS.map((way) => connectThrough(way, proxy));
    const leases = await Promise.all(travellers.map(({ client }) => client.acquire("held")));
    const order: string[] = [];
    const holder = await near.acquire("db");
    const waits: Promise<void>[] = [];
    for (const [place, { client }] of travellers.entries()) {
      const said = Promise.withResolvers<void>();
      const wait = client.acquire("db", { onWaiting: () => said.resolve() }).then(async (granted) => {
        order.push(WAYS[place] ?? "");
        await granted.release();
      });
      waits.push(wait);
      await said.promise;
    }
    await proxy.reload?.();
    // The old process has gone, or lets its streams last for a while.
    await later(1_000);
    const fresh = connectThrough("gRPC", proxy);
    await fresh.client.limiters.get("db");
    await untilWaiters(near, WAYS.length);
    expect(await Promise.all(leases.map((lease) => lease.release()))).toEqual(WAYS.map(() => "released"));
    await holder.release();
    await Promise.all(waits);
    expect(order).toEqual([...WAYS]);
  });
});
