/** The loss of a connection, by everything that can be done to one. */

import { expect, test } from "vitest";
import { AdmissionService, type Granted } from "../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { LeaseEnd, LeaseState } from "../../../src/client/gen/ggen/backpressure/v1/lease_pb.ts";
import { LimiterService } from "../../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { startTcpProxy } from "../../client/support/tcp-proxy.ts";
import { startHolder } from "../../server/transport/support/holder.ts";
import { giveBack, held, hold, queue } from "../../support/acquire.ts";
import { Code } from "../../support/call-failure.ts";
import { createConnectClient } from "../../support/connect-client.ts";
import { createGrpcClient } from "../../support/grpc-client.ts";
import { leasesOf, microsOf, nowMicros, roundTrip, statusOf, untilStatus } from "../../support/look.ts";
import { startTestServer } from "../../support/server.ts";

const { renew } = AdmissionService.method;

const TTL = 500_000;
const KEEPALIVE = 400_000;
/** µs that a busy machine may be late. */
const LATENESS = 2_000_000;
/** Digits for `toBeCloseTo`: a wall time in µs is rounded down. */
const ROUNDING = -1;
const SERVER = `
liveness: { keepalive_time: 200ms, keepalive_timeout: 200ms }
limiters: [{ name: l, max_concurrent: 1, ttl: 500ms }]`;

function grantTime({ lease }: Granted): number {
  return microsOf(lease?.grantTime);
}

test("a killed holder's lease is orphaned, and free when its ttl has passed and not before", async () => {
  // Long enough to be seen by watchers, four times a second.
  await using server = await startTestServer("limiters: [{ name: l, max_concurrent: 1, ttl: 1s }]");
  const client = server.grpc();
  const holder = await startHolder(server.address, 1);
  const waiter = await queue(client, "l");
  const seen = untilStatus(client, "l", ({ orphanedLeases }) => orphanedLeases === 1n);
  const killed = nowMicros();
  holder.process.kill("SIGKILL");
  await seen;
  expect(waiter.kinds).not.toContain("granted");
  const waited = grantTime(await waiter.next("granted")) - killed;
  expect(waited).toBeGreaterThanOrEqual(2 * TTL);
  expect(waited).toBeLessThan(2 * TTL + LATENESS);
});

test("with a ttl of zero it is free at once", async () => {
  await using server = await startTestServer("limiters: [{ name: l, max_concurrent: 1, ttl: 0s }]");
  const client = server.grpc();
  const holder = await startHolder(server.address, 1);
  expect(await leasesOf(client, "l")).toMatchObject([{ ttl: { seconds: 0n, nanos: 0 }, state: LeaseState.ATTACHED }]);
  const watch = client.open(LimiterService.method.watchLimiters, { names: ["l"] });
  const waiter = await queue(client, "l");
  holder.process.kill("SIGKILL");
  await waiter.next("granted");
  await roundTrip(client);
  expect(await statusOf(client, "l")).toMatchObject({ permitsInUse: 1n, orphanedLeases: 0n });
  for (const { event } of watch.received) {
    if (event.case === "changed") expect(event.value.status?.orphanedLeases).toBe(0n);
  }
});

test("a holder whose process is frozen is found by the keepalive", async () => {
  await using server = await startTestServer(SERVER);
  const holder = await startHolder(server.address, 1);
  const waiter = await queue(server.grpc(), "l");
  const frozen = nowMicros();
  holder.process.kill("SIGSTOP");
  const waited = grantTime(await waiter.next("granted")) - frozen;
  expect(waited).toBeGreaterThanOrEqual(TTL);
  expect(waited).toBeLessThan(KEEPALIVE + TTL + LATENESS);
});

test.each(["gRPC", "Connect over HTTP/2"])("a peer that falls silent without a word is found too: %s", async (how) => {
  await using server = await startTestServer(SERVER);
  const proxy = await startTcpProxy(how === "gRPC" ? server.address : new URL(server.url).host);
  await using client =
    how === "gRPC"
      ? createGrpcClient(proxy.address)
      : createConnectClient(`http://${proxy.address}`, { protocol: "connect", httpVersion: "2" });
  await hold(client, "l");
  const waiter = await queue(server.grpc(), "l");
  const silent = nowMicros();
  proxy.silence();
  const waited = grantTime(await waiter.next("granted")) - silent;
  expect(waited).toBeGreaterThanOrEqual(TTL);
  expect(waited).toBeLessThan(KEEPALIVE + TTL + LATENESS);
});

test("a peer that answers pings keeps its lease, however long it says nothing else", async () => {
  await using server = await startTestServer(SERVER);
  const [client, other] = [server.grpc(), server.grpc()];
  const holder = await hold(client, "l");
  // Longer than keepalive and ttl together, by the server's own clock.
  const timer = await queue(other, { claims: [{ limiter: "l" }], maxWait: { seconds: 1n, nanos: 200e6 } });
  expect(await timer.ending).toMatchObject({ code: Code.DeadlineExceeded, reason: "WAIT_TIMEOUT" });
  expect(await statusOf(other, "l")).toMatchObject({ permitsInUse: 1n, orphanedLeases: 0n });
  await giveBack(client, holder);
});

test("over HTTP/1.1, which cannot be probed, a holder lives by Renew", async () => {
  await using server = await startTestServer(SERVER);
  const client = server.connect({ protocol: "connect", httpVersion: "1.1" });
  const holder = await hold(client, "l");
  const first = microsOf(holder.granted.lease?.expireTime);
  expect(first - grantTime(holder.granted)).toBeCloseTo(TTL, ROUNDING);
  const { results } = await client.call(renew, { leases: [holder] });
  const [renewed] = results;
  if (renewed?.result.case !== "renewed") throw new Error("it was not renewed");
  const second = microsOf(renewed.result.value.expireTime);
  expect(second).toBeGreaterThan(first);

  const next = await held(await queue(client, "l"));
  expect(grantTime(next.granted)).toBeGreaterThanOrEqual(second);
  expect(await holder.ending).toMatchObject({ code: Code.Aborted, reason: "LEASE_EXPIRED" });
});

test("over HTTP/1.1 a cancel cannot be distinguished from a loss, so the ttl runs", async () => {
  await using server = await startTestServer(SERVER);
  const client = server.connect({ protocol: "connect", httpVersion: "1.1" });
  const holder = await hold(client, "l");
  await client.call(renew, { leases: [holder] });
  const waiter = await queue(server.grpc(), "l");
  const cancelled = nowMicros();
  holder.cancel();
  expect(grantTime(await waiter.next("granted")) - cancelled).toBeGreaterThanOrEqual(TTL);
});

test.each([
  ["gRPC", undefined],
  ["Connect", { protocol: "connect", httpVersion: "2" }],
  ["gRPC-Web", { protocol: "grpc-web", httpVersion: "2" }],
  ["gRPC on the web port", { protocol: "grpc", httpVersion: "2" }],
] as const)("a cancel over a connection that lives frees at once: %s", async (_name, options) => {
  await using server = await startTestServer("limiters: [{ name: l, max_concurrent: 1, ttl: 60s }]");
  const client = options === undefined ? server.grpc() : server.connect(options);
  const holder = await hold(client, "l");
  const waiter = await queue(client, "l");
  holder.cancel();
  await waiter.next("granted");
  const { results } = await client.call(renew, { leases: [holder] });
  expect(results).toMatchObject([{ result: { case: "ended", value: LeaseEnd.CANCELLED } }]);
});

test("behind proxies that reset the streams of the dead, a cancel is not trusted, and Release is", async () => {
  await using server = await startTestServer(
    "limiters: [{ name: l, max_concurrent: 1, ttl: 500ms, trust_cancel: false }]",
  );
  const client = server.grpc();
  const holder = await hold(client, "l");
  const waiters = [await queue(client, "l"), await queue(client, "l")];
  const cancelled = nowMicros();
  holder.cancel();
  const next = await held(waiters[0] as (typeof waiters)[number]);
  expect(grantTime(next.granted) - cancelled).toBeGreaterThanOrEqual(TTL);
  await giveBack(client, next);
  await roundTrip(client);
  expect(waiters[1]?.kinds).toContain("granted");
});
