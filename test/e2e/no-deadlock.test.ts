import { expect, test } from "vitest";
import { AdmissionService } from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { Reason } from "../../src/client/gen/ggen/backpressure/v1/reason_pb.ts";
import { acquire, giveBack, type Hold, held, hold, queue } from "../support/acquire.ts";
import { Code } from "../support/call-failure.ts";
import { leasesOf, roundTrip, statusOf } from "../support/look.ts";
import { startTestServer } from "../support/server.ts";

const { tryAcquire } = AdmissionService.method;

const A = { limiter: "a" };
const B = { limiter: "b" };
const TWO = "limiters: [{ name: a, max_concurrent: 1 }, { name: b, max_concurrent: 1 }]";

test("claims on several limiters are granted whole at one instant, and nothing of them is held before", async () => {
  await using server = await startTestServer(TWO);
  const client = server.grpc();
  const holder = await hold(client, { claims: [A] });
  const both = await queue(client, { claims: [A, B] });
  expect(await leasesOf(client, "b")).toEqual([]);
  holder.cancel();
  const { lease } = await both.next("granted");
  expect(lease?.claims).toMatchObject([
    { limiter: "a", permits: 1 },
    { limiter: "b", permits: 1 },
  ]);
  expect((await leasesOf(client)).map(({ id }) => id)).toEqual([lease?.id]);
});

test("those behind such a request wait until all its claims fit, though theirs would fit now", async () => {
  await using server = await startTestServer(TWO);
  const client = server.grpc();
  const holder = await hold(client, { claims: [A] });
  const both = await queue(client, { claims: [A, B] });
  const behind = await queue(client, { claims: [B] });
  expect(await statusOf(client, "b")).toMatchObject({ permitsInUse: 0n, waiters: 2n });
  expect(await client.call(tryAcquire, { claims: [B] })).toMatchObject({
    result: { case: "refused", value: { reason: Reason.WAITERS_AHEAD, limiter: "b", waitersAhead: 2 } },
  });
  holder.cancel();
  await both.next("granted");
  await roundTrip(client);
  expect(behind.kinds).not.toContain("granted");
  both.cancel();
  await behind.next("granted");
});

test("a waiter that is first in one queue does not overtake those before it in another", async () => {
  await using server = await startTestServer(
    "limiters: [{ name: a, max_concurrent: 1 }, { name: b, max_concurrent: 2 }]",
  );
  const client = server.grpc();
  const holders = [await hold(client, { claims: [A] }), await hold(client, { claims: [B] })];
  const large = await queue(client, { claims: [{ ...B, permits: 2 }] });
  const both = await queue(client, { claims: [A, B] });
  await giveBack(client, holders[0] as Hold);
  await roundTrip(client);
  expect(await statusOf(client, "b")).toMatchObject({ permitsInUse: 1n, waiters: 2n });
  await giveBack(client, holders[1] as Hold);
  await giveBack(client, await held(large));
  await both.next("granted");
});

test("many clients that claim the same limiters in any order, all at once, all come to their turn", async () => {
  await using server = await startTestServer(`limiters:
    - { name: a, max_concurrent: 2 }
    - { name: b, max_concurrent: 1 }
    - { name: c, max_concurrent: 3, max_rps: 1000 }`);
  const clients = Array.from({ length: 4 }, () => server.grpc());
  const orders = [["a", "b"], ["b", "a"], ["c", "a", "b"], ["b", "c"], ["c", "a"], ["b"]];
  const work = Array.from({ length: 96 }, async (_, i) => {
    const client = clients[i % clients.length] as (typeof clients)[number];
    const claims = orders[i % orders.length]?.map((limiter) => ({ limiter })) ?? [];
    const call = await hold(client, { claims });
    if (i % 2 === 0) call.cancel();
    else await giveBack(client, call);
  });
  await Promise.all(work);
});

test("TryAcquire takes all claims or none, and says which limiter said no", async () => {
  await using server = await startTestServer(TWO);
  const client = server.grpc();
  await hold(client, { claims: [B] });
  expect(await client.call(tryAcquire, { claims: [A, B] })).toMatchObject({
    result: { case: "refused", value: { reason: Reason.CONCURRENCY_EXHAUSTED, limiter: "b" } },
  });
  expect(await statusOf(client, "a")).toMatchObject({ permitsInUse: 0n, waiters: 0n });
  expect(await client.call(tryAcquire, { claims: [A] })).toMatchObject({ result: { case: "granted" } });
});

test("every queue is bounded, each limiter's and the server's", async () => {
  await using server = await startTestServer(`
limits: { max_waiters: 3 }
limiters: [{ name: a, max_concurrent: 1, max_waiters: 2 }, { name: b, max_concurrent: 1 }]`);
  const client = server.grpc();
  await hold(client, { claims: [A] });
  const holder = await hold(client, { claims: [B] });
  for (let i = 0; i < 2; i += 1) await queue(client, { claims: [A] });
  expect(await acquire(client, { claims: [A] }).ending).toMatchObject({
    code: Code.ResourceExhausted,
    reason: "QUEUE_FULL",
    metadata: { limiter: "a" },
    retryDelay: 1000,
  });
  const last = await queue(client, { claims: [B] });
  expect(await acquire(client, { claims: [B] }).ending).toMatchObject({ reason: "QUEUE_FULL", retryDelay: 1000 });
  await giveBack(client, holder);
  await last.next("granted");
  await queue(client, { claims: [B] });
});
