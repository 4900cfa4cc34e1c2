/** What the server says of itself: its version, its clock, and how it stands. */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { durationMs, type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { expect, onTestFinished, test } from "vitest";
import { LimiterService } from "../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { ConfigService } from "../../src/server/gen/ggen/backpressure/config/v1/config_service_pb.ts";
import { hold } from "../support/acquire.ts";
import { startTestServer } from "../support/server.ts";
import { WORKERS } from "../support/workers.ts";

const { getConfig } = ConfigService.method;
const { listLeases, listWaiters } = LimiterService.method;

function expectNow(time: Timestamp | undefined): void {
  expect(time).toBeDefined();
  expect(Math.abs(Date.now() - (time ? timestampDate(time).getTime() : 0))).toBeLessThan(5_000);
}

test("the server says its version and its time, and that nothing is wrong", async () => {
  await using server = await startTestServer("limiters: []");
  const { serverVersion, readTime, status } = await server.grpc().call(getConfig, {});
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  expect(serverVersion).toBe(version);
  expectNow(readTime);
  expect(status).toMatchObject({ draining: false, storeProblem: "" });
  expect(status?.learningEndTime).toBeUndefined();
});

test("a server that drains says so", async () => {
  await using server = await startTestServer("limiters: [{ name: db, max_concurrent: 1 }]\ndrain: { timeout: 60s }");
  const client = server.grpc();
  const held = await hold(client, "db");
  const stopped = server.stop();
  expect((await client.call(getConfig, {})).status).toMatchObject({ draining: true });
  held.cancel();
  await stopped;
});

test("the server says what it carries now, and what its data folder takes", async () => {
  const folder = mkdtempSync(join(tmpdir(), "backpressure-load-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  await using server = await startTestServer(
    `store: { folder: ${folder} }\nlimiters: [{ name: db, max_concurrent: 8 }]`,
  );
  const load = async () => (await client.call(getConfig, {})).status?.load;
  const client = server.grpc();
  expect(await load()).toMatchObject({ streams: [], grpcConnections: 1, webConnections: 0 });
  // On connections of their own, so that with transport workers each may carry some.
  const holders = await Promise.all(Array.from({ length: 6 }, () => hold(server.grpc(), "db")));
  const loaded = await load();
  expect(loaded).toMatchObject({
    streams: [{ method: "ggen.backpressure.v1.AdmissionService/Acquire", open: 6 }],
    grpcConnections: 7,
  });
  expect(Number(loaded?.heapUsedBytes)).toBeGreaterThan(1e7 * (1 + WORKERS));
  expect(Number(loaded?.heapTotalBytes)).toBeGreaterThan(Number(loaded?.heapUsedBytes));
  expect(Number(loaded?.storeBytes)).toBeGreaterThan(4_096);
  const threads = ["main", ...Array.from({ length: WORKERS }, (_, index) => `transport ${index + 1}`)];
  expect(threads).toContain(loaded?.eventLoopDelay?.thread);
  const [first] = holders;
  first?.cancel();
  await expect.poll(async () => (await load())?.streams[0]?.open).toBe(5);
});

test("a loop that was blocked is told for a minute: half of its timers were in time, and one was late", async () => {
  await using server = await startTestServer("limiters: []");
  const client = server.grpc();
  const delay = async () => (await client.call(getConfig, {})).status?.load?.eventLoopDelay;
  // This process is the server's main thread.
  const until = performance.now() + 300;
  while (performance.now() < until);
  const ms = async () =>
    durationMs((await delay())?.longest ?? { $typeName: "google.protobuf.Duration", seconds: 0n, nanos: 0 });
  await expect.poll(ms).toBeGreaterThan(250);
});

test("lists of leases and waiters say when they were read", async () => {
  await using server = await startTestServer("limiters: [{ name: db, max_concurrent: 1 }]");
  const client = server.grpc();
  expectNow((await client.call(listLeases, {})).readTime);
  expectNow((await client.call(listWaiters, { limiter: "db" })).readTime);
});
