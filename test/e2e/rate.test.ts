import { expect, test } from "vitest";
import { AdmissionService, type Granted } from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { LimiterService } from "../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { Reason } from "../../src/client/gen/ggen/backpressure/v1/reason_pb.ts";
import { acquire, giveBack, hold, queue } from "../support/acquire.ts";
import { Code } from "../support/call-failure.ts";
import { microsOf, statusOf } from "../support/look.ts";
import { startTestServer } from "../support/server.ts";

const { tryAcquire } = AdmissionService.method;
const { updateLimiter } = LimiterService.method;

const MICROS = 1e6;
/** µs by which two wall times of one clock may be off against each other. */
const ROUNDING = 2;

function grantTime({ lease }: Granted): number {
  return microsOf(lease?.grantTime);
}

test("in every window of t seconds at most burst_size + max_rps · t tokens are granted, and about as many are", async () => {
  // The bucket takes a second to fill: a process that stands still for less loses nothing of the rate.
  const rps = 400;
  const burst = 400;
  await using server = await startTestServer(
    `limiters: [{ name: api, max_rps: ${rps}, burst_size: ${burst}, paused: true }]`,
  );
  const clients = [server.grpc(), server.grpc(), server.connect({ protocol: "connect", httpVersion: "2" })];
  const calls = Array.from({ length: 450 }, (_, i) => {
    const tokens = 1 + (i % 3);
    const client = clients[i % clients.length] as (typeof clients)[number];
    return { tokens, call: acquire(client, { claims: [{ limiter: "api", tokens }] }) };
  });
  await Promise.all(calls.map(({ call }) => call.next("waiting")));
  await (clients[0] as (typeof clients)[number]).call(updateLimiter, {
    limiter: { name: "api" },
    updateMask: { paths: ["paused"] },
  });
  const granted = calls.map(async ({ tokens, call }) => ({ at: grantTime(await call.next("granted")), tokens }));
  const grants = (await Promise.all(granted)).sort((a, b) => a.at - b.at);

  let worst = Number.NEGATIVE_INFINITY;
  for (const [first, { at }] of grants.entries()) {
    let tokens = 0;
    for (const later of grants.slice(first)) {
      tokens += later.tokens;
      worst = Math.max(worst, tokens - burst - (rps * (later.at - at + ROUNDING)) / MICROS);
    }
  }
  expect(worst).toBeLessThanOrEqual(0);

  // A fixed sleep between two looks delivers half of that or less. What comes in before the first must wait is the burst.
  const spent = grants.reduce((sum, { tokens }) => sum + tokens, 0);
  const took = ((grants.at(-1)?.at ?? 0) - (grants[0]?.at ?? 0)) / MICROS;
  expect((spent - burst) / took).toBeGreaterThan(0.6 * rps);
});

test("the rate limit and the concurrency limit are decided together, at one instant", async () => {
  const rps = 100;
  await using server = await startTestServer(
    `limiters: [{ name: api, max_rps: ${rps}, burst_size: 1, max_concurrent: 2 }]`,
  );
  const client = server.grpc();
  const jam = [await hold(client, "api"), await hold(client, "api")];
  const waiters = await Promise.all(Array.from({ length: 8 }, () => queue(client, "api")));
  // The jam is long enough for tokens to pile up, and none may: after it the starts come at the rate.
  while ((await statusOf(client, "api")).tokensAvailable < 1);
  for (const { cancel } of jam) cancel();
  const times: number[] = [];
  for (const waiter of waiters) {
    times.push(grantTime(await waiter.next("granted")));
    waiter.cancel();
  }
  for (const [index, time] of times.slice(1).entries()) {
    expect(time - (times[index] as number)).toBeGreaterThanOrEqual(MICROS / rps - ROUNDING);
  }
});

test("a refusal, a cancel and a timeout charge nothing", async () => {
  await using server = await startTestServer(
    "limiters: [{ name: api, max_rps: 0.001, burst_size: 3, max_concurrent: 1 }]",
  );
  const client = server.grpc();
  const attempt = () => client.call(tryAcquire, { claims: [{ limiter: "api" }] });
  const holder = await hold(client, "api");
  for (let i = 0; i < 20; i += 1) {
    expect(await attempt()).toMatchObject({ result: { value: { reason: Reason.CONCURRENCY_EXHAUSTED } } });
  }
  const cancelled = await queue(client, "api");
  cancelled.cancel();
  await cancelled.ending;
  const timedOut = acquire(client, { claims: [{ limiter: "api" }], maxWait: { nanos: 20e6 } });
  expect(await timedOut.ending).toMatchObject({ code: Code.DeadlineExceeded, reason: "WAIT_TIMEOUT" });
  expect((await statusOf(client, "api")).tokensAvailable).toBeCloseTo(2, 2);

  await giveBack(client, holder);
  for (let i = 0; i < 2; i += 1) await giveBack(client, await hold(client, "api"));
  const { result } = await attempt();
  expect(result).toMatchObject({ case: "refused", value: { reason: Reason.RATE_EXHAUSTED } });
  const wait = result.case === "refused" ? Number(result.value.retryAfter?.seconds) : 0;
  expect(wait).toBeGreaterThan(990);
  expect(wait).toBeLessThanOrEqual(1000);
});

test("a waiter for tokens is not overtaken, and each is granted when its own are there", async () => {
  await using server = await startTestServer(`limiters:
  - { name: slow, rate: 1/d, burst_size: 10 }
  - { name: api, max_rps: 50, burst_size: 10 }
`);
  const client = server.grpc();
  await acquire(client, { claims: [{ limiter: "slow", tokens: 10 }] }).next("granted");
  await queue(client, { claims: [{ limiter: "slow", tokens: 5 }] });
  await queue(client, "slow");
  expect(await client.call(tryAcquire, { claims: [{ limiter: "slow" }] })).toMatchObject({
    result: { case: "refused", value: { reason: Reason.WAITERS_AHEAD, waitersAhead: 2 } },
  });
  // Whether these have to wait depends on the machine; when they are granted at the earliest does not.
  const burst = await acquire(client, { claims: [{ limiter: "api", tokens: 10 }] }).next("granted");
  const large = acquire(client, { claims: [{ limiter: "api", tokens: 5 }] });
  const small = acquire(client, "api");
  const since = (granted: Granted) => grantTime(granted) - grantTime(burst);
  expect(since(await large.next("granted"))).toBeGreaterThanOrEqual(100_000 - ROUNDING);
  expect(since(await small.next("granted"))).toBeGreaterThanOrEqual(120_000 - ROUNDING);
  // A grant of rate alone holds nothing: the stream is over.
  expect(await small.ending).toBeUndefined();
});
