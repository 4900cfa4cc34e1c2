/** What a scrape says is what the calls themselves say. */

import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect as connectTo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { AdmissionService } from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { WorkOutcome } from "../../src/client/gen/ggen/backpressure/v1/lease_pb.ts";
import { LimiterService } from "../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { Reason } from "../../src/client/gen/ggen/backpressure/v1/reason_pb.ts";
import { acquire, hold } from "../support/acquire.ts";
import { add, BOARD, work } from "../support/board.ts";
import { AUDIENCE, createSigningKey, ISSUER } from "../support/identity-provider.ts";
import { type Scrape, scrape } from "../support/scrape.ts";
import { startTestServer } from "../support/server.ts";
import { createTlsFolder } from "../support/tls-folder.ts";
import { WORKERS } from "../support/workers.ts";

const { tryAcquire, release } = AdmissionService.method;
const { getLimiter, updateLimiter } = LimiterService.method;

const DB = "limiters: [{ name: db, max_concurrent: 2, max_rps: 1000 }]\n";

const nameOf = (reason: Reason) => Object.entries(Reason).find(([, number]) => number === reason)?.[0] ?? "";

/** The values of a family by the value of their one label, or of the label that is named. */
function by(read: Scrape, name: string, label: string): Record<string, number> {
  const pattern = new RegExp(`\\b${label}="([^"]*)"`);
  return Object.fromEntries(
    Object.entries(read.of(name)).map(([labels, value]) => [pattern.exec(labels)?.[1] ?? labels, value]),
  );
}

test("a limiter is as GetLimiter shows it", async () => {
  await using server = await startTestServer(DB);
  const client = server.grpc();
  await hold(client, "db");
  const held = await hold(client, "db");
  const waiting = acquire(client, "db");
  await waiting.next("waiting");
  await client.call(tryAcquire, { claims: [{ limiter: "db" }] }).catch(() => {});
  held.cancel();
  await waiting.next("granted");
  const { limiter } = await client.call(getLimiter, { name: "db" });
  const status = limiter?.status;
  const read = await scrape(server.url);
  const of = (name: string) => read.value(`backpressure_${name}{limiter="db"}`);
  expect(of("limiter_permits")).toBe(Number(status?.permitsLimit));
  expect(of("limiter_permits_in_use")).toBe(Number(status?.permitsInUse));
  expect(of("limiter_waiters")).toBe(Number(status?.waiters));
  expect(of("limiter_leases")).toBe(Number(status?.leases));
  expect(of("grants_total")).toBe(Number(status?.grantedCount));
  expect(of("requests_total")).toBe(4);
  expect(of("wait_seconds_count")).toBe(of("grants_total"));
  expect(of("hold_seconds_count")).toBe(1);
  expect(by(read, "backpressure_refusals_total", "reason")).toEqual(
    Object.fromEntries((status?.refusals ?? []).map(({ reason, count }) => [nameOf(reason), Number(count)])),
  );
  expect(by(read, "backpressure_lease_ends_total", "end")).toEqual({
    released: 0,
    cancelled: 1,
    expired: 0,
    revoked: 0,
    deleted: 0,
  });
});

test("releases are counted by what holders say of the work", async () => {
  await using server = await startTestServer(DB);
  const client = server.grpc();
  for (const workOutcome of [WorkOutcome.SUCCESS, WorkOutcome.SUCCESS, WorkOutcome.OVERLOADED, WorkOutcome.IGNORED]) {
    const { result } = await client.call(tryAcquire, { claims: [{ limiter: "db" }] });
    if (result.case !== "granted") throw new Error(`it is ${result.case}`);
    const { lease, secret } = result.value;
    await client.call(release, { leaseId: lease?.id ?? "", secret, outcome: workOutcome });
  }
  const read = await scrape(server.url);
  expect(by(read, "backpressure_releases_total", "outcome")).toEqual({ success: 2, overloaded: 1, ignored: 1 });
});

test("a pause is seen, and so is how long the oldest waiter has waited", async () => {
  await using server = await startTestServer("limiters: [{ name: db, max_concurrent: 1, paused: true }]\n");
  const client = server.grpc();
  const waiting = acquire(client, "db");
  await waiting.next("waiting");
  const read = await scrape(server.url);
  expect(read.value('backpressure_limiter_paused{limiter="db"}')).toBe(1);
  expect(read.value('backpressure_limiter_oldest_waiter_seconds{limiter="db"}')).toBeGreaterThan(0);
  await client.call(updateLimiter, { limiter: { name: "db", paused: false }, updateMask: { paths: ["paused"] } });
  await waiting.next("granted");
  expect((await scrape(server.url)).value('backpressure_limiter_paused{limiter="db"}')).toBe(0);
});

test("calls are counted by protocol, method and status, over all threads that carry them", async () => {
  await using server = await startTestServer(DB);
  const ask = { claims: [{ limiter: "db", permits: 0 }] };
  const calls = 6;
  for (let index = 0; index < calls; index += 1) {
    // On a connection of its own, so that with transport workers each may carry some.
    await using client = server.grpc();
    await client.call(tryAcquire, ask);
  }
  const client = server.connect({ protocol: "connect", httpVersion: "2" });
  await client.call(tryAcquire, ask);
  await client.call(tryAcquire, { claims: [{ limiter: "gone" }] }).catch(() => {});
  const unknown = ["a.B/C", "a.B/D"];
  for (const path of unknown) {
    const headers = { "content-type": "application/json" };
    await (await fetch(`${server.url}/${path}`, { method: "POST", headers, body: "{}" })).text();
  }
  const read = await scrape(server.url);
  const counted = (system: string, code: string, method = "ggen.backpressure.v1.AdmissionService/TryAcquire") =>
    read.value(
      `rpc_server_call_duration_seconds_count{rpc_system_name="${system}",` +
        `rpc_method="${method}",rpc_response_status_code="${code}"}`,
    );
  expect(counted("grpc", "OK")).toBe(calls);
  expect(counted("connectrpc", "OK")).toBe(1);
  expect(counted("connectrpc", "NOT_FOUND")).toBe(1);
  expect(counted("connectrpc", "UNIMPLEMENTED", "_OTHER")).toBe(unknown.length);
});

test("streams and connections are counted while they are open", async () => {
  await using server = await startTestServer(DB);
  const client = server.grpc();
  const holds = [await hold(client, "db"), await hold(client, "db")];
  const streams = async () => by(await scrape(server.url), "backpressure_streams", "rpc_method");
  expect(await streams()).toMatchObject({ "ggen.backpressure.v1.AdmissionService/Acquire": 2 });
  const open = await scrape(server.url);
  expect(open.value('backpressure_connections{port="grpc"}')).toBe(1);
  expect(open.value('backpressure_connections{port="web"}')).toBeGreaterThanOrEqual(1);
  for (const { cancel } of holds) cancel();
  await expect.poll(streams).toMatchObject({ "ggen.backpressure.v1.AdmissionService/Acquire": 0 });
  const ended = await scrape(server.url);
  expect(by(ended, "rpc_server_call_duration_seconds_count", "rpc_response_status_code")).toMatchObject({
    CANCELLED: 2,
  });
});

test("a board's stages have their cards, limits, pulls and times", async () => {
  await using server = await startTestServer(`boards: [{ name: ${BOARD} }]\n`);
  const client = server.grpc();
  await add(client, "card-1");
  await add(client, "card-2");
  await work(client, "InProgress");
  const read = await scrape(server.url);
  const stage = (name: string, of: string) => read.value(`backpressure_board_${name}{board="${BOARD}",stage="${of}"}`);
  expect([stage("stage_cards", "Ready"), stage("stage_cards", "InProgress")]).toEqual([1, 1]);
  expect([stage("stage_limit", "Ready"), stage("stage_limit", "InProgress")]).toEqual([5, 3]);
  expect([stage("pulls_total", "Ready"), stage("pulls_total", "InProgress")]).toEqual([2, 1]);
  expect(stage("cycle_seconds_count", "Backlog")).toBe(2);
  expect(read.value(`backpressure_board_lead_seconds_count{board="${BOARD}"}`)).toBe(0);
});

test("each thread has its loop and its heap", async () => {
  await using server = await startTestServer(DB);
  await expect
    .poll(async () => {
      const delays = by(await scrape(server.url), "backpressure_event_loop_delay_seconds_count", "thread");
      return Object.values(delays).every((count) => count > 0) ? Object.keys(delays) : [];
    })
    .toEqual(["main", ...Array.from({ length: WORKERS }, (_, index) => `transport ${index + 1}`)]);
  const heaps = by(await scrape(server.url), "backpressure_nodejs_heap_size_used_bytes", "thread");
  expect(Object.keys(heaps)).toHaveLength(1 + WORKERS);
});

test("the server says that it serves, and from when on it has its configuration", async () => {
  await using server = await startTestServer(DB);
  const read = await scrape(server.url);
  const of = (name: string) => read.value(`backpressure_${name}`);
  expect([of("serving"), of("draining"), of("learning_seconds_remaining"), of("store_failed")]).toEqual([1, 0, 0, 0]);
  expect(of("config_reload_failures_total")).toBe(0);
  expect(Math.abs(of("config_last_reload_timestamp_seconds") - Date.now() / 1_000)).toBeLessThan(60);
  expect(read.text).toMatch(/^backpressure_build_info\{version="[^"]+",node="[^"]+"\} 1$/m);
  expect(of("process_resident_memory_bytes")).toBeGreaterThan(1e7);
  expect(of("process_cpu_seconds_total")).toBeGreaterThan(0);
});

test("an issuer of tokens has its keys, and from when on, until they cannot be loaded", async () => {
  const folder = createTlsFolder();
  const { jwk } = await createSigningKey();
  const write = (keys: unknown) => folder.write("keys.json", JSON.stringify({ keys }));
  const jwt = [{ name: "idp", issuer: ISSUER, audience: AUDIENCE, jwks: { file: write([jwk]) } }];
  await using server = await startTestServer(`allow_anonymous: true\nauth: ${JSON.stringify({ jwt })}\n${DB}`);
  const of = async (name: string) => (await scrape(server.url)).value(`backpressure_issuer_keys_${name}{issuer="idp"}`);
  const patience = { timeout: 20_000 };
  await expect.poll(() => of("loaded_timestamp_seconds").catch(() => 0), patience).toBeGreaterThan(0);
  const loadedAt = await of("loaded_timestamp_seconds");
  expect(Math.abs(loadedAt - Date.now() / 1_000)).toBeLessThan(60);
  expect(await of("last_load_successful")).toBe(1);
  write("no list");
  await expect.poll(() => of("last_load_successful"), patience).toBe(0);
  expect(await of("loaded_timestamp_seconds")).toBe(loadedAt);
  write([]);
  await expect.poll(() => of("last_load_successful"), patience).toBe(1);
  await expect.poll(() => of("loaded_timestamp_seconds"), patience).toBeGreaterThan(loadedAt);
});

test("a server that drains says so until its end", async () => {
  await using server = await startTestServer(`${DB}drain: { timeout: 60s }\n`);
  const held = await hold(server.grpc(), "db");
  const stopped = server.stop();
  const read = await scrape(server.url);
  expect([read.value("backpressure_draining"), read.value("backpressure_serving")]).toEqual([1, 0]);
  held.cancel();
  await stopped;
});

test("what is kept has its size and its commits; a server that may not know every lease says how long it learns", async () => {
  const folder = mkdtempSync(join(tmpdir(), "backpressure-metrics-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const yaml = `store: { folder: ${folder}, leases: none }\n${DB}`;
  {
    await using server = await startTestServer(yaml);
    await server.grpc().call(tryAcquire, { claims: [{ limiter: "db" }], ttl: { seconds: 60n } });
    const read = await scrape(server.url);
    expect(read.value("backpressure_learning_seconds_remaining")).toBe(0);
    expect(read.value("backpressure_store_commit_seconds_count")).toBeGreaterThan(0);
    expect(read.value("backpressure_store_bytes")).toBeGreaterThan(4_096);
  }
  await using server = await startTestServer(yaml);
  const left = (await scrape(server.url)).value("backpressure_learning_seconds_remaining");
  expect(left).toBeGreaterThan(30);
  expect(left).toBeLessThanOrEqual(60);
});

test("OpenMetrics is spoken to whoever prefers it", async () => {
  await using server = await startTestServer(DB);
  const accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
  const open = await scrape(server.url, { accept });
  expect(open.contentType).toMatch(/^application\/openmetrics-text; version=1\.0\.0/);
  expect(open.text.endsWith("\n# EOF\n")).toBe(true);
  for (const other of [
    "text/plain",
    "*/*",
    "application/openmetrics-text;version=9",
    "text/plain,application/openmetrics-text;q=0.1",
  ]) {
    expect([other, (await scrape(server.url, { accept: other })).contentType]).toEqual([
      other,
      "text/plain; version=0.0.4; charset=utf-8",
    ]);
  }
});

test("a reader that does not read holds one of two places, and others are told so", async () => {
  const names = Array.from({ length: 1_000 }, (_, index) => `{ name: l${index}, max_concurrent: 1 }`);
  await using server = await startTestServer(`limiters: [${names.join(", ")}]\n`);
  const { hostname, port } = new URL(server.url);
  const stall = async () => {
    const socket = connectTo(Number(port), hostname);
    onTestFinished(() => void socket.destroy());
    await once(socket, "connect");
    socket.write("GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n");
    await once(socket, "readable");
    return socket;
  };
  const stalled = [await stall(), await stall()];
  const refused = await fetch(`${server.url}/metrics`);
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);
  expect(await refused.text()).toContain("as many scrapes are under way as may be");
  for (const socket of stalled) socket.destroy();
  await expect.poll(async () => (await fetch(`${server.url}/metrics`)).status).toBe(200);
});

test("only GET and HEAD are answered", async () => {
  await using server = await startTestServer(DB);
  const head = await fetch(`${server.url}/metrics`, { method: "HEAD" });
  expect([head.status, await head.text()]).toEqual([200, ""]);
  expect((await fetch(`${server.url}/metrics`, { method: "POST" })).status).toBe(404);
});
