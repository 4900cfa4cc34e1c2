/** A limiter whose token takes longer than any run of the server: what came in while the server ran is there. */

import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { AdmissionService } from "../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { LimiterService } from "../../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { createGrpcClient } from "../../support/grpc-client.ts";
import { startRestartingServer } from "../../support/restarting-server.ts";

/** s. */
const TOKEN = 2;
const RUN = 1.2;
const RUNS = 6;

const elapsed = (since: number) => (performance.now() - since) / 1_000;

test.each([
  // What came in since the last mark is lost with a kill: a quarter of a second, and what a busy machine adds.
  { end: "kill -9", lostAtMost: 0.6 },
  { end: "SIGTERM", lostAtMost: 0.1 },
] as const)(
  "2 s a token, ended by $end every 1.2 s: tokens come in while it runs, and only then",
  async ({ end, lostAtMost }) => {
    await using server = await startRestartingServer("limiters: [{ name: slow, rate: 1/2s }]\n");
    const begun = performance.now();
    let grants = 0;
    let ran = 0;
    for (let run = 0; run < RUNS; run += 1) {
      if (run > 0) await server.start();
      const startedAt = performance.now();
      await using client = createGrpcClient(server.address);
      while (elapsed(startedAt) < RUN) {
        const { result } = await client.call(AdmissionService.method.tryAcquire, { claims: [{ limiter: "slow" }] });
        if (result.case === "granted") grants += 1;
        await sleep(20);
      }
      ran += elapsed(startedAt);
      if (end === "SIGTERM") await server.stop();
      else await server.crash();
    }
    expect(grants).toBeGreaterThanOrEqual(1 + Math.floor((ran - RUNS * lostAtMost) / TOKEN));
    expect(grants).toBeGreaterThanOrEqual(2);
    expect(grants).toBeLessThanOrEqual(1 + Math.floor(elapsed(begun) / TOKEN));
  },
);

test("a key of a keyed limiter keeps what came in, through several kills in a row, and downtime brings nothing", async () => {
  await using server = await startRestartingServer(
    "limiters: [{ name: slow, keyed: true, rate: 1/10m, burst_size: 3 }]\n",
  );
  await using before = createGrpcClient(server.address);
  const claims = [{ limiter: "slow", key: "a", tokens: 2 }];
  expect((await before.call(AdmissionService.method.tryAcquire, { claims })).result.case).toBe("granted");
  for (let kill = 0; kill < 2; kill += 1) {
    await server.crash();
    await server.start();
  }
  await using after = createGrpcClient(server.address);
  const { limiter } = await after.call(LimiterService.method.getLimiter, { name: "slow", key: "a" });
  const tokens = limiter?.status?.tokensAvailable ?? 0;
  expect(tokens).toBeGreaterThanOrEqual(1);
  expect(tokens).toBeLessThan(1.2);
});
