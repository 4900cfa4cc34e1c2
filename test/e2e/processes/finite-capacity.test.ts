import { expect, test } from "vitest";
import { AdmissionService } from "../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { LimiterState } from "../../../src/client/gen/ggen/backpressure/v1/limiter_pb.ts";
import { LimiterService } from "../../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { Reason } from "../../../src/client/gen/ggen/backpressure/v1/reason_pb.ts";
import { acquire, giveBack, held, hold, queue } from "../../support/acquire.ts";
import { Code, failureOf } from "../../support/call-failure.ts";
import { limiterOf, roundTrip, statusOf } from "../../support/look.ts";
import { startTestServer } from "../../support/server.ts";
import { countWork } from "../support/work-counter.ts";

const { tryAcquire } = AdmissionService.method;
const { createLimiter, deleteLimiter, getLimiter, updateLimiter } = LimiterService.method;

test("no more are at work than there are permits, as a counter sees it that knows neither side", async () => {
  await using server = await startTestServer("limiters: [{ name: db, max_concurrent: 5 }]");
  const work = { limiter: "db", processes: 3, workers: 8, rounds: 10 };
  const { most, fencingTokens, doubleSlots, slots } = await countWork({ address: server.address, ...work });
  expect(most).toBe(5);
  expect(doubleSlots).toEqual([]);
  expect([...slots].sort()).toEqual([0, 1, 2, 3, 4]);
  expect(new Set(fencingTokens).size).toBe(work.processes * work.workers * work.rounds);
});

test("a limit lowered below what is in use lets work finish and admits no waiter until there is room", async () => {
  await using server = await startTestServer("limiters: [{ name: db, max_concurrent: 3 }]");
  const client = server.grpc();
  const holders = [await hold(client, "db"), await hold(client, "db"), await hold(client, "db")];
  await client.call(updateLimiter, { limiter: { name: "db", maxConcurrent: 1 } });
  expect(await statusOf(client, "db")).toMatchObject({ permitsInUse: 3n, permitsLimit: 1n });
  const waiter = await queue(client, "db");

  for (const holder of holders.splice(0, 2)) await giveBack(client, holder);
  await roundTrip(client);
  expect(waiter.kinds).not.toContain("granted");
  expect(await statusOf(client, "db")).toMatchObject({ permitsInUse: 1n, waiters: 1n });

  holders[0]?.cancel();
  await waiter.next("granted");
});

test("a limit that is raised admits those at the head at once", async () => {
  await using server = await startTestServer("limiters: [{ name: db, max_concurrent: 1 }]");
  const client = server.grpc();
  await hold(client, "db");
  const waiters = [await queue(client, "db"), await queue(client, "db"), await queue(client, "db")];
  await client.call(updateLimiter, { limiter: { name: "db", maxConcurrent: 3 } });
  await roundTrip(client);
  expect(waiters.map(({ kinds }) => kinds.includes("granted"))).toEqual([true, true, false]);
});

test("a waiter whose claim can never fit any more is refused, and those behind it go on", async () => {
  await using server = await startTestServer("limiters: [{ name: db, max_concurrent: 3 }]");
  const client = server.grpc();
  const holder = await hold(client, "db");
  const large = await queue(client, { claims: [{ limiter: "db", permits: 3 }] });
  const small = await queue(client, "db");
  await client.call(updateLimiter, { limiter: { name: "db", maxConcurrent: 2 } });
  expect(await large.ending).toMatchObject({ code: Code.FailedPrecondition, reason: "CLAIM_EXCEEDS_LIMIT" });
  await small.next("granted");
  expect(holder.kinds).toEqual(["granted"]);
});

test("a limiter deleted while held drains, admits no waiter, and its name is not reborn before", async () => {
  await using server = await startTestServer("limiters: []");
  const client = server.grpc();
  const limiter = { name: "db", maxConcurrent: 1 };
  await client.call(createLimiter, { limiter });
  const holder = await hold(client, "db");
  const waiter = await queue(client, "db");

  expect(await client.call(deleteLimiter, { name: "db" })).toMatchObject({ drainingLeases: 1n });
  expect(await waiter.ending).toMatchObject({ code: Code.NotFound, reason: "LIMITER_NOT_FOUND" });
  expect(await limiterOf(client, "db")).toMatchObject({ state: LimiterState.DELETING });
  expect(await acquire(client, "db").ending).toMatchObject({ code: Code.NotFound, reason: "LIMITER_NOT_FOUND" });
  expect(await failureOf(client.call(createLimiter, { limiter }))).toMatchObject({
    code: Code.AlreadyExists,
    reason: "LIMITER_EXISTS",
    resourceType: "limiter",
  });
  expect(holder.kinds).toEqual(["granted"]);

  await giveBack(client, holder);
  expect(await failureOf(client.call(getLimiter, { name: "db" }))).toMatchObject({ code: Code.NotFound });
  await client.call(createLimiter, { limiter });
  await hold(client, "db");
});

test("a paused limiter keeps its holders and its waiters, and admits none until it goes on", async () => {
  await using server = await startTestServer("limiters: [{ name: db, max_concurrent: 1 }]");
  const client = server.grpc();
  const holder = await hold(client, "db");
  const first = await queue(client, "db");
  await client.call(updateLimiter, { limiter: { name: "db", paused: true } });
  expect(holder.kinds).toEqual(["granted"]);
  holder.cancel();
  const second = await queue(client, "db");
  expect(await client.call(tryAcquire, { claims: [{ limiter: "db" }] })).toMatchObject({
    result: { case: "refused", value: { reason: Reason.PAUSED, waitersAhead: 2 } },
  });
  expect(await statusOf(client, "db")).toMatchObject({ permitsInUse: 0n, waiters: 2n });

  await client.call(updateLimiter, { limiter: { name: "db" }, updateMask: { paths: ["paused"] } });
  (await held(first)).cancel();
  await second.next("granted");
});
