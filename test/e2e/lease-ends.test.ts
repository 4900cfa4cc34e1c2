/** How leases live and end while their holders are well. */

import { expect, test } from "vitest";
import {
  AdmissionService,
  type Granted,
  type TryAcquireResponse,
} from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { LeaseEnd, LeaseState, WorkOutcome } from "../../src/client/gen/ggen/backpressure/v1/lease_pb.ts";
import { LimiterService } from "../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { acquire, giveBack, hold, queue } from "../support/acquire.ts";
import { Code, failureOf } from "../support/call-failure.ts";
import { leasesOf, microsOf, nowMicros, roundTrip, statusOf } from "../support/look.ts";
import { startTestServer } from "../support/server.ts";

const { release, renew, tryAcquire } = AdmissionService.method;
const { revokeLease } = LimiterService.method;

const TTL = 500_000;
const SERVER = "limiters: [{ name: db, max_concurrent: 1, ttl: 500ms, max_ttl: 2s }]";
const CLAIMS = [{ limiter: "db" }];
/** Digits for `toBeCloseTo`: a wall time in µs is rounded down. */
const ROUNDING = -1;

function grantedOf({ result }: TryAcquireResponse): Granted {
  if (result.case !== "granted") throw new Error(`refused: ${result.value?.message}`);
  return result.value;
}

function grantTime({ lease }: Granted): number {
  return microsOf(lease?.grantTime);
}

test("a lease of TryAcquire lives by Renew, and is free when its ttl has passed and not before", async () => {
  await using server = await startTestServer(SERVER);
  const client = server.grpc();
  const { lease, secret, validFor } = grantedOf(await client.call(tryAcquire, { claims: CLAIMS }));
  expect(lease).toMatchObject({ state: LeaseState.DETACHED });
  expect(microsOf(lease?.expireTime) - microsOf(lease?.grantTime)).toBeCloseTo(TTL, ROUNDING);
  // Half the ttl is the holder's, half is the server's: clocks drift, and processes pause.
  expect(validFor).toMatchObject({ seconds: 0n, nanos: 250e6 });

  const waiter = await queue(client, "db");
  const sent = nowMicros();
  const { results } = await client.call(renew, { leases: [{ leaseId: lease?.id ?? "", secret }] });
  const [renewed] = results;
  if (renewed?.result.case !== "renewed") throw new Error("it was not renewed");
  const expires = microsOf(renewed.result.value.expireTime);
  expect(expires).toBeGreaterThanOrEqual(sent + TTL);
  expect(grantTime(await waiter.next("granted"))).toBeGreaterThanOrEqual(expires);
  expect((await client.call(renew, { leases: [{ leaseId: lease?.id ?? "", secret }] })).results).toMatchObject([
    { result: { case: "ended", value: LeaseEnd.EXPIRED } },
  ]);
});

test("the request chooses a ttl within what the limiter allows; a longer one is cut to that", async () => {
  await using server = await startTestServer(SERVER);
  const client = server.grpc();
  const ttls = [{ nanos: 100e6 }, { seconds: 1n }, { seconds: 60n }];
  const chosen: number[] = [];
  for (const ttl of ttls) {
    const holder = await hold(client, { claims: CLAIMS, ttl });
    chosen.push(Number(holder.granted.lease?.ttl?.seconds) * 1e9 + (holder.granted.lease?.ttl?.nanos ?? 0));
    await giveBack(client, holder);
  }
  expect(chosen).toEqual([0.1e9, 1e9, 2e9]);
});

test("a stream that the server can ask does not expire, and needs no Renew", async () => {
  await using server = await startTestServer(SERVER);
  const client = server.grpc();
  const holder = await hold(client, "db");
  expect(holder.granted.lease).toMatchObject({ state: LeaseState.ATTACHED });
  expect(holder.granted.lease).not.toHaveProperty("expireTime");
  const { results } = await client.call(renew, { leases: [holder] });
  expect(results).toMatchObject([{ result: { case: "renewed", value: { revoking: false } } }]);
  expect(results[0]?.result.value).not.toHaveProperty("expireTime");
});

test("a lease ends once: what comes after is answered how, and is harmless", async () => {
  await using server = await startTestServer(SERVER);
  const client = server.grpc();
  const holder = await hold(client, "db");
  const credential = { leaseId: holder.leaseId, secret: holder.secret };
  expect(await client.call(release, { ...credential, outcome: WorkOutcome.OVERLOADED })).toMatchObject({
    end: LeaseEnd.RELEASED,
    alreadyEnded: false,
  });
  expect(await holder.ending).toBeUndefined();
  const next = await hold(client, "db");
  for (let i = 0; i < 2; i += 1) {
    expect(await client.call(release, { ...credential, outcome: WorkOutcome.OVERLOADED })).toMatchObject({
      end: LeaseEnd.RELEASED,
      alreadyEnded: true,
    });
  }
  expect((await client.call(renew, { leases: [credential] })).results).toMatchObject([
    { result: { case: "ended", value: LeaseEnd.RELEASED } },
  ]);
  expect(await client.call(revokeLease, { leaseId: holder.leaseId, force: true })).toMatchObject({
    end: LeaseEnd.RELEASED,
  });
  expect((await leasesOf(client)).map(({ id }) => id)).toEqual([next.leaseId]);
  expect(await statusOf(client, "db")).toMatchObject({ permitsInUse: 1n, overloadedCount: 1n });
});

test("revoking asks first: the holder is notified why and until when, and its release is a release", async () => {
  await using server = await startTestServer(SERVER);
  const client = server.grpc();
  const holder = await hold(client, "db");
  const before = nowMicros();
  const answer = await client.call(revokeLease, { leaseId: holder.leaseId, message: "the disk is full" });
  const { endTime, message } = await holder.next("revoking");
  expect(message).toBe("the disk is full");
  expect(answer.lease).toMatchObject({ id: holder.leaseId, revoking: true, expireTime: endTime });
  expect(microsOf(endTime)).toBeGreaterThanOrEqual(before + TTL);
  await giveBack(client, holder);
});

test("a holder that does not give it back loses it when the ttl has passed, whatever is renewed or resumed", async () => {
  await using server = await startTestServer(SERVER);
  const client = server.grpc();
  const holder = await hold(client, "db");
  const waiter = await queue(client, "db");
  await client.call(revokeLease, { leaseId: holder.leaseId });
  const { endTime } = await holder.next("revoking");
  const { results } = await client.call(renew, { leases: [holder] });
  expect(results).toMatchObject([{ result: { case: "renewed", value: { revoking: true, expireTime: endTime } } }]);
  const resumed = await hold(client, { resume: { leaseId: holder.leaseId, secret: holder.secret } });
  expect(resumed.granted.lease).toMatchObject({ revoking: true, expireTime: endTime });
  expect(await resumed.ending).toMatchObject({ code: Code.Aborted, reason: "LEASE_REVOKED" });
  expect(grantTime(await waiter.next("granted"))).toBeGreaterThanOrEqual(microsOf(endTime));
});

test("force takes a lease back now", async () => {
  await using server = await startTestServer("limiters: [{ name: db, max_concurrent: 1, ttl: 60s }]");
  const client = server.grpc();
  const holder = await hold(client, "db");
  const waiter = await queue(client, "db");
  expect(await client.call(revokeLease, { leaseId: holder.leaseId, force: true })).toMatchObject({
    end: LeaseEnd.REVOKED,
  });
  expect(await holder.ending).toMatchObject({ code: Code.Aborted, reason: "LEASE_REVOKED" });
  await roundTrip(client);
  expect(waiter.kinds).toContain("granted");
  expect(await failureOf(client.call(revokeLease, { leaseId: "never" }))).toMatchObject({
    code: Code.NotFound,
    reason: "LEASE_NOT_FOUND",
  });
});

test("a stream with nothing to say says so every few seconds, holding or waiting", async () => {
  await using server = await startTestServer(`
liveness: { heartbeat: 100ms }
limiters: [{ name: db, max_concurrent: 1 }]`);
  for (const client of [server.grpc(), server.connect({ protocol: "grpc-web", httpVersion: "1.1" })]) {
    const holder = await hold(client, "db");
    const waiter = acquire(client, "db");
    for (let beat = 0; beat < 3; beat += 1) {
      await holder.next("heartbeat");
      expect(await waiter.next("waiting")).toMatchObject({ waitersAhead: 0 });
    }
    await giveBack(client, holder);
    waiter.cancel();
  }
});
