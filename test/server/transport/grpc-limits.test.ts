import { once } from "node:events";
import { constants } from "node:http2";
import { connect as connectTcp } from "node:net";
import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import {
  AcquireRequestSchema,
  AdmissionService,
  TryAcquireRequestSchema,
} from "../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { SessionService } from "../../../src/server/gen/ggen/backpressure/v1/session_service_pb.ts";
import { ANSWERED_TIMEOUT, REQUEST_TIMEOUT } from "../../../src/server/transport/http2/request-guard.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { createGrpcClient, pathOf } from "./support/grpc-client.ts";
import { createHeldService } from "./support/held-service.ts";
import { connectHttp2, envelope, openGrpcCall, outcomeOf, ping } from "./support/http2-client.ts";
import { callFrame, connectRaw, dataFrame, END_STREAM, resetFrame } from "./support/http2-frames.ts";
import { LIMITS, startGrpc } from "./support/ports.ts";

const ACQUIRE = pathOf(AdmissionService.method.acquire);
const TRY_ACQUIRE = pathOf(AdmissionService.method.tryAcquire);
const CLAIM = { claims: [{ limiter: "l" }] };
const REQUEST = envelope(toBinary(AcquireRequestSchema, create(AcquireRequestSchema, CLAIM)));
const HUGE = create(TryAcquireRequestSchema, { ...CLAIM, requestId: "x".repeat(LIMITS.maxMessageBytes) });
const NORMAL = toBinary(TryAcquireRequestSchema, create(TryAcquireRequestSchema, CLAIM));

test.each([
  ["a message that is too large", envelope(toBinary(TryAcquireRequestSchema, HUGE)), "8"],
  ["a message that is said to have 4 GB", envelope(NORMAL, 0, 2 ** 32 - 1), "8"],
  [
    "a message that is too large once decompressed",
    envelope(gzipSync(Buffer.alloc(50 * LIMITS.maxMessageBytes)), 1),
    "8",
  ],
  ["a message that is not what gzip makes", envelope(NORMAL, 1), "13"],
  ["a message that fits, compressed", envelope(gzipSync(NORMAL), 1), "0"],
])("%s", async (_what, bytes, code) => {
  const { address } = await startGrpc([createHeldService().service]);
  const call = openGrpcCall(connectHttp2(address), TRY_ACQUIRE, { "grpc-encoding": "gzip" });
  call.end(bytes);
  expect(await outcomeOf(call)).toMatchObject({ status: code });
});

test("a client at its limit may replace its calls for ever", async () => {
  const { port } = await startGrpc([createHeldService().service], { limits: { maxStreamsPerConnection: 3 } });
  const { socket, seen } = await connectRaw(port);
  await seen();
  const open = (stream: number) => [callFrame(stream, ACQUIRE), dataFrame(stream, REQUEST, END_STREAM)];
  const frames = [1, 3, 5].flatMap(open);
  for (let stream = 1; stream < 1_000; stream += 2) frames.push(resetFrame(stream), ...open(stream + 6));
  socket.write(Buffer.concat(frames));
  await seen();
  expect(socket.destroyed).toBe(false);
});

test("a connection beyond the limit is closed at once, which is said once in a while", async () => {
  const clock = createFakeClock();
  const { port, log } = await startGrpc([], { limits: { maxConnections: 2 }, clock });
  const connect = () => connectTcp(port, "127.0.0.1").on("error", () => {});
  const open = [connect(), connect()];
  await Promise.all(open.map((socket) => once(socket, "connect")));
  for (let i = 0; i < 5; i += 1) await once(connect(), "close");
  expect(log.at("warn").map(({ fields }) => fields)).toEqual([
    { event: "connections-dropped", dropped: 1, maxConnections: 2 },
  ]);
  clock.advance(11_000_000);
  await once(connect(), "close");
  expect(log.at("warn").map(({ fields }) => fields.dropped)).toEqual([1, 5]);
  for (const socket of open) expect(socket.destroyed).toBe(false);
  for (const socket of open) socket.destroy();
});

test("a call with more metadata than may be is refused, and its connection lives on", async () => {
  const { address } = await startGrpc([createHeldService().service]);
  const session = connectHttp2(address);
  await ping(session);
  const call = openGrpcCall(session, TRY_ACQUIRE, { "x-large": "x".repeat(LIMITS.maxMetadataBytes) });
  call.end(envelope(NORMAL));
  expect(await outcomeOf(call)).toMatchObject({ status: undefined, rstCode: constants.NGHTTP2_ENHANCE_YOUR_CALM });
  const next = openGrpcCall(session, TRY_ACQUIRE, { "x-large": "x".repeat(LIMITS.maxMetadataBytes / 2) });
  next.end(envelope(NORMAL));
  expect(await outcomeOf(next)).toMatchObject({ status: "0" });
});

test("a request that never comes to an end is closed, answered or not; a stream that holds is not", async () => {
  const clock = createFakeClock();
  const held = createHeldService();
  const { address } = await startGrpc([held.service, held.sessionService], {
    clock,
    liveness: { keepaliveTime: 3_600_000_000 },
  });
  const session = connectHttp2(address);
  const headersOnly = openGrpcCall(session, TRY_ACQUIRE);
  const halfMessage = openGrpcCall(session, ACQUIRE);
  halfMessage.write(REQUEST.subarray(0, 7));
  const tooLarge = openGrpcCall(session, TRY_ACQUIRE);
  tooLarge.write(envelope(NORMAL, 0, 2 ** 32 - 1));
  const held1 = openGrpcCall(session, ACQUIRE);
  held1.end(REQUEST);
  const { stream } = await held.acquires.next();
  const talking = openGrpcCall(session, pathOf(SessionService.method.session));
  const outcomes = Promise.all([headersOnly, halfMessage].map(outcomeOf));
  const early = outcomeOf(tooLarge);
  await ping(session);
  clock.advance(ANSWERED_TIMEOUT);
  expect(await early).toMatchObject({ status: String(status.RESOURCE_EXHAUSTED), rstCode: constants.NGHTTP2_NO_ERROR });
  clock.advance(REQUEST_TIMEOUT - ANSWERED_TIMEOUT);
  expect((await outcomes).map(({ status: code, rstCode }) => [code, rstCode])).toEqual([
    [undefined, constants.NGHTTP2_CANCEL],
    [undefined, constants.NGHTTP2_CANCEL],
  ]);
  await ping(session);
  expect([held1.closed, talking.closed]).toEqual([false, false]);
  stream.end();
  // A session that is over is closed a little later.
  const over = outcomeOf(talking);
  (await held.sessions.next()).end();
  await ping(session);
  clock.advance(ANSWERED_TIMEOUT);
  expect(await over).toMatchObject({ status: "0", rstCode: constants.NGHTTP2_NO_ERROR });
});

test("a client may give back its leases by cancelling, thousands of them on one connection", async () => {
  const held = createHeldService();
  const { address } = await startGrpc([held.service]);
  const session = connectHttp2(address);
  for (let i = 0; i < 3_000; i += 1) {
    const call = openGrpcCall(session, ACQUIRE);
    call.end(REQUEST);
    const { ended } = await held.acquires.next();
    call.close(constants.NGHTTP2_CANCEL);
    expect(await ended).toBe("cancelled");
  }
  expect(session.destroyed).toBe(false);
});

test("a flood of resets ends its connection, and the others live on", async () => {
  const held = createHeldService();
  const { port, address } = await startGrpc([held.service]);
  const client = createGrpcClient(address);
  await client.tryAcquire(CLAIM);
  const { socket } = await connectRaw(port);
  const closed = new Promise((resolve) => socket.once("close", resolve));
  const began = performance.now();
  let stream = 1;
  while (!socket.destroyed) {
    const frames: Buffer[] = [];
    for (let i = 0; i < 200; i += 1, stream += 2) {
      frames.push(callFrame(stream, ACQUIRE), dataFrame(stream, REQUEST, END_STREAM), resetFrame(stream));
    }
    await new Promise((resolve) => socket.write(Buffer.concat(frames), resolve));
  }
  await closed;
  // So many at once, so many a second: faster ones are a flood.
  const seconds = (performance.now() - began) / 1000;
  expect(held.endings.length).toBeLessThan(4_000 + 1_000 * seconds + 500);
  await client.tryAcquire(CLAIM);
});
