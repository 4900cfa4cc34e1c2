import { once } from "node:events";
import { request as requestHttp1 } from "node:http";
import { connect as connectTcp, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { expect, onTestFinished, test } from "vitest";
import {
  AcquireRequestSchema,
  AcquireResponseSchema,
  AdmissionService,
  TryAcquireRequestSchema,
} from "../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { REQUEST_TIMEOUT } from "../../../src/server/transport/http2/request-guard.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { pathOf } from "./support/grpc-client.ts";
import { createHeldService, waiting } from "./support/held-service.ts";
import { connectHttp2, connectHttp2OnSocket, envelope, openGrpcCall, outcomeOf, ping } from "./support/http2-client.ts";
import { LIMITS, startWeb } from "./support/ports.ts";

const ACQUIRE = pathOf(AdmissionService.method.acquire);
const TRY_ACQUIRE = pathOf(AdmissionService.method.tryAcquire);
const CLAIM = { claims: [{ limiter: "l" }] };
const BYTES = toBinary(TryAcquireRequestSchema, create(TryAcquireRequestSchema, CLAIM));
const STREAM_REQUEST = envelope(toBinary(AcquireRequestSchema, create(AcquireRequestSchema, CLAIM)));
const HUGE = toBinary(
  TryAcquireRequestSchema,
  create(TryAcquireRequestSchema, { ...CLAIM, requestId: "x".repeat(LIMITS.maxMessageBytes) }),
);

/** A raw connection, and all that has come over it. */
function connectText(port: number): { readonly socket: Socket; received(): string; readonly closed: Promise<void> } {
  const socket = connectTcp({ port, host: "127.0.0.1", noDelay: true });
  onTestFinished(() => {
    socket.destroy();
  });
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
  });
  socket.on("error", () => {});
  return { socket, received: () => text, closed: new Promise((resolve) => socket.once("close", () => resolve())) };
}

async function post(
  address: string,
  path: string,
  type: string,
  body: Uint8Array<ArrayBuffer>,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return await fetch(`http://${address}${path}`, {
    method: "POST",
    headers: { "content-type": type, ...headers },
    body,
  });
}

test("GET / says what is served, and any other path that nothing is", async () => {
  const { address } = await startWeb([createHeldService().service]);
  const root = await fetch(`http://${address}/`);
  expect([root.status, await root.text()]).toEqual([
    200,
    expect.stringContaining("POST /ggen.backpressure.v1.AdmissionService/<method>"),
  ]);
  const other = await fetch(`http://${address}/favicon.ico`);
  expect([other.status, await other.text()]).toEqual([404, "Nothing is served at this path; GET / says what is.\n"]);
});

test("pages are served before what says that nothing is, and never in the place of a call", async () => {
  const paths: (string | undefined)[] = [];
  const { address } = await startWeb([createHeldService().service], {
    pages(request, response) {
      paths.push(request.url);
      if (request.url !== "/page") return false;
      response.end("a page");
      return true;
    },
  });
  expect(await (await fetch(`http://${address}/page`)).text()).toBe("a page");
  expect((await fetch(`http://${address}/other`)).status).toBe(404);
  expect((await post(address, TRY_ACQUIRE, "application/proto", BYTES)).status).toBe(200);
  expect(paths).toEqual(["/page", "/other"]);
});

test("a page that throws is answered with 500 and logged", async () => {
  const { address, log } = await startWeb([], {
    pages() {
      throw new Error("the inside");
    },
  });
  const response = await fetch(`http://${address}/page`);
  expect([response.status, await response.text()]).toEqual([500, ""]);
  expect(log.at("error")).toHaveLength(1);
});

test.each([
  ["application/grpc", "application/grpc"],
  ["application/grpc+proto", "application/grpc"],
  ["application/grpc-web+proto", "application/grpc-web"],
])("an unknown method asked for as %s gets a status of gRPC, not a page", async (type, answered) => {
  const { address } = await startWeb([]);
  const response = await post(address, "/no.Such/Method", type, BYTES);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe(answered);
  expect(response.headers.get("grpc-status")).toBe("12");
});

test.each([
  ["a:99999", "0"],
  ["a:b", "0"],
  ["127.0.0.1", "0"],
  ["[", "0"],
  // These are not even HTTP/2.
  ["ex ample", undefined],
  ["", undefined],
])("an :authority of %j does no harm", async (authority, status) => {
  const { address } = await startWeb([createHeldService().service]);
  for (const [asked, expected] of [
    [authority, status],
    ["localhost", "0"],
  ]) {
    const call = openGrpcCall(connectHttp2(address), TRY_ACQUIRE, { ":authority": asked });
    call.end(envelope(BYTES));
    expect((await outcomeOf(call)).status).toBe(expected);
  }
});

test.each([
  ["a host that no URL can have", "POST / HTTP/1.1\r\nHost: a:99999\r\nContent-Length: 0\r\n\r\n", "404"],
  ["a path that no URL can have", "GET //%zz?% HTTP/1.1\r\nHost: a\r\n\r\n", "404"],
  ["a query that no URL can have", `GET ${TRY_ACQUIRE}?%zz=% HTTP/1.1\r\nHost: localhost\r\n\r\n`, "405"],
  ["no host", "GET / HTTP/1.1\r\n\r\n", "400"],
  ["no HTTP", "\u0000\u0001\u0002\r\n\r\n", "400"],
  ["an upgrade", "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: \r\n\r\n", "200"],
  [
    "headers that are too large",
    `GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(LIMITS.maxMetadataBytes)}\r\n\r\n`,
    "431",
  ],
])("over HTTP/1.1, %s is answered and does no harm", async (_what, text, status) => {
  const { port, address } = await startWeb([createHeldService().service]);
  const { socket, received, closed } = connectText(port);
  socket.end(text, "latin1");
  await closed;
  expect(received()).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect((await fetch(`http://${address}/`)).status).toBe(200);
});

test.each([
  [
    "HTTP/2, byte by byte",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\u0000\u0000\u0000\u0004\u0000\u0000\u0000\u0000\u0000",
    "\u0004",
  ],
  ["HTTP/1.1, byte by byte", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 404"],
  ["a method that begins like HTTP/2", "PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 404"],
])("one port tells protocols apart: %s", async (_what, text, answer) => {
  const { port } = await startWeb([]);
  const { socket, received } = connectText(port);
  await once(socket, "connect");
  for (const byte of text) {
    socket.write(byte, "latin1");
    await new Promise((resolve) => setImmediate(resolve));
  }
  while (!received().includes(answer)) await once(socket, "data");
  // 0x04 in an HTTP/2 answer is the type of its first frame, SETTINGS.
  expect(received().startsWith("HTTP/1.1")).toBe(answer !== "\u0004");
});

test("a connection that does not say what it speaks is closed", async () => {
  const clock = createFakeClock();
  const { port } = await startWeb([], { clock });
  const silent = connectText(port);
  const slow = connectText(port);
  await Promise.all([once(silent.socket, "connect"), once(slow.socket, "connect")]);
  slow.socket.write("PRI");
  // Both are seen when one that came later has been.
  await once(connectText(port).socket.end("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "data");
  clock.advance(10_000_000);
  await Promise.all([silent.closed, slow.closed]);
});

test.each([
  ["Connect", "application/proto", HUGE, {}, 429],
  ["Connect, 4 GB declared", "application/connect+proto", envelope(BYTES, 0, 2 ** 32 - 1), {}, 200],
  ["gRPC-Web", "application/grpc-web+proto", envelope(HUGE), {}, 200],
])("a message that is too large is refused: %s", async (_what, type, body, headers, status) => {
  const { address } = await startWeb([createHeldService().service]);
  const path = type === "application/connect+proto" ? ACQUIRE : TRY_ACQUIRE;
  const response = await post(address, path, type, Uint8Array.from(body), headers);
  expect(response.status).toBe(status);
  const said = `${response.headers.get("grpc-status")} ${await response.text()}`;
  expect(said).toMatch(/resource_exhausted|grpc-status: 8|^8 /);
});

test.each([
  ["Connect", "application/proto", gzipSync(BYTES), { "content-encoding": "gzip" }],
  ["gRPC-Web", "application/grpc-web+proto", envelope(gzipSync(BYTES), 1), { "grpc-encoding": "gzip" }],
])("a compressed message is refused, since what is not unpacked is no bomb: %s", async (_what, type, body, headers) => {
  const { address } = await startWeb([createHeldService().service]);
  const response = await post(address, TRY_ACQUIRE, type, Uint8Array.from(body), headers);
  expect(`${response.headers.get("grpc-status")} ${await response.text()}`).toMatch(
    /unimplemented|grpc-status: 12|^12 /,
  );
});

test("an HTTP/2 request that never comes to an end is closed; a stream that holds is not", async () => {
  const clock = createFakeClock();
  const held = createHeldService();
  const { address } = await startWeb([held.service], { clock, liveness: { keepaliveTime: 3_600_000_000 } });
  const session = connectHttp2(address);
  const headersOnly = openGrpcCall(session, TRY_ACQUIRE);
  const tooLarge = openGrpcCall(session, TRY_ACQUIRE);
  tooLarge.write(envelope(BYTES, 0, 2 ** 32 - 1));
  const nowhere = openGrpcCall(session, "/no.Such/Method");
  const outcomes = Promise.all([headersOnly, tooLarge, nowhere].map(outcomeOf));
  const holding = openGrpcCall(session, ACQUIRE);
  holding.end(STREAM_REQUEST);
  await held.acquires.next();
  await ping(session);
  clock.advance(REQUEST_TIMEOUT);
  expect((await outcomes).map(({ status }) => status)).toEqual([undefined, "8", "12"]);
  expect(holding.closed).toBe(false);
});

test("a thousand readers that never read leave two messages each unsent, and next to no memory", async () => {
  const held = createHeldService();
  const { port } = await startWeb([held.service]);
  const { session, socket } = connectHttp2OnSocket(port, { settings: { initialWindowSize: 0 } });
  const STREAMS = 1000;
  const before = process.memoryUsage().rss;
  for (let i = 0; i < STREAMS; i += 1) openGrpcCall(session, ACQUIRE).end(STREAM_REQUEST);
  for (let i = 0; i < STREAMS; i += 1) {
    const { stream } = await held.acquires.next();
    // `waiting(0)` went before; a service holds back what comes after this.
    expect(stream.send(waiting(1))).toBe(false);
  }
  expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024);
  socket.destroy();
  while (held.endings.length < STREAMS) await new Promise((resolve) => setImmediate(resolve));
  expect(new Set(held.endings)).toEqual(new Set(["lost"]));
});

test("a stream hears when its reader has caught up: HTTP/2", async () => {
  const held = createHeldService();
  const { address } = await startWeb([held.service]);
  const session = connectHttp2(address, { settings: { initialWindowSize: 0 } });
  const call = openGrpcCall(session, ACQUIRE);
  call.end(STREAM_REQUEST);
  const { stream } = await held.acquires.next();
  await ping(session);
  const writable = new Promise<void>((resolve) => stream.onWritable(resolve));
  expect(stream.send(waiting(1))).toBe(false);
  session.settings({ initialWindowSize: 65_535 });
  await writable;
  expect(stream.send(waiting(2))).toBe(true);
  stream.end();
  expect(await outcomeOf(call)).toMatchObject({ status: "0" });
});

test("a stream hears when its reader has caught up: HTTP/1.1", async () => {
  const held = createHeldService();
  const { port } = await startWeb([held.service]);
  const headers = { "content-type": "application/connect+proto" };
  const request = requestHttp1({ port, path: ACQUIRE, method: "POST", headers });
  request.end(STREAM_REQUEST);
  const { stream } = await held.acquires.next();
  const [response] = await once(request, "response");
  const message = create(AcquireResponseSchema, {
    event: { case: "granted", value: { secret: "x".repeat(1 << 20) } },
  });
  const MANY = 64;
  let sent = 0;
  const allSent = new Promise<void>((resolve) => {
    const send = () => {
      if (sent === MANY) return resolve();
      sent += 1;
      if (stream.send(message)) send();
    };
    stream.onWritable(send);
    send();
  });
  // The reader has not begun to read: two kernels take what they can, and then nothing moves.
  for (let turn = 0; turn < 1_000; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  expect(sent).toBeLessThan(MANY / 2);
  response.resume();
  await allSent;
  stream.end();
  await once(response, "end");
});
