/** Callers that do not hear the answer, and ask again under the same request id: one lease an id, however often. */

import { expect, test } from "vitest";
import { AdmissionService } from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { LimiterService } from "../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import type { ContractClient } from "../support/contract-client.ts";
import { createGrpcClient } from "../support/grpc-client.ts";
import { startRestartingServer } from "../support/restarting-server.ts";
import { type Caller, startCaller } from "./support/asking-again.ts";
import { openRecord } from "./support/record.ts";
import { inTier } from "./support/tier.ts";

const record = openRecord("lost-answers");
const CASES = [
  { name: "calls", carrier: "streams", workers: 0, ids: inTier({ C: 10_000, N: 100_000 }) },
  { name: "sessions", carrier: "sessions", workers: 0, ids: inTier({ C: 5_000, N: 100_000 }) },
  { name: "calls, with workers", carrier: "streams", workers: 2, ids: inTier({ C: 4_000, N: 50_000 }) },
  { name: "sessions, with workers", carrier: "sessions", workers: 2, ids: inTier({ C: 4_000, N: 50_000 }) },
] as const;
const CALLERS = 50;
/** Of the answers, how many are not heard. */
const LOST = 0.2;

function limiter(permits: number): string {
  return `limiters: [{ name: db, max_concurrent: ${permits}, ttl: 300s, max_ttl: 300s }]\n`;
}

interface Found {
  readonly leaseIds: Set<string>;
  lost: number;
}

/** Asks until it hears an answer; whether it does is decided after the server has had the request. */
async function ask(caller: Caller, found: Found, requestId: string): Promise<void> {
  for (;;) {
    const leaseId = await caller.tryAcquire("db", requestId);
    if (leaseId !== undefined && Math.random() >= LOST) {
      found.leaseIds.add(leaseId);
      return;
    }
    found.lost += 1;
  }
}

async function permitsInUse(client: ContractClient): Promise<number> {
  const { limiter: db } = await client.call(LimiterService.method.getLimiter, { name: "db" });
  return Number(db?.status?.permitsInUse);
}

test.each(CASES)(
  "$name: $ids requests, a fifth of the answers lost, and the server killed among them: one lease an id",
  {
    timeout: 300_000,
    retry: 0,
  },
  async ({ name, carrier, workers, ids }) => {
    await using server = await startRestartingServer(`workers: ${workers}\n${limiter(ids)}`);
    const found: Found = { leaseIds: new Set(), lost: 0 };
    let next = 0;
    const callers = Array.from({ length: CALLERS }, async () => {
      await using caller = startCaller(carrier, server.address);
      for (let id = next++; id < ids; id = next++) await ask(caller, found, `request-${String(id).padStart(12, "0")}`);
    });
    const over = Promise.all(callers);
    for (let kill = 1; kill <= 3; kill += 1) {
      while (next < (ids * kill) / 4) await Promise.race([over, new Promise(setImmediate)]);
      await server.crash();
      await server.start();
    }
    await over;

    await using client = createGrpcClient(server.address);
    const leases = await permitsInUse(client);
    record({ figure: `${name}: ids`, value: ids, unit: "ids" });
    record({ figure: `${name}: leases`, value: leases, unit: "leases" });
    record({ figure: `${name}: answers lost`, value: found.lost, unit: "answers" });
    expect(found.leaseIds.size).toBe(ids);
    expect(leases).toBe(ids);
    expect(found.lost).toBeGreaterThan(ids * LOST * 0.8);
  },
);

test.each([
  { name: "calls", carrier: "streams", workers: 0 },
  { name: "sessions, with workers", carrier: "sessions", workers: 2 },
] as const)(
  "control: $name: without a request id as many leases are left as there were answers",
  async ({ carrier, workers }) => {
    await using server = await startRestartingServer(`workers: ${workers}\n${limiter(10_000)}`);
    await using caller = startCaller(carrier, server.address);
    await using client = createGrpcClient(server.address);
    const found: Found = { leaseIds: new Set(), lost: 0 };
    for (let id = 0; id < 200; id += 1) await ask(caller, found, "");
    expect(await permitsInUse(client)).toBe(200 + found.lost);
    expect(found.lost).toBeGreaterThan(0);
  },
);

test("10,000 leases: a server that is killed grants again within seconds, and knows them all", {
  timeout: 120_000,
}, async () => {
  const recordTime = openRecord("restart-time");
  await using server = await startRestartingServer(limiter(10_001));
  await using client = createGrpcClient(server.address);
  const take = () => client.call(AdmissionService.method.tryAcquire, { claims: [{ limiter: "db" }] });
  for (let i = 0; i < 100; i += 1) await Promise.all(Array.from({ length: 100 }, take));
  await server.crash();
  const begun = performance.now();
  await server.start();
  await using after = createGrpcClient(server.address);
  const { result } = await after.call(AdmissionService.method.tryAcquire, { claims: [{ limiter: "db" }] });
  recordTime({
    figure: "from the start of the process to the first grant, 10,000 leases",
    value: performance.now() - begun,
    unit: "ms",
  });
  expect(result.case).toBe("granted");
  expect(await permitsInUse(after)).toBe(10_001);
});
