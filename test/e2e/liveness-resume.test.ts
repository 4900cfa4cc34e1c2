/** Coming back: to a lease, to a place in the queue, to what an earlier request has made. */

import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { AdmissionService } from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { LeaseEnd, LeaseState } from "../../src/client/gen/ggen/backpressure/v1/lease_pb.ts";
import { LimiterService } from "../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { Reason } from "../../src/client/gen/ggen/backpressure/v1/reason_pb.ts";
import { startTcpProxy } from "../client/support/tcp-proxy.ts";
import { acquire, giveBack, type Hold, held, hold, queue } from "../support/acquire.ts";
import { Code, failureOf } from "../support/call-failure.ts";
import { createGrpcClient } from "../support/grpc-client.ts";
import { leasesOf, statusOf, untilStatus, waitersOf } from "../support/look.ts";
import { startTestServer } from "../support/server.ts";

const { release, renew, tryAcquire } = AdmissionService.method;
const { revokeLease } = LimiterService.method;

const SERVER = "limiters: [{ name: db, max_concurrent: 1, ttl: 60s }]";
const CLAIMS = [{ limiter: "db" }];

function credential({ leaseId, secret }: Hold): { readonly leaseId: string; readonly secret: string } {
  return { leaseId, secret };
}

function newRequestId(): string {
  return randomBytes(16).toString("hex");
}

test("a lease whose connection is lost is taken up again from another, with its id and secret", async () => {
  await using server = await startTestServer(SERVER);
  const proxy = await startTcpProxy(server.address);
  await using client = createGrpcClient(proxy.address);
  const holder = await hold(client, "db");
  const other = server.connect({ protocol: "connect", httpVersion: "2" });
  const waiter = await queue(other, "db");
  const orphaned = untilStatus(other, "db", ({ orphanedLeases }) => orphanedLeases === 1n);
  proxy.cut();
  await orphaned;
  expect(await leasesOf(other, "db")).toMatchObject([{ id: holder.leaseId, state: LeaseState.ORPHANED }]);

  const resumed = await hold(other, { resume: credential(holder) });
  expect(resumed.granted).toMatchObject({ resumed: true, secret: holder.secret });
  expect(resumed.granted.lease).toMatchObject({
    id: holder.leaseId,
    claims: holder.granted.lease?.claims,
    grantTime: holder.granted.lease?.grantTime,
    state: LeaseState.ATTACHED,
  });
  expect(waiter.kinds).not.toContain("granted");
  await giveBack(other, resumed);
  await waiter.next("granted");
});

test("a resume displaces an older stream, whose end then ends nothing", async () => {
  await using server = await startTestServer(SERVER);
  const client = server.grpc();
  const older = await hold(client, "db");
  const newer = await hold(server.grpc(), { resume: credential(older) });
  expect(await older.ending).toMatchObject({ code: Code.Aborted, reason: "LEASE_DISPLACED" });
  expect(await leasesOf(client, "db")).toMatchObject([{ id: older.leaseId, state: LeaseState.ATTACHED }]);
  await giveBack(client, newer);
});

test("a lease with a wrong secret is refused, and one that never was is not found", async () => {
  await using server = await startTestServer(SERVER);
  const client = server.grpc();
  const holder = await hold(client, "db");
  const wrong = { leaseId: holder.leaseId, secret: "A".repeat(holder.secret.length) };
  const mismatch = { code: Code.PermissionDenied, reason: "LEASE_SECRET_MISMATCH" };
  expect(await acquire(client, { resume: wrong }).ending).toMatchObject(mismatch);
  expect(await failureOf(client.call(release, wrong))).toMatchObject(mismatch);

  const unknown = { leaseId: "never", secret: holder.secret };
  const notFound = { code: Code.NotFound, reason: "LEASE_NOT_FOUND", resourceType: "lease" };
  expect(await acquire(client, { resume: unknown }).ending).toMatchObject(notFound);
  expect(await failureOf(client.call(release, unknown))).toMatchObject(notFound);

  const { results } = await client.call(renew, { leases: [wrong, credential(holder), unknown] });
  expect(results).toMatchObject([
    { result: { case: "refused", value: { reason: Reason.LEASE_SECRET_MISMATCH } } },
    { leaseId: holder.leaseId, result: { case: "renewed" } },
    { leaseId: "never", result: { case: "refused", value: { reason: Reason.LEASE_NOT_FOUND } } },
  ]);
  expect(holder.kinds).toEqual(["granted"]);
  expect(await statusOf(client, "db")).toMatchObject({ permitsInUse: 1n });
});

test("a holder that comes back to a lease that is gone is answered how it ended", async () => {
  await using server = await startTestServer(SERVER);
  const client = server.grpc();
  const released = await hold(client, "db");
  await giveBack(client, released);
  const revoked = await hold(client, "db");
  await client.call(revokeLease, { leaseId: revoked.leaseId, force: true });
  for (const [gone, reason] of [
    [released, "LEASE_ENDED"],
    [revoked, "LEASE_REVOKED"],
  ] as const) {
    expect(await acquire(client, { resume: credential(gone) }).ending).toMatchObject({ code: Code.Aborted, reason });
  }
  expect(await client.call(release, credential(revoked))).toMatchObject({ end: LeaseEnd.REVOKED, alreadyEnded: true });
});

test("a waiter whose connection is lost blocks no other, and gets its old place back under its request_id", async () => {
  await using server = await startTestServer(SERVER);
  const proxy = await startTcpProxy(server.address);
  await using client = createGrpcClient(proxy.address);
  const others = server.grpc();
  const requestId = newRequestId();
  const first = await hold(others, "db");
  await queue(client, { claims: CLAIMS, requestId });
  const second = await queue(others, "db");
  const third = await queue(others, "db");
  const gone = untilStatus(others, "db", ({ waiters }) => waiters === 2n);
  proxy.cut();
  await gone;
  await giveBack(others, first);
  const next = await held(second);
  expect(third.kinds).not.toContain("granted");

  const back = acquire(others, { claims: CLAIMS, requestId });
  expect(await back.next("waiting")).toMatchObject({ waitersAhead: 0 });
  await giveBack(others, next);
  const again = await held(back);
  expect(again.granted.resumed).toBe(false);
  expect(third.kinds).not.toContain("granted");
  await giveBack(others, again);
  await third.next("granted");
});

test("a waiter that asks again under its request_id waits once, in the same place", async () => {
  await using server = await startTestServer(SERVER);
  const [client, other] = [server.grpc(), server.grpc()];
  const requestId = newRequestId();
  const holder = await hold(client, "db");
  const waiter = await queue(client, { claims: CLAIMS, requestId });
  await queue(client, "db");
  const retry = acquire(other, { claims: CLAIMS, requestId });
  expect(await retry.next("waiting")).toMatchObject({ waitersAhead: 0 });
  expect(await waiter.ending).toMatchObject({ code: Code.Aborted, reason: "WAITER_DISPLACED" });
  expect(await waitersOf(client, "db")).toHaveLength(2);
  await giveBack(client, holder);
  await retry.next("granted");
});

test("a retry of Acquire after the grant takes over the lease that it made", async () => {
  await using server = await startTestServer(SERVER);
  const [client, other] = [server.grpc(), server.grpc()];
  const requestId = newRequestId();
  const first = await hold(client, { claims: CLAIMS, requestId });
  const retry = await hold(other, { claims: CLAIMS, requestId });
  expect(retry.granted).toMatchObject({ resumed: true, secret: first.secret, lease: { id: first.leaseId } });
  expect(await first.ending).toMatchObject({ reason: "LEASE_DISPLACED" });
  await giveBack(other, retry);
  const late = acquire(client, { claims: CLAIMS, requestId });
  expect(await late.ending).toMatchObject({ code: Code.Aborted, reason: "LEASE_ENDED" });
});

test("a retry of TryAcquire answers with the same lease, and a refusal is decided anew", async () => {
  await using server = await startTestServer(SERVER);
  const client = server.grpc();
  const requestId = newRequestId();
  const holder = await hold(client, "db");
  expect((await client.call(tryAcquire, { claims: CLAIMS, requestId })).result.case).toBe("refused");
  await giveBack(client, holder);
  const [first, retry] = [
    await client.call(tryAcquire, { claims: CLAIMS, requestId }),
    await server
      .connect({ protocol: "connect-json", httpVersion: "1.1" })
      .call(tryAcquire, { claims: CLAIMS, requestId }),
  ];
  if (first.result.case !== "granted") throw new Error("it was refused");
  const { lease, secret } = first.result.value;
  expect(retry).toMatchObject({
    result: { case: "granted", value: { lease: { id: lease?.id }, secret, resumed: true } },
  });
  expect(await statusOf(client, "db")).toMatchObject({ permitsInUse: 1n, grantedCount: 2n });
});

test("a request_id stands for one request: other claims or another call under it are refused", async () => {
  await using server = await startTestServer("limiters: [{ name: db, max_concurrent: 9 }]");
  const client = server.grpc();
  const requestId = newRequestId();
  const holder = await hold(client, { claims: CLAIMS, requestId });
  const reused = { code: Code.FailedPrecondition, reason: "REQUEST_ID_REUSED" };
  const claims = [{ limiter: "db", permits: 2 }];
  expect(await acquire(client, { claims, requestId }).ending).toMatchObject(reused);
  expect(await failureOf(client.call(tryAcquire, { claims: CLAIMS, requestId }))).toMatchObject(reused);
  await giveBack(client, holder);
  expect(await acquire(client, { claims, requestId }).ending).toMatchObject(reused);
  expect(await statusOf(client, "db")).toMatchObject({ permitsInUse: 0n, grantedCount: 1n });
});
