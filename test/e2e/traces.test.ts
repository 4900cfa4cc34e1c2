/** Spans of sampled calls, as a real receiver gets them: whose children they are, over every protocol, and what they say. */

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { unlinkSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DescMethodUnary } from "@bufbuild/protobuf";
import { describe, expect, onTestFinished, test } from "vitest";
import { AdmissionService } from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { BoardService } from "../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { LimiterService } from "../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { connect } from "../../src/client/index.ts";
import { parseConfig } from "../../src/server/config/config.ts";
import { ConfigService } from "../../src/server/gen/ggen/backpressure/config/v1/config_service_pb.ts";
import { startServer } from "../../src/server/server.ts";
import { createMemoryLog } from "../server/transport/support/memory-log.ts";
import type { ContractClient } from "../support/contract-client.ts";
import { createGrpcClient } from "../support/grpc-client.ts";
import { type ReceivedSpan, type SpanReceiver, startSpanReceiver } from "../support/otlp/span-receiver.ts";
import { FREE_PORTS, startTestServer, type TestServer } from "../support/server.ts";
import { unusedPort } from "../support/unused-port.ts";

const LIMITERS = `limiters:
  - { name: db, max_concurrent: 1 }
  - { name: pool, max_concurrent: 5 }
  - { name: narrow, max_concurrent: 1, max_waiters: 0 }
boards:
  - name: b
    stages: [{ name: todo, kind: QUEUE }, { name: doing, kind: WORK }, { name: done, kind: QUEUE }]
`;
const ADMISSION = "ggen.backpressure.v1.AdmissionService";

interface Traced {
  readonly server: TestServer;
  readonly receiver: SpanReceiver;
}

async function startTraced(more = "", about = LIMITERS): Promise<Traced> {
  const receiver = await startSpanReceiver();
  const server = await startTestServer(`traces: { otlp: { url: "${receiver.url}" }${more} }\n${about}`);
  onTestFinished(() => server[Symbol.asyncDispose]());
  return { server, receiver };
}

/** The span of a caller, and the header that says so. */
function callersSpan(sampled = true) {
  const [traceId, spanId] = [randomBytes(16).toString("hex"), randomBytes(8).toString("hex")];
  return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-${sampled ? "01" : "00"}` };
}

const named = (name: string) => (span: ReceivedSpan) => span.name === name;

const PROTOCOLS: readonly (readonly [string, string, (server: TestServer) => ContractClient])[] = [
  ["gRPC", "grpc", (server) => server.grpc()],
  ["Connect over HTTP/1.1", "connectrpc", (server) => server.connect({ protocol: "connect", httpVersion: "1.1" })],
  [
    "Connect with JSON over HTTP/2",
    "connectrpc",
    (server) => server.connect({ protocol: "connect-json", httpVersion: "2" }),
  ],
  ["gRPC-Web", "grpc", (server) => server.connect({ protocol: "grpc-web", httpVersion: "1.1" })],
];

describe.each(PROTOCOLS)("over %s", (_name, system, clientOf) => {
  test("the server's span is the child of its caller's, with the wait and the hold within", async () => {
    const { server, receiver } = await startTraced();
    const client = clientOf(server);
    const caller = callersSpan();
    const headers = { traceparent: caller.traceparent, tracestate: "vendor=mine" };
    const stream = client.open(AdmissionService.method.acquire, { claims: [{ limiter: "db" }] }, { headers });
    const { event } = await stream.next();
    if (event.case !== "granted") throw new Error(`${event.case}`);
    const lease = event.value.lease;
    // The wait is told though its lease is held.
    const [wait] = await receiver.until(1, named("backpressure.wait"));
    await client.call(AdmissionService.method.release, { leaseId: lease?.id ?? "", secret: event.value.secret });
    expect(await stream.ending).toBeUndefined();
    const [acquire] = await receiver.until(1, named(`${ADMISSION}/Acquire`));
    const [hold] = await receiver.until(1, named("backpressure.hold"));
    expect(acquire).toMatchObject({
      ...{
        traceId: caller.traceId,
        parentSpanId: caller.spanId,
        traceState: "vendor=mine",
        kind: "server",
        isError: false,
      },
      attributes: {
        "rpc.system.name": system,
        "rpc.method": `${ADMISSION}/Acquire`,
        ...(system === "grpc" && { "rpc.response.status_code": "OK" }),
        "server.address": "127.0.0.1",
        "network.peer.address": "127.0.0.1",
        "backpressure.limiters": ["db"],
        "backpressure.permits": [1],
      },
    });
    for (const [inner, about] of [
      [wait, { "backpressure.wait.end": "granted" }],
      [hold, { "backpressure.hold.end": "released" }],
    ] as const) {
      expect(inner).toMatchObject({
        ...{ traceId: caller.traceId, parentSpanId: acquire?.spanId, traceState: "vendor=mine", kind: "internal" },
        attributes: { "backpressure.lease.id": lease?.id, "backpressure.limiters": ["db"], ...about },
      });
    }
    expect(wait?.end).toBe(hold?.start);
    expect(acquire?.start).toBeLessThanOrEqual(wait?.start ?? 0);
    // What was not sampled has no span: the release had no header.
    expect(receiver.spans.length).toBe(3);
    expect(JSON.stringify(receiver.spans)).not.toContain(event.value.secret);
  });

  test("a refusal says why, a fault counts as an error, and what is not sampled is not there", async () => {
    const { server, receiver } = await startTraced();
    const client = clientOf(server);
    const { acquire, tryAcquire } = AdmissionService.method;
    const ask = (limiter: string, sampled = true) => {
      const { traceparent } = callersSpan(sampled);
      return client.call(tryAcquire, { claims: [{ limiter, permits: 1 }] }, { headers: { traceparent } });
    };
    await ask("db", false);
    await ask("db");
    await expect(ask("none")).rejects.toThrow();
    await expect(ask("")).rejects.toThrow();
    const headers = { traceparent: callersSpan().traceparent };
    await client.open(acquire, { claims: [{ limiter: "narrow", permits: 2 }] }, { headers }).ending;
    const code = (name: string) => (system === "grpc" ? name : name.toLowerCase());
    const spans = await receiver.until(5);
    expect(
      spans.map(({ name, attributes, isError }) => [
        name.replace(/.*\//, ""),
        attributes["rpc.response.status_code"],
        attributes["backpressure.refusal.reason"],
        isError,
      ]),
    ).toEqual(
      expect.arrayContaining([
        ["TryAcquire", system === "grpc" ? "OK" : undefined, "CONCURRENCY_EXHAUSTED", false],
        ["TryAcquire", code("NOT_FOUND"), "LIMITER_NOT_FOUND", false],
        // It breaks a rule of the contract, and never comes to its service.
        ["TryAcquire", code("INVALID_ARGUMENT"), "INVALID_REQUEST", false],
        ["Acquire", code("FAILED_PRECONDITION"), "CLAIM_EXCEEDS_LIMIT", false],
        ["backpressure.wait", undefined, "CLAIM_EXCEEDS_LIMIT", false],
      ]),
    );
  });

  test("a malformed traceparent is ignored, and its call is answered", async () => {
    const { server, receiver } = await startTraced();
    const client = clientOf(server);
    for (const traceparent of ["01", "00-0-0-01", `ff-${"1".repeat(32)}-${"1".repeat(16)}-01`]) {
      await client.call(LimiterService.method.listLimiters, {}, { headers: { traceparent } });
    }
    const { traceparent } = callersSpan();
    await client.call(LimiterService.method.listLimiters, {}, { headers: { traceparent } });
    expect((await receiver.until(1)).length).toBe(1);
    expect(receiver.spans.map(({ name }) => name)).toEqual(["ggen.backpressure.v1.LimiterService/ListLimiters"]);
  });
});

test("the client's headers make the server's spans children of the caller's, over streams, calls and pulls", async () => {
  const { server, receiver } = await startTraced();
  let caller = callersSpan();
  await using client = connect(server.address, {
    sessions: false,
    headers: () => ({ traceparent: caller.traceparent, "x-tenant": "acme" }),
  });
  const parents: string[] = [];
  const inSpan = async <T>(make: () => Promise<T>): Promise<T> => {
    caller = callersSpan();
    parents.push(caller.spanId);
    return make();
  };
  const lease = await inSpan(() => client.acquire("db"));
  await inSpan(() => lease.release());
  const attempt = await inSpan(() => client.tryAcquire("db"));
  if (attempt.granted) await inSpan(() => attempt.release());
  await inSpan(() => client.limiters.get("db"));
  await inSpan(() => client.board("b").add({ title: "a card" }));
  const work = await inSpan(() => client.board("b").pull("doing"));
  await inSpan(() => work.finish());
  const servers = await receiver.until(8, ({ kind }) => kind === "server");
  expect(servers.map(({ parentSpanId }) => parentSpanId).sort()).toEqual([...parents].sort());
});

describe("in a session", () => {
  test("each command belongs to the trace of its own call, and its wait and hold to it", async () => {
    const { server, receiver } = await startTraced();
    let caller = callersSpan();
    await using client = connect(server.address, { headers: () => ({ traceparent: caller.traceparent }) });
    const [first, second] = [callersSpan(), callersSpan()];
    caller = first;
    const held = await client.acquire("db");
    caller = second;
    const waiting = client.acquire("db", { headers: { tracestate: "mine=1" } });
    caller = callersSpan(false);
    await held.release();
    await (await waiting).release();
    const spans = await receiver.until(6);
    const of = ({ traceId, spanId }: typeof first) => {
      const acquire = spans.find((span) => span.traceId === traceId && span.kind === "server");
      expect(acquire).toMatchObject({
        name: `${ADMISSION}/Acquire`,
        parentSpanId: spanId,
        attributes: { "backpressure.session": true, "rpc.system.name": "grpc", "rpc.response.status_code": "OK" },
      });
      return spans
        .filter((span) => span.traceId === traceId && span !== acquire)
        .map(({ name, parentSpanId, traceState }) => [name, parentSpanId === acquire?.spanId, traceState])
        .sort();
    };
    expect(of(first)).toEqual([
      ["backpressure.hold", true, ""],
      ["backpressure.wait", true, ""],
    ]);
    expect(of(second)).toEqual([
      ["backpressure.hold", true, "mine=1"],
      ["backpressure.wait", true, "mine=1"],
    ]);
    // The releases were not sampled, nor is the session itself.
    expect(receiver.spans.length).toBe(6);
  });

  test("a card's pull and its end are traced like a lease", async () => {
    const { server, receiver } = await startTraced();
    const caller = callersSpan();
    await using client = connect(server.address, { headers: () => ({ traceparent: caller.traceparent }) });
    await client.board("b").add({ title: "a card" });
    const work = await client.board("b").pull("doing");
    await work.finish();
    const spans = await receiver.until(5);
    expect(spans.map(({ name }) => name.replace(/.*\//, "")).sort()).toEqual(
      ["AddCard", "PullCard", "FinishCard", "backpressure.wait", "backpressure.hold"].sort(),
    );
    expect(spans.find(named("backpressure.hold"))?.attributes).toMatchObject({
      "backpressure.board": "b",
      "backpressure.stage": "doing",
      "backpressure.hold.end": "finish",
    });
  });
});

test("a lease that is lost with its connection is held until its ttl has passed, and its span says so", async () => {
  const { server, receiver } = await startTraced();
  const client = server.grpc();
  const headers = { traceparent: callersSpan().traceparent };
  const stream = client.open(
    AdmissionService.method.acquire,
    { claims: [{ limiter: "db" }], ttl: { nanos: 2e8 } },
    { headers },
  );
  await stream.next();
  await client[Symbol.asyncDispose]();
  const [hold] = await receiver.until(1, named("backpressure.hold"));
  expect(hold?.attributes["backpressure.hold.end"]).toMatch(/^(expired|cancelled)$/);
  const [acquire] = await receiver.until(1, named(`${ADMISSION}/Acquire`));
  expect(acquire?.attributes["rpc.response.status_code"]).toBe("CANCELLED");
});

test("a server that stops sends the spans of what is held", async () => {
  const { server, receiver } = await startTraced();
  const headers = { traceparent: callersSpan().traceparent };
  await server.grpc().call(AdmissionService.method.tryAcquire, { claims: [{ limiter: "db" }] }, { headers });
  await server.stopNow();
  const [hold] = receiver.spans.filter(named("backpressure.hold"));
  expect(hold?.attributes["backpressure.hold.end"]).toBe("server-stopped");
});

test("calls without a traceparent begin a trace, as many as the ratio says", async () => {
  const { server, receiver } = await startTraced(", ratio: 1");
  await server.grpc().call(LimiterService.method.listLimiters, {});
  const [span] = await receiver.until(1);
  expect(span).toMatchObject({ parentSpanId: "", traceState: "" });
});

test.each([0, 2])("a reload changes the ratio in force, for open connections too, with %d workers", async (workers) => {
  const receiver = await startSpanReceiver();
  const loaded = (ratio: number) => {
    const traces = `traces: { otlp: { url: "${receiver.url}" }, ratio: ${ratio} }\n`;
    const reading = parseConfig(`${FREE_PORTS}workers: ${workers}\n${traces}`, { path: undefined, overrides: [] });
    if (reading.kind === "invalid") throw new Error(JSON.stringify(reading.problems));
    return reading;
  };
  const server = await startServer({ config: loaded(0), log: createMemoryLog() });
  onTestFinished(() => server.stopNow());
  await using cleanup = new AsyncDisposableStack();
  const clients = Array.from({ length: 6 }, () => cleanup.use(createGrpcClient(`127.0.0.1:${server.grpc.port}`)));
  /** Each on a connection of its own: a call by a method of its own, once the thread that serves it has this ratio. */
  const callAll = async (ratio: number, method: DescMethodUnary) => {
    for (const client of clients) {
      await expect
        .poll(async () => (await client.call(ConfigService.method.getConfig, {})).config?.traces?.ratio)
        .toBe(ratio);
      await client.call(method, {});
    }
  };
  const { listLimiters } = LimiterService.method;
  const { listBoards } = BoardService.method;
  await callAll(0, listLimiters);
  server.reconfigure(loaded(1));
  await callAll(1, listLimiters);
  server.reconfigure(loaded(0));
  await callAll(0, listBoards);
  await server.stopNow();
  const count = (name: string) => receiver.spans.filter((span) => span.name.endsWith(`/${name}`)).length;
  expect([count("ListLimiters"), count("ListBoards")]).toEqual([clients.length, 0]);
});

test("what a receiver is told of the server, and the headers that it wants", async () => {
  const receiver = await startSpanReceiver();
  const file = join(tmpdir(), `backpressure-otlp-${process.pid}`);
  writeFileSync(file, "from a file\n");
  onTestFinished(() => unlinkSync(file));
  const headers = `[{ name: Api-Key, value: secret }, { name: x-token, value_file: '${file}' }]`;
  await using server = await startTestServer(
    `traces: { otlp: { url: "${receiver.url}/own/path", headers: ${headers} }, ratio: 1 }\n${LIMITERS}`,
  );
  await server.grpc().call(LimiterService.method.listLimiters, {});
  await receiver.until(1);
  expect(receiver.requests[0]).toMatchObject({
    path: "/own/path",
    headers: {
      "api-key": "secret",
      "x-token": "from a file",
      "content-type": "application/x-protobuf",
      "user-agent": expect.stringMatching(/^ggen-backpressure\/\d/),
    },
  });
  expect(receiver.resource).toMatchObject({
    "service.name": "ggen-backpressure",
    "service.version": expect.stringMatching(/^\d/),
    "service.instance.id": expect.any(String),
  });
});

test.each([
  ["is down", async () => `http://127.0.0.1:${await unusedPort()}`],
  ["never answers", startSilent],
  [
    "refuses",
    async () => {
      const receiver = await startSpanReceiver();
      receiver.status = 401;
      return receiver.url;
    },
  ],
])("a receiver that %s delays no call, and the end of the server by seconds at most", async (_what, start) => {
  await using server = await startTestServer(`traces: { otlp: { url: "${await start()}" }, ratio: 1 }\n${LIMITERS}`);
  const client = server.grpc();
  for (let at = 0; at < 600; at += 1) await client.call(LimiterService.method.getLimiter, { name: "db" });
  await server.stopNow();
  const events = server.log.at("warn").map(({ fields }) => fields.event);
  expect(events.filter((event) => event === "spans-not-sent" || event === "spans-lost")).not.toEqual([]);
  expect(server.log.at("error")).toEqual([]);
});

/** Takes requests, and answers none. */
async function startSilent(): Promise<string> {
  const server = createServer((socket) => void socket.on("error", () => {}).resume());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return `http://127.0.0.1:${port}`;
}
