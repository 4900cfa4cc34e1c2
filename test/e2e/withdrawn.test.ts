/** A client that gives up says so: what it asked for is free at once, whatever the ttl, and work that was not begun is no attempt. */

import { Agent } from "node:http";
import type { Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Client, createClient } from "../../src/client/index.ts";
import { connectForTest, startRealServer } from "../client/support/real-server.ts";
import { startSlowWay } from "../client/support/slow-way.ts";

const CONFIG = `
limiters: [{ name: db, max_concurrent: 1, ttl: 600s, max_ttl: 600s }]
boards: [{ name: delivery, ttl: 600s, stages: [{ name: Todo }, { name: Doing, kind: WORK }, { name: Done }] }]
`;
const WAYS = ["Connect over HTTP/1.1", "gRPC"] as const;
const ROUND_TRIP = 150;

function transportBy(way: (typeof WAYS)[number], address: string): Transport {
  const baseUrl = `http://${address}`;
  if (way === "gRPC") {
    const sessionManager = new Http2SessionManager(baseUrl);
    onTestFinished(() => sessionManager.abort());
    return createGrpcTransport({ baseUrl, sessionManager });
  }
  const agent = new Agent({ keepAlive: true });
  onTestFinished(() => agent.destroy());
  return createConnectTransport({ baseUrl, httpVersion: "1.1", nodeOptions: { agent } });
}

/** A client behind a long way, and one that is near. */
async function setup(way: (typeof WAYS)[number]): Promise<{ readonly far: Client; readonly near: Client }> {
  const server = await startRealServer(CONFIG);
  const target = way === "gRPC" ? server.address : new URL(server.url).host;
  const far = createClient({ transport: transportBy(way, await startSlowWay(target, ROUND_TRIP)) });
  onTestFinished(() => far.close());
  // The connection is there, and its ways of speaking are known.
  await (await far.acquire("db")).release();
  return { far, near: connectForTest(server.address) };
}

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe.each(WAYS)("over %s", (way) => {
  // Before the request has arrived, while its answer is on its way, when it is about to.
  test.each([0, 30, 80, 120, 145])(
    "an acquire that is aborted after %i ms leaves the permit to the next",
    async (after) => {
      const { far, near } = await setup(way);
      const controller = new AbortController();
      const acquiring = far.acquire("db", { signal: controller.signal });
      await later(after);
      controller.abort(new Error("enough"));
      await expect(acquiring.then(() => "granted")).rejects.toThrow("enough");
      // The word is on its way for half a round trip, and may have to connect first.
      await later(2 * ROUND_TRIP);
      await using lease = await near.acquire("db", { maxWait: 1000 });
      expect(lease.valid).toBe(true);
    },
  );

  test.each([0, 30, 80, 120])("a tryAcquire that is aborted after %i ms does, too", async (after) => {
    const { far, near } = await setup(way);
    const controller = new AbortController();
    const trying = far.tryAcquire("db", { signal: controller.signal });
    await later(after);
    controller.abort(new Error("enough"));
    await expect(trying).rejects.toThrow("enough");
    await later(2 * ROUND_TRIP);
    await using lease = await near.acquire("db", { maxWait: 1000 });
    expect(lease.valid).toBe(true);
  });

  test.each([0, 30, 80, 120, 145])("a pull that is aborted after %i ms has cost its card no attempt", async (after) => {
    const { far, near } = await setup(way);
    await near.board("delivery").add({ id: "card-1" });
    const controller = new AbortController();
    const pulling = far.board("delivery").pull("Doing", { signal: controller.signal });
    await later(after);
    controller.abort(new Error("enough"));
    await expect(pulling.then(() => "pulled")).rejects.toThrow("enough");
    await later(2 * ROUND_TRIP);
    await using work = await near.board("delivery").pull("Doing", { maxWait: 1000 });
    expect(work.card).toMatchObject({ id: "card-1", attempt: 1 });
  });

  test("a waiter that is aborted leaves the queue, and a client that is closed leaves nothing", async () => {
    const { far, near } = await setup(way);
    const holder = await near.acquire("db");
    const controller = new AbortController();
    const waiting = [
      far.acquire("db", { signal: controller.signal }).catch((error: Error) => error.message),
      far.acquire("db").catch((error: Error) => error.name),
    ];
    while ((await near.limiters.get("db")).status.waiters < 2) await later(20);
    controller.abort(new Error("enough"));
    while ((await near.limiters.get("db")).status.waiters > 1) await later(20);
    await far.close();
    expect(await Promise.all(waiting)).toEqual(["enough", "ClientClosedError"]);
    await holder.release();
    await using lease = await near.acquire("db", { maxWait: 1000 });
    expect(lease.valid).toBe(true);
  });
});
