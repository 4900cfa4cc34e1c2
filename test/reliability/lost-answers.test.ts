/** Callers that do not hear the answer, and ask again under the same request id: one lease an id, however often. */

import { expect, test } from "vitest";
import {
  AdmissionService,
  type TryAcquireResponse,
} from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { LimiterService } from "../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { CallFailure } from "../support/call-failure.ts";
import type { ContractClient } from "../support/contract-client.ts";
import { createGrpcClient } from "../support/grpc-client.ts";
import { startRestartingServer } from "../support/restarting-server.ts";
import { openRecord } from "./support/record.ts";
import { inTier } from "./support/tier.ts";

const CALLS = inTier({ C: 10_000, N: 100_000 });
const CALLERS = 50;
/** Of the answers, how many are not heard. */
const LOST = 0.2;
const LIMITER = `limiters: [{ name: db, max_concurrent: ${CALLS}, ttl: 300s, max_ttl: 300s }]\n`;

interface Caller {
  readonly leaseIds: Set<string>;
  lost: number;
}

/** Asks until it hears an answer; whether it does is decided after the server has had the request. */
async function ask(client: ContractClient, caller: Caller, requestId: string): Promise<void> {
  for (;;) {
    const answer = await client
      .call(AdmissionService.method.tryAcquire, { claims: [{ limiter: "db" }], requestId })
      .catch((error: unknown) => {
        if (error instanceof CallFailure) return undefined;
        throw error;
      });
    if (answer === undefined || Math.random() < LOST) {
      caller.lost += 1;
      continue;
    }
    caller.leaseIds.add(leaseIdOf(answer));
    return;
  }
}

function leaseIdOf({ result }: TryAcquireResponse): string {
  if (result.case !== "granted") throw new Error(`refused: ${result.value?.message}`);
  return result.value.lease?.id ?? "";
}

test(`${CALLS} calls, a fifth of the answers lost, and the server killed among them: one lease an id`, {
  timeout: 300_000,
  retry: 0,
}, async () => {
  const record = openRecord("lost-answers");
  await using server = await startRestartingServer(LIMITER);
  const caller: Caller = { leaseIds: new Set(), lost: 0 };
  let next = 0;
  const callers = Array.from({ length: CALLERS }, async () => {
    await using client = createGrpcClient(server.address);
    for (let id = next++; id < CALLS; id = next++) await ask(client, caller, `request-${String(id).padStart(12, "0")}`);
  });
  const over = Promise.all(callers);
  for (let kill = 1; kill <= 3; kill += 1) {
    while (next < (CALLS * kill) / 4) await new Promise(setImmediate);
    await server.crash();
    await server.start();
  }
  await over;

  await using client = createGrpcClient(server.address);
  const { limiter } = await client.call(LimiterService.method.getLimiter, { name: "db" });
  record({ figure: "ids", value: CALLS, unit: "ids" });
  record({ figure: "leases", value: Number(limiter?.status?.permitsInUse), unit: "leases" });
  record({ figure: "answers lost", value: caller.lost, unit: "answers" });
  expect(caller.leaseIds.size).toBe(CALLS);
  expect(Number(limiter?.status?.permitsInUse)).toBe(CALLS);
  expect(caller.lost).toBeGreaterThan(CALLS * LOST * 0.8);
});

test("control: without a request id as many leases are left as there were calls", async () => {
  await using server = await startRestartingServer(LIMITER);
  await using client = createGrpcClient(server.address);
  const caller: Caller = { leaseIds: new Set(), lost: 0 };
  for (let id = 0; id < 200; id += 1) await ask(client, caller, "");
  const { limiter } = await client.call(LimiterService.method.getLimiter, { name: "db" });
  expect(Number(limiter?.status?.permitsInUse)).toBe(200 + caller.lost);
  expect(caller.lost).toBeGreaterThan(0);
});

test("10,000 leases: a server that is killed grants again within seconds, and knows them all", {
  timeout: 120_000,
}, async () => {
  const record = openRecord("restart-time");
  await using server = await startRestartingServer(LIMITER.replace(String(CALLS), "10001"));
  await using client = createGrpcClient(server.address);
  const take = () => client.call(AdmissionService.method.tryAcquire, { claims: [{ limiter: "db" }] });
  for (let i = 0; i < 100; i += 1) await Promise.all(Array.from({ length: 100 }, take));
  await server.crash();
  const begun = performance.now();
  await server.start();
  await using after = createGrpcClient(server.address);
  const { result } = await after.call(AdmissionService.method.tryAcquire, { claims: [{ limiter: "db" }] });
  record({
    figure: "from the start of the process to the first grant, 10,000 leases",
    value: performance.now() - begun,
    unit: "ms",
  });
  expect(result.case).toBe("granted");
  const { limiter } = await after.call(LimiterService.method.getLimiter, { name: "db" });
  expect(Number(limiter?.status?.permitsInUse)).toBe(10_001);
});
