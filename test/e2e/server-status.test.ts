/** What the server says of itself: its version, its clock, and how it stands. */

import { readFileSync } from "node:fs";
import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { LimiterService } from "../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { ConfigService } from "../../src/server/gen/ggen/backpressure/config/v1/config_service_pb.ts";
import { hold } from "../support/acquire.ts";
import { startTestServer } from "../support/server.ts";

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

test("lists of leases and waiters say when they were read", async () => {
  await using server = await startTestServer("limiters: [{ name: db, max_concurrent: 1 }]");
  const client = server.grpc();
  expectNow((await client.call(listLeases, {})).readTime);
  expectNow((await client.call(listWaiters, { limiter: "db" })).readTime);
});
