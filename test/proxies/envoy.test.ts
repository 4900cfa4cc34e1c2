/**
 * What is held and waited for through an Envoy that knows nothing of leases: it resets every stream after a while. Its route
 * timeout counts from the end of the request, which a session's has not; what bounds every stream is `max_stream_duration`.
 */

import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { Card, Client, ClientEvent, Lease } from "../../src/client/index.ts";
import { createMailbox, type Mailbox } from "../client/support/mailbox.ts";
import { connectForTest, startRealServer } from "../client/support/real-server.ts";
import { startTcpProxy } from "../client/support/tcp-proxy.ts";
import type { Carrier } from "../support/carrier.ts";
import { requireEnvoy, startEnvoy } from "./support/envoy.ts";

const CONFIG = `
limiters: [{ name: db, max_concurrent: 1, ttl: 10s }]
boards: [{ name: delivery, ttl: 10s, stages: [{ name: Todo }, { name: Doing, kind: WORK }, { name: Done }] }]
`;

async function setup(carrier: Carrier, lasts: string) {
  const server = await startRealServer(CONFIG);
  const blip = await startTcpProxy(server.address);
  const bounds = carrier === "sessions" ? { routeTimeout: "0s", maxStreamDuration: lasts } : { routeTimeout: lasts };
  const envoy = await startEnvoy({ upstream: blip.address, ...bounds });
  const events = createMailbox<ClientEvent>();
  return {
    /** Through Envoy. */
    far: connectForTest(envoy.address, { sessions: carrier === "sessions", onEvent: events.put }),
    /** Directly. */
    near: connectForTest(server.address),
    envoy,
    events,
    /** Between Envoy and the server. */
    blip,
  };
}

async function untilEvent(events: Mailbox<ClientEvent>, kind: ClientEvent["kind"]): Promise<void> {
  while ((await events.next()).kind !== kind);
}

async function untilWaiters(client: Client, waiters: number): Promise<void> {
  while ((await client.limiters.get("db")).status.waiters !== waiters) await later(20);
}

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The clients that were granted the lease, in order. */
function grants(named: Readonly<Record<string, Promise<Lease>>>): string[] {
  const order: string[] = [];
  for (const [name, acquiring] of Object.entries(named)) {
    acquiring.then((lease) => {
      order.push(name);
      return lease.release();
    });
  }
  return order;
}

beforeEach(requireEnvoy);

describe.each<Carrier>(["streams", "sessions"])("with %s", (carrier) => {
  test("a lease that is held for three of its bounds lives on, and no other client has it meanwhile", async () => {
    const { far, near, events } = await setup(carrier, "1s");
    const lease = await far.acquire("db");
    const other = near.acquire("db");
    let isOthers = false;
    other.then(() => {
      isOthers = true;
    });
    for (let resets = 0; resets < 3; resets += 1) await untilEvent(events, "resumed");
    expect(lease.valid).toBe(true);
    expect(isOthers).toBe(false);
    expect(await lease.release()).toBe("released");
    await (await other).release();
  });

  test("a waiter whose stream is reset time and again keeps its place", async () => {
    const { far, near } = await setup(carrier, "1s");
    const holder = await near.acquire("db");
    const early = far.acquire("db");
    await untilWaiters(near, 1);
    const late = near.acquire("db");
    const order = grants({ early, late });
    await later(3500);
    await untilWaiters(near, 2);
    await holder.release();
    await Promise.all([early, late]);
    await later(50);
    expect(order).toEqual(["early", "late"]);
  });

  test("a card that is worked on for three of its bounds is begun once, and finished", async () => {
    const { far, near, events } = await setup(carrier, "1s");
    const board = near.board("delivery");
    const { id } = await board.add({ title: "long" });
    const attempts: number[] = [];
    const work = async ({ attempt }: Card, signal: AbortSignal) => {
      attempts.push(attempt);
      for (let resets = 0; resets < 3; resets += 1) await untilEvent(events, "work-resumed");
      signal.throwIfAborted();
    };
    const loops = [far.board("delivery").work("Doing", work)];
    while (attempts.length === 0) await later(20);
    // Another would have the card at once, if it were free for an instant.
    loops.push(board.work("Doing", work));
    onTestFinished(async () => void (await Promise.all(loops.map((loop) => loop.stop({ grace: 0 })))));
    while ((await board.get(id)).state !== "completed") await later(50);
    expect(attempts).toEqual([1]);
  });

  test("a puller whose stream is reset keeps its place", async () => {
    const { far, near } = await setup(carrier, "1s");
    const board = near.board("delivery");
    const early = far.board("delivery").pull("Doing");
    await later(200);
    const late = board.pull("Doing");
    await later(2500);
    const { id } = await board.add({ title: "first" });
    const work = await early;
    expect(work.card.id).toBe(id);
    await work.finish();
    await board.add({ title: "second" });
    await (await late).finish();
  });

  test("one blip of the network behind Envoy costs neither the lease nor a waiter's place", async () => {
    const { far, near, events, blip } = await setup(carrier, "60s");
    const lease = await far.acquire("db");
    const early = far.acquire("db");
    await untilWaiters(near, 1);
    const late = near.acquire("db");
    const order = grants({ early, late });
    blip.cut();
    await untilEvent(events, "resumed");
    await untilWaiters(near, 2);
    expect(lease.valid).toBe(true);
    expect(await lease.release()).toBe("released");
    await Promise.all([early, late]);
    await later(50);
    expect(order).toEqual(["early", "late"]);
  });

  test("what is given up through Envoy is free at once, whatever the ttl", async () => {
    const { far, near } = await setup(carrier, "60s");
    const controller = new AbortController();
    const acquiring = far.acquire("db", { signal: controller.signal });
    setTimeout(() => controller.abort(new Error("enough")), 1);
    await acquiring.catch(() => {});
    await using lease = await near.acquire("db", { maxWait: 1000 });
    expect(lease.valid).toBe(true);
  });
});
