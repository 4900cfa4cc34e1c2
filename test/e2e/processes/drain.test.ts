/** How a server stops. */

import { expect, test } from "vitest";
import { AdmissionService } from "../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import {
  HealthCheckResponse_ServingStatus as Health,
  Health as HealthService,
} from "../../../src/client/gen/grpc/health/v1/health_pb.ts";
import { acquire, giveBack, hold, queue } from "../../support/acquire.ts";
import { Code, failureOf } from "../../support/call-failure.ts";
import { createConnectClient } from "../../support/connect-client.ts";
import { createGrpcClient } from "../../support/grpc-client.ts";
import { limiterOf, microsOf, nowMicros } from "../../support/look.ts";
import { startServerProcess } from "../../support/server-process.ts";

const { release, renew, tryAcquire } = AdmissionService.method;

const LIMITERS = "limiters: [{ name: db, max_concurrent: 1, ttl: 60s }]";
const CLAIMS = [{ limiter: "db" }];
const DRAINING = { code: Code.Unavailable, reason: "DRAINING", retryDelay: 1000 };
const STOPPED = { code: 0, signal: null };
/** µs by which the wall clocks of two processes may differ. */
const CLOCKS = 200_000;

test.concurrent("SIGTERM sends waiters away, lets holders finish, and ends with 0 after the last lease", async () => {
  await using server = await startServerProcess(`drain: { timeout: 50s }\n${LIMITERS}`);
  await using client = createGrpcClient(server.address);
  const health = client.open(HealthService.method.watch, {});
  expect(await health.next()).toMatchObject({ status: Health.SERVING });
  const holder = await hold(client, "db");
  const waiter = await queue(client, "db");
  const signalled = nowMicros();
  server.signal("SIGTERM");
  expect(await health.next()).toMatchObject({ status: Health.NOT_SERVING });
  expect(await waiter.ending).toMatchObject(DRAINING);
  const { endTime } = await holder.next("draining");
  expect(microsOf(endTime) - signalled).toBeGreaterThan(50e6 - CLOCKS);

  // A holder's connection may break now as well as ever, so new ones are taken, too.
  await using another = createGrpcClient(server.address);
  await using web = createConnectClient(server.url, { protocol: "connect", httpVersion: "1.1" });
  for (const each of [client, another, web]) {
    expect(await acquire(each, "db").ending).toMatchObject(DRAINING);
    expect(await failureOf(each.call(tryAcquire, { claims: CLAIMS }))).toMatchObject(DRAINING);
    expect(await each.call(HealthService.method.check, {})).toMatchObject({ status: Health.NOT_SERVING });
    expect(await each.call(renew, { leases: [holder] })).toMatchObject({ results: [{ result: { case: "renewed" } }] });
  }
  const resumed = await hold(another, { resume: { leaseId: holder.leaseId, secret: holder.secret } });
  await giveBack(web, resumed);
  expect(await server.exited).toEqual(STOPPED);
});

test.concurrent("a lease of TryAcquire is waited for as well, and its holder may release it", async () => {
  await using server = await startServerProcess(`drain: { timeout: 50s }\n${LIMITERS}`);
  await using client = createGrpcClient(server.address);
  const { result } = await client.call(tryAcquire, { claims: CLAIMS });
  if (result.case !== "granted") throw new Error("it was refused");
  const leaseId = result.value.lease?.id ?? "";
  const { secret } = result.value;
  server.signal("SIGTERM");
  await server.logged(/draining/);
  expect(await client.call(renew, { leases: [{ leaseId, secret }] })).toMatchObject({
    results: [{ result: { case: "renewed" } }],
  });
  await client.call(release, { leaseId, secret });
  expect(await server.exited).toEqual(STOPPED);
});

test.concurrent("one that is not released is waited for until it expires", async () => {
  await using server = await startServerProcess(`drain: { timeout: 50s }\n${LIMITERS}`);
  await using client = createGrpcClient(server.address);
  const { result } = await client.call(tryAcquire, { claims: CLAIMS, ttl: { nanos: 700e6 } });
  if (result.case !== "granted") throw new Error("it was refused");
  server.signal("SIGTERM");
  expect(await server.exited).toEqual(STOPPED);
  expect(nowMicros()).toBeGreaterThan(microsOf(result.value.lease?.expireTime) - CLOCKS);
});

test.concurrent("when the time for it has passed the server ends, leases or not", async () => {
  await using server = await startServerProcess(`drain: { timeout: 500ms }\n${LIMITERS}`);
  await using client = createGrpcClient(server.address);
  const holder = await hold(client, "db");
  const signalled = nowMicros();
  server.signal("SIGTERM");
  expect(await holder.ending).toMatchObject({ code: Code.Unavailable });
  expect(nowMicros() - signalled).toBeGreaterThanOrEqual(500_000);
  expect(await server.exited).toEqual(STOPPED);
});

test.concurrent("a second signal ends it at once", async () => {
  await using server = await startServerProcess(`drain: { timeout: 1h }\n${LIMITERS}`);
  await using client = createGrpcClient(server.address);
  const holder = await hold(client, "db");
  server.signal("SIGINT");
  await holder.next("draining");
  server.signal("SIGTERM");
  expect(await holder.ending).toMatchObject({ code: Code.Unavailable });
  expect(await server.exited).toEqual(STOPPED);
});

test.concurrent("a server without holders does not wait for connections, or for what else is idle", async () => {
  await using server = await startServerProcess(`drain: { timeout: 50s }\nliveness: { heartbeat: 1m }\n${LIMITERS}`);
  await using grpc = createGrpcClient(server.address);
  await using web = createConnectClient(server.url, { protocol: "connect", httpVersion: "1.1" });
  await using web2 = createConnectClient(server.url, { protocol: "connect", httpVersion: "2" });
  for (const client of [grpc, web, web2]) {
    await giveBack(client, await hold(client, "db"));
    await limiterOf(client, "db");
  }
  const signalled = nowMicros();
  server.signal("SIGTERM");
  expect(await server.exited).toEqual(STOPPED);
  expect(nowMicros() - signalled).toBeLessThan(10_000_000);
});
