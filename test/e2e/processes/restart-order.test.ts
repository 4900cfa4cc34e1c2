/** Waiters keep their order through every way in which a server with a data folder can end. */

import { expect, test } from "vitest";
import { acquire, giveBack, type Hold, held, hold, queue } from "../../support/acquire.ts";
import type { ContractClient } from "../../support/contract-client.ts";
import { createGrpcClient } from "../../support/grpc-client.ts";
import { type RestartingServer, startRestartingServer } from "../../support/restarting-server.ts";

const LIMITERS = "limiters: [{ name: db, max_concurrent: 10, max_waiters: 1000, ttl: 60s }]\n";
const WAITERS = 60;

const request = (index: number) => ({
  claims: [{ limiter: "db", permits: sizeOf(index) }],
  requestId: `order-of-waiters-${index}`,
});

/** Large and small ones in turn: behind a large one there is always a small one that would fit. */
function sizeOf(index: number): number {
  return index % 2 === 0 ? 10 : 1;
}

const ENDS: readonly (readonly [string, (server: RestartingServer) => Promise<unknown>])[] = [
  ["SIGTERM", (server) => server.stop()],
  [
    "SIGINT",
    (server) => {
      server.process.signal("SIGINT");
      return server.process.exited;
    },
  ],
  [
    "a second signal",
    (server) => {
      server.process.signal("SIGTERM");
      server.process.signal("SIGINT");
      return server.process.exited;
    },
  ],
  ["kill -9", (server) => server.crash()],
];

test.concurrent.for(ENDS)("%s: none is overtaken by one that came later", { timeout: 90_000 }, async ([_, end]) => {
  await using server = await startRestartingServer(LIMITERS);
  await using before = createGrpcClient(server.address);
  const holder = await hold(before, { claims: [{ limiter: "db", permits: 10 }], requestId: "the-only-holder-1" });
  for (let index = 0; index < WAITERS; index += 1) await queue(before, request(index));
  await end(server);
  await server.start();
  await using after = createGrpcClient(server.address);
  const back = await hold(after, { resume: { leaseId: holder.leaseId, secret: holder.secret } });
  // They come back in any order: here, the last first.
  const waits: { readonly index: number; readonly grant: Promise<Hold> }[] = [];
  for (let index = WAITERS - 1; index >= 0; index -= 1) {
    const call = await queue(after, request(index));
    waits.push({ index, grant: held(call) });
  }
  expect(await orderOfGrants(after, waits, back)).toEqual(Array.from({ length: WAITERS }, (_each, index) => index));
});

async function orderOfGrants(
  client: ContractClient,
  waits: readonly { readonly index: number; readonly grant: Promise<Hold> }[],
  first: Hold,
): Promise<number[]> {
  const order: number[] = [];
  const all = waits.map(async ({ index, grant }) => {
    const lease = await grant;
    order.push(index);
    await giveBack(client, lease);
  });
  await giveBack(client, first);
  await Promise.all(all);
  return order;
}

test.concurrent("SIGTERM: nothing is granted to a waiter in passing, while those before it leave", {
  timeout: 60_000,
}, async () => {
  await using server = await startRestartingServer(LIMITERS);
  await using client = createGrpcClient(server.address);
  await hold(client, { claims: [{ limiter: "db", permits: 5 }] });
  const large = await queue(client, { claims: [{ limiter: "db", permits: 10 }] });
  const small = Array.from({ length: 5 }, () => acquire(client, "db"));
  for (const call of small) await call.next("waiting");
  await server.stop();
  for (const call of [large, ...small]) expect(await call.ending).toMatchObject({ reason: "DRAINING" });
  expect(small.map((call) => call.kinds.includes("granted"))).toEqual([false, false, false, false, false]);
});
