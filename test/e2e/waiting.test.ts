/** How long one waits, and what a "not now" says. */

import { expect, test } from "vitest";
import { AdmissionService } from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { LimiterService } from "../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { acquire, giveBack, hold, queue } from "../support/acquire.ts";
import { Code, failureOf } from "../support/call-failure.ts";
import { microsOf, nowMicros, statusOf, waitersOf } from "../support/look.ts";
import { startTestServer } from "../support/server.ts";

const { tryAcquire } = AdmissionService.method;
const { cancelWaiter, updateLimiter } = LimiterService.method;

const SERVER = "limiters: [{ name: db, max_concurrent: 1 }]";
const CLAIMS = [{ limiter: "db" }];
/** Digits for `toBeCloseTo`: a wall time in µs is rounded down. */
const ROUNDING = -1;

test("a waiter waits no longer than its max_wait", async () => {
  await using server = await startTestServer(SERVER);
  const client = server.grpc();
  await hold(client, "db");
  const asked = nowMicros();
  const waiter = await queue(client, { claims: CLAIMS, maxWait: { nanos: 400e6 } });
  const [listed] = await waitersOf(client, "db");
  expect(microsOf(listed?.deadline) - microsOf(listed?.arriveTime)).toBeCloseTo(400_000, ROUNDING);
  expect(await waiter.ending).toMatchObject({
    code: Code.DeadlineExceeded,
    reason: "WAIT_TIMEOUT",
    metadata: { limiter: "db" },
  });
  expect(nowMicros() - asked).toBeGreaterThanOrEqual(400_000);
  expect(await statusOf(client, "db")).toMatchObject({ waiters: 0n });
});

test("nor than the limiter's max_wait", async () => {
  await using server = await startTestServer("limiters: [{ name: db, max_concurrent: 1, max_wait: 100ms }]");
  const client = server.grpc();
  await hold(client, "db");
  const waiters = [await queue(client, "db"), await queue(client, { claims: CLAIMS, maxWait: { seconds: 60n } })];
  for (const { ending } of waiters) expect(await ending).toMatchObject({ reason: "WAIT_TIMEOUT" });
});

test.each(["gRPC", "Connect"])("nor than the call's own deadline, which charges nothing: %s", async (how) => {
  await using server = await startTestServer(SERVER);
  const client = how === "gRPC" ? server.grpc() : server.connect({ protocol: "connect", httpVersion: "2" });
  const holder = await hold(client, "db");
  const waiter = await queue(client, "db", { timeout: 1_000 });
  expect(await waiter.ending).toMatchObject({ code: Code.DeadlineExceeded });
  await giveBack(client, holder);
  expect(await statusOf(client, "db")).toMatchObject({ waiters: 0n, permitsInUse: 0n, grantedCount: 1n });
});

test("with max_wait zero one is answered at once: granted, or refused as TryAcquire would be", async () => {
  await using server = await startTestServer(`limiters:
    - { name: db, max_concurrent: 1 }
    - { name: api, max_rps: 0.1, burst_size: 1 }`);
  const client = server.grpc();
  const now = (limiter: string) => acquire(client, { claims: [{ limiter }], maxWait: {} });
  await now("db").next("granted");
  expect(await now("db").ending).toMatchObject({
    code: Code.ResourceExhausted,
    reason: "CONCURRENCY_EXHAUSTED",
    retryDelay: 1000,
  });
  await queue(client, "db");
  expect(await now("db").ending).toMatchObject({ reason: "WAITERS_AHEAD", retryDelay: 1000 });

  await now("api").next("granted");
  const refused = await now("api").ending;
  expect(refused).toMatchObject({ code: Code.ResourceExhausted, reason: "RATE_EXHAUSTED" });
  expect(refused?.retryDelay).toBeGreaterThan(9_000);
  expect(refused?.retryDelay).toBeLessThanOrEqual(10_000);
  await client.call(updateLimiter, { limiter: { name: "db", paused: true } });
  expect(await now("db").ending).toMatchObject({ reason: "PAUSED", retryDelay: 1000 });
});

test("a limiter may refuse at once a claim that would wait for too long", async () => {
  await using server = await startTestServer(
    "limiters: [{ name: api, max_rps: 1, burst_size: 1, refuse_long_waits: true }]",
  );
  const client = server.grpc();
  await hold(client, "api");
  const waiter = acquire(client, { claims: [{ limiter: "api" }], maxWait: { seconds: 5n } });
  const { estimatedWait } = await waiter.next("waiting");
  expect(estimatedWait).toMatchObject({ seconds: 0n });
  const refused = await acquire(client, { claims: [{ limiter: "api", tokens: 1 }], maxWait: { nanos: 500e6 } }).ending;
  expect(refused).toMatchObject({ code: Code.ResourceExhausted, reason: "WAIT_TOO_LONG" });
  // As long as the wait that was foreseen, two seconds at most, exceeds what the caller would wait.
  expect(refused?.retryDelay).toBeGreaterThan(1_000);
  expect(refused?.retryDelay).toBeLessThanOrEqual(1_500);
});

test("an operator takes a waiter out of the queue, and those behind it move up", async () => {
  await using server = await startTestServer(SERVER);
  const client = server.grpc();
  const holder = await hold(client, "db");
  const first = await queue(client, { claims: CLAIMS, holder: "first" });
  const second = await queue(client, { claims: CLAIMS, holder: "second" });
  const [listed] = await waitersOf(client, "db");
  expect(listed).toMatchObject({ holder: "first", waitersAhead: 0 });
  await client.call(cancelWaiter, { waiterId: listed?.id ?? "" });
  expect(await first.ending).toMatchObject({ code: Code.Aborted, reason: "WAITER_CANCELLED" });
  expect(await failureOf(client.call(cancelWaiter, { waiterId: listed?.id ?? "" }))).toMatchObject({
    code: Code.NotFound,
    reason: "WAITER_NOT_FOUND",
  });
  await giveBack(client, holder);
  await second.next("granted");
});

test("each key of a keyed limiter has a bucket, permits and a queue of its own", async () => {
  await using server = await startTestServer(
    "limiters: [{ name: tenants, keyed: true, max_concurrent: 1, max_keys: 2 }]",
  );
  const client = server.grpc();
  const claim = (key: string) => ({ claims: [{ limiter: "tenants", key }] });
  const ada = await hold(client, claim("ada"));
  await hold(client, claim("bob"));
  const waiter = await queue(client, claim("ada"));
  expect(await acquire(client, claim("eve")).ending).toMatchObject({
    code: Code.ResourceExhausted,
    reason: "KEYS_EXHAUSTED",
    metadata: { limiter: "tenants", key: "eve" },
    retryDelay: 1000,
  });
  const refused = await client.call(tryAcquire, claim("ada"));
  expect(refused).toMatchObject({ result: { case: "refused", value: { limiter: "tenants", key: "ada" } } });
  await giveBack(client, ada);
  await waiter.next("granted");
});
