import { once } from "node:events";
import { constants } from "node:http2";
import type { Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import {
  AcquireRequestSchema,
  AdmissionService,
} from "../../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { SessionService } from "../../../../src/server/gen/ggen/backpressure/v1/session_service_pb.ts";
import type { StreamEnd } from "../../../../src/server/service/rpc.ts";
import { createGrpcClient, pathOf } from "../support/grpc-client.ts";
import { createHeldService, type HeldService, waiting } from "../support/held-service.ts";
import { startHolder } from "../support/holder.ts";
import {
  connectHttp2,
  connectHttp2OnSocket,
  envelope,
  openGrpcCall,
  outcomeOf,
  ping,
} from "../support/http2-client.ts";
import { callFrame, connectRaw, dataFrame, END_STREAM, resetFrame } from "../support/http2-frames.ts";
import { startGrpc } from "../support/ports.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";

const CLAIM = { claims: [{ limiter: "l" }] };
const ACQUIRE = pathOf(AdmissionService.method.acquire);
const SESSION = pathOf(SessionService.method.session);
const REQUEST = envelope(toBinary(AcquireRequestSchema, create(AcquireRequestSchema, CLAIM)));
const NOTHING = Buffer.alloc(0);
const BYTEWISE = [...REQUEST].map((byte) => dataFrame(1, Buffer.from([byte])));
const GZIP = { "grpc-encoding": "gzip" };
const GZIPPED = envelope(gzipSync(REQUEST.subarray(5)), 1);
const BREAK = "break";
const SOON = { keepaliveTime: 200_000, keepaliveTimeout: 200_000 };
const STREAMS = 50;

/** How all the streams that were opened end. */
async function endingsOf(held: HeldService, streams: number): Promise<Set<StreamEnd>> {
  const endings: StreamEnd[] = [];
  for (let i = 0; i < streams; i += 1) endings.push(await (await held.acquires.next()).ended);
  return new Set(endings);
}

test("the streams of a killed process are lost", async () => {
  const held = createHeldService();
  const { address } = await startGrpc([held.service]);
  const holder = await startHolder(address, STREAMS);
  holder.process.kill("SIGKILL");
  expect(await endingsOf(held, STREAMS)).toEqual(new Set(["lost"]));
});

test.each([
  ["cancels them", "cancel", "cancelled"],
  ["cancels them and closes its channel at once", "cancel-and-close", "cancelled"],
  ["cancels them and exits at once", "cancel-and-exit", "cancelled"],
  ["closes its channel and exits", "close-and-exit", "lost"],
  ["exits", "exit", "lost"],
] as const)("the streams of a client that %s", async (_what, order, how) => {
  const held = createHeldService();
  const { address } = await startGrpc([held.service]);
  const holder = await startHolder(address, STREAMS);
  holder.order(order);
  expect(await endingsOf(held, STREAMS)).toEqual(new Set([how]));
});

test("the streams of a connection that has become a black hole are lost when a ping stays unanswered", async () => {
  const held = createHeldService();
  const { port } = await startGrpc([held.service], { liveness: SOON });
  const proxy = await startTcpProxy(port);
  await startHolder(proxy.address, STREAMS);
  proxy.blackHole();
  expect(await endingsOf(held, STREAMS)).toEqual(new Set(["lost"]));
});

test("they are lost also while the kernel takes no more bytes for them", async () => {
  const held = createHeldService();
  const { port, transport } = await startGrpc([held.service], { liveness: SOON });
  const proxy = await startTcpProxy(port);
  const session = connectHttp2(proxy.address, { settings: { initialWindowSize: 2 ** 31 - 1 } });
  openGrpcCall(session, ACQUIRE).end(REQUEST);
  const { stream, ended } = await held.acquires.next();
  session.setLocalWindowSize(2 ** 31 - 1);
  await ping(session);
  proxy.stall();
  const message = waiting(1);
  // Unknown fields go out as they are: a large message, to fill the buffers of two kernels.
  message.$unknown = [
    { no: 100, wireType: 2, data: Buffer.concat([Buffer.from([0x80, 0x80, 0x40]), Buffer.alloc(1 << 20)]) },
  ];
  for (let i = 0; i < 32; i += 1) stream.send(message);
  expect(await ended).toBe("lost");
  await transport.close();
});

test("a stream whose deadline has passed is cancelled, whether its client says so or not", async () => {
  const held = createHeldService();
  const { address } = await startGrpc([held.service]);
  const call = createGrpcClient(address).acquire(CLAIM, { deadline: Date.now() + 1_000 });
  const failed = once(call.resume(), "error");
  const silent = openGrpcCall(connectHttp2(address), ACQUIRE, { "grpc-timeout": "1S" });
  silent.end(REQUEST);
  expect(await endingsOf(held, 2)).toEqual(new Set(["cancelled"]));
  expect((await failed)[0]).toMatchObject({ code: status.DEADLINE_EXCEEDED });
  expect(await outcomeOf(silent)).toMatchObject({ status: String(status.DEADLINE_EXCEEDED) });
});

test("a session whose deadline has passed is cancelled, though its client has not heard and talks on", async () => {
  const held = createHeldService();
  const { address } = await startGrpc([held.sessionService]);
  const call = openGrpcCall(connectHttp2(address), SESSION, { "grpc-timeout": "500m" });
  const stream = await held.sessions.next();
  expect(await new Promise((resolve) => stream.onEnd(resolve))).toBe("cancelled");
  expect(call.writable).toBe(true);
});

test.each([
  ["whose deadline passes", REQUEST, { "grpc-timeout": "20m" }, status.DEADLINE_EXCEEDED],
  ["with a second message", Buffer.concat([REQUEST, REQUEST]), {}, status.UNIMPLEMENTED],
  [
    "with half a message too much",
    Buffer.concat([REQUEST, envelope(NOTHING, 0, 2 ** 31)]),
    {},
    status.RESOURCE_EXHAUSTED,
  ],
])("a call %s before its request is complete never reaches its service", async (_what, bytes, headers, code) => {
  const held = createHeldService();
  const { address } = await startGrpc([held.service]);
  const session = connectHttp2(address);
  const call = openGrpcCall(session, ACQUIRE, headers);
  call.write(bytes);
  const [answer] = await once(call, "response");
  expect(answer["grpc-status"]).toBe(String(code));
  call.end();
  await outcomeOf(call);
  await ping(session);
  expect(held.acquires.untaken).toEqual([]);
});

test("a client that has closed its channel keeps the streams that it has, and is probed all the same", async () => {
  const held = createHeldService();
  const { port } = await startGrpc([held.service], { liveness: SOON });
  const proxy = await startTcpProxy(port);
  const holder = await startHolder(proxy.address, 1);
  holder.order("close");
  const { ended } = await held.acquires.next();
  const GOAWAY = 17;
  const SETTINGS_ACK = 9;
  await proxy.fromClient(GOAWAY + 5 * SETTINGS_ACK);
  expect(held.endings).toEqual([]);
  proxy.blackHole();
  expect(await ended).toBe("lost");
});

test.each(["sends GOAWAY with an error", "sends what is no HTTP/2", "resets its connection"])(
  "the streams of a client that %s are lost",
  async (what) => {
    const held = createHeldService();
    const { port } = await startGrpc([held.service]);
    const { session, socket } = connectHttp2OnSocket(port);
    openGrpcCall(session, ACQUIRE).end(REQUEST);
    const { ended } = await held.acquires.next();
    if (what === "sends GOAWAY with an error") session.goaway(constants.NGHTTP2_PROTOCOL_ERROR);
    else if (what === "resets its connection") socket.resetAndDestroy();
    else socket.write(Buffer.alloc(1000, 0xff));
    expect(await ended).toBe("lost");
  },
);

test.each([
  [
    "headers, message and reset in one packet",
    [callFrame(1, ACQUIRE), dataFrame(1, REQUEST, END_STREAM), resetFrame(1)],
  ],
  ["headers, half a request and reset in one packet", [callFrame(1, ACQUIRE), dataFrame(1, REQUEST), resetFrame(1)]],
  ["a reset after the headers", [callFrame(1, ACQUIRE), BREAK, dataFrame(1, REQUEST, END_STREAM), resetFrame(1)]],
  ["a reset after the message", [callFrame(1, ACQUIRE), dataFrame(1, REQUEST), BREAK, resetFrame(1)]],
  ["a reset after the request", [callFrame(1, ACQUIRE), dataFrame(1, REQUEST, END_STREAM), BREAK, resetFrame(1)]],
  [
    "a message of many parts",
    [callFrame(1, ACQUIRE), ...BYTEWISE, BREAK, dataFrame(1, NOTHING, END_STREAM), resetFrame(1)],
  ],
  ["a compressed message", [callFrame(1, ACQUIRE, GZIP), dataFrame(1, GZIPPED, END_STREAM), BREAK, resetFrame(1)]],
  [
    "a compressed message that is still open",
    [callFrame(1, ACQUIRE, GZIP), dataFrame(1, GZIPPED), BREAK, resetFrame(1)],
  ],
  ["a connection that ends at once", [callFrame(1, ACQUIRE), dataFrame(1, REQUEST, END_STREAM), "end"]],
  ["a connection that ends after the message", [callFrame(1, ACQUIRE), dataFrame(1, REQUEST), "end"]],
  ["a connection that is reset", [callFrame(1, ACQUIRE), dataFrame(1, REQUEST, END_STREAM), "reset"]],
] as const)("a service hears the end of every stream that it was given: %s", async (_what, script) => {
  const held = createHeldService();
  const { port, transport } = await startGrpc([held.service]);
  for (let round = 0; round < 20; round += 1) {
    const { socket, seen } = await connectRaw(port);
    await sendScript(socket, script);
    if (!socket.destroyed) await seen();
    socket.destroy();
  }
  await transport.close();
  expect(held.endings).toHaveLength(held.acquires.untaken.length);
});

/** Sends frames, as few packets as it may; a break lets the server read what came before. */
async function sendScript(socket: Socket, script: readonly (Buffer | "end" | "reset" | typeof BREAK)[]): Promise<void> {
  let packet: Buffer[] = [];
  for (const step of [...script, BREAK]) {
    if (typeof step !== "string") {
      packet.push(step);
      continue;
    }
    socket.write(Buffer.concat(packet));
    packet = [];
    if (step === "end") socket.end();
    if (step === "reset") socket.resetAndDestroy();
    await new Promise((resolve) => setImmediate(resolve));
  }
}
