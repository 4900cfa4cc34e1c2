import { expect, test } from "vitest";
import type { Granted } from "../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { LimiterService } from "../../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { acquire, giveBack, type Hold, hold } from "../../support/acquire.ts";
import { createGrpcClient } from "../../support/grpc-client.ts";
import { startTestServer } from "../../support/server.ts";
import { startServerProcess } from "../../support/server-process.ts";

const { createLimiter, deleteLimiter } = LimiterService.method;

function tokenOf({ lease }: Granted, claim = 0): bigint {
  return lease?.claims[claim]?.fencingToken ?? 0n;
}

function slotsOf({ granted }: Hold): readonly number[] {
  return granted.lease?.claims[0]?.slots ?? [];
}

test("fencing tokens rise with each grant of a limiter, whatever the others do", async () => {
  await using server = await startTestServer("limiters: [{ name: a, max_rps: 1000 }, { name: b, max_rps: 1000 }]");
  const client = server.grpc();
  const tokens: { readonly a: bigint[]; readonly b: bigint[] } = { a: [], b: [] };
  for (let i = 0; i < 20; i += 1) {
    const claims = i % 3 === 0 ? [{ limiter: "b" }, { limiter: "a" }] : [{ limiter: "a" }];
    const granted = await acquire(client, { claims }).next("granted");
    for (const claim of granted.lease?.claims ?? []) tokens[claim.limiter as "a" | "b"].push(claim.fencingToken);
  }
  for (const series of [tokens.a, tokens.b]) {
    for (const [index, token] of series.slice(1).entries()) expect(token).toBeGreaterThan(series[index] as bigint);
  }
  expect([tokens.a.length, tokens.b.length]).toEqual([20, 7]);
});

test("they go on rising when a limiter is made anew under its old name", async () => {
  await using server = await startTestServer("limiters: []");
  const client = server.grpc();
  let highest = 0n;
  for (let i = 0; i < 3; i += 1) {
    await client.call(createLimiter, { limiter: { name: "db", maxConcurrent: 1 } });
    for (let grant = 0; grant < 3; grant += 1) {
      const holder = await hold(client, "db");
      expect(tokenOf(holder.granted)).toBeGreaterThan(highest);
      highest = tokenOf(holder.granted);
      await giveBack(client, holder);
    }
    await client.call(deleteLimiter, { name: "db" });
  }
});

test("they go on rising across a restart, even after a kill", async () => {
  let highest = 0n;
  for (let start = 0; start < 2; start += 1) {
    await using server = await startServerProcess("limiters: [{ name: db, max_concurrent: 5 }]");
    await using client = createGrpcClient(server.address);
    for (let grant = 0; grant < 3; grant += 1) {
      const { granted } = await hold(client, "db");
      expect(tokenOf(granted)).toBeGreaterThan(highest);
      highest = tokenOf(granted);
    }
    server.signal("SIGKILL");
  }
});

test("slots are unique among live leases and below the limit, and come back with their lease", async () => {
  await using server = await startTestServer("limiters: [{ name: gpu, max_concurrent: 6 }]");
  const client = server.grpc();
  const take = (permits: number) => hold(client, { claims: [{ limiter: "gpu", permits, slots: true }] });
  const [first, second, third] = [await take(1), await take(2), await take(3)];
  expect([...slotsOf(first), ...slotsOf(second), ...slotsOf(third)].sort()).toEqual([0, 1, 2, 3, 4, 5]);
  const freed = slotsOf(second);
  await giveBack(client, second);
  const [fourth, fifth] = [await take(1), await take(1)];
  expect([...slotsOf(fourth), ...slotsOf(fifth)].sort()).toEqual([...freed].sort());
});

test("a client that asks for no slots gets none, and takes none from those that do", async () => {
  await using server = await startTestServer("limiters: [{ name: gpu, max_concurrent: 3 }]");
  const client = server.grpc();
  const plain = await hold(client, { claims: [{ limiter: "gpu", permits: 2 }] });
  expect(slotsOf(plain)).toEqual([]);
  expect(slotsOf(await hold(client, { claims: [{ limiter: "gpu", slots: true }] }))).toEqual([0]);
});
