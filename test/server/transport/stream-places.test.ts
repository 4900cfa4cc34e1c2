/** What may last on one connection, and that what is short finds room beside it. */

import { constants } from "node:http2";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import {
  AcquireRequestSchema,
  AdmissionService,
  TryAcquireRequestSchema,
} from "../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { ErrorInfoSchema, RetryInfoSchema } from "../../../src/server/gen/google/rpc/error_details_pb.ts";
import { Health } from "../../../src/server/gen/grpc/health/v1/health_pb.ts";
import { createHealth } from "../../../src/server/service/health.ts";
import { createStreamPlaces, PATIENCE } from "../../../src/server/transport/http2/stream-places.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { createGrpcClient, failureOf, pathOf, richStatusOf } from "./support/grpc-client.ts";
import { createHeldService } from "./support/held-service.ts";
import { connectHttp2, envelope, openGrpcCall, outcomeOf, ping } from "./support/http2-client.ts";
import { callFrame, connectRaw, dataFrame, END_STREAM, resetFrame } from "./support/http2-frames.ts";
import { startGrpc, startWeb } from "./support/ports.ts";

const ACQUIRE = pathOf(AdmissionService.method.acquire);
const TRY_ACQUIRE = pathOf(AdmissionService.method.tryAcquire);
const CLAIM = { claims: [{ limiter: "l" }] };
const REQUEST = envelope(toBinary(AcquireRequestSchema, create(AcquireRequestSchema, CLAIM)));
const SHORT = envelope(toBinary(TryAcquireRequestSchema, create(TryAcquireRequestSchema, CLAIM)));
const PORTS = [
  ["gRPC", startGrpc],
  ["web", startWeb],
] as const;

describe.each(PORTS)("on the %s port", (_name, start) => {
  test("a connection that is full of waiting streams answers short calls and health at once", async () => {
    const held = createHeldService();
    const health = createHealth([]);
    health.set(true);
    const { address } = await start([held.service, health.service], { limits: { maxStreamsPerConnection: 10 } });
    // A client that opens as many as HTTP/2 lets it, on one connection.
    const session = connectHttp2(address);
    await ping(session);
    for (let i = 0; i < 40; i += 1) openGrpcCall(session, ACQUIRE).end(REQUEST);
    for (let i = 0; i < 10; i += 1) await held.acquires.next();
    for (let i = 0; i < 20; i += 1) {
      const call = openGrpcCall(session, TRY_ACQUIRE);
      call.end(SHORT);
      expect((await outcomeOf(call)).status).toBe("0");
    }
    const watch = openGrpcCall(session, pathOf(Health.method.watch));
    watch.end(envelope(new Uint8Array()));
    await new Promise((resolve) => watch.once("data", resolve));
  });

  test("a stream beyond the bound waits a moment for a place, and is then refused; the others live on", async () => {
    const clock = createFakeClock();
    const held = createHeldService();
    const { address } = await start([held.service], {
      limits: { maxStreamsPerConnection: 3 },
      liveness: { keepaliveTime: 3_600_000_000 },
      clock,
    });
    const session = connectHttp2(address);
    await ping(session);
    const calls = Array.from({ length: 5 }, () => openGrpcCall(session, ACQUIRE));
    const outcomes = calls.map(outcomeOf);
    for (const call of calls) call.end(REQUEST);
    const first = await held.acquires.next();
    for (let i = 0; i < 2; i += 1) await held.acquires.next();
    await ping(session);
    first.stream.end();
    expect((await outcomes[0])?.status).toBe("0");
    // The fourth has its place; the fifth waits on.
    await held.acquires.next();
    await ping(session);
    clock.advance(PATIENCE);
    expect(await outcomes[4]).toMatchObject({
      status: String(status.RESOURCE_EXHAUSTED),
      message: expect.stringContaining("this connection has 3 streams"),
    });
    await ping(session);
    expect(calls.map(({ destroyed }) => destroyed)).toEqual([true, false, false, false, true]);
  });

  test("of streams that are cancelled and replaced at the bound none is refused", async () => {
    const held = createHeldService();
    const { port } = await start([held.service], { limits: { maxStreamsPerConnection: 5 } });
    const { socket, seen } = await connectRaw(port);
    await seen();
    const seenFrames: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => seenFrames.push(chunk));
    const open = (stream: number) => [callFrame(stream, ACQUIRE), dataFrame(stream, REQUEST, END_STREAM)];
    const frames = [1, 3, 5, 7, 9].flatMap(open);
    for (let stream = 1; stream < 1_000; stream += 2) frames.push(resetFrame(stream), ...open(stream + 10));
    socket.write(Buffer.concat(frames));
    // The last five are begun in the end, and they are the only ones that were not cancelled.
    const last = await (async () => {
      for (;;) {
        const { ended } = await held.acquires.next();
        const how = await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 500, "open"))]);
        if (how === "open") return how;
      }
    })();
    expect(last).toBe("open");
    expect(socket.destroyed).toBe(false);
    const types = frameTypes(Buffer.concat(seenFrames));
    expect({ resets: types.filter((type) => type === 3), goaways: types.filter((type) => type === 7) }).toEqual({
      resets: [],
      goaways: [],
    });
  });

  test("a client that heeds no bound at all loses the streams beyond, and the connection lives on", async () => {
    const held = createHeldService();
    const { address } = await start([held.service], { limits: { maxStreamsPerConnection: 5 } });
    const session = connectHttp2(address, { peerMaxConcurrentStreams: 1_000_000 });
    await ping(session);
    const calls = Array.from({ length: 1_500 }, () => openGrpcCall(session, ACQUIRE));
    const outcomes = calls.map(outcomeOf);
    for (const call of calls) call.end(REQUEST);
    for (let i = 0; i < 5; i += 1) await held.acquires.next();
    const others = await Promise.all(outcomes.slice(5));
    expect(new Set(others.map((each) => each.status))).toEqual(new Set([String(status.RESOURCE_EXHAUSTED)]));
    const call = openGrpcCall(session, TRY_ACQUIRE);
    call.end(SHORT);
    expect((await outcomeOf(call)).status).toBe("0");
    expect(calls.slice(0, 5).map(({ destroyed }) => destroyed)).toEqual([false, false, false, false, false]);
  });

  test("requests that are never completed are bounded too, each beyond refused alone", async () => {
    const held = createHeldService();
    const { address } = await start([held.service], { limits: { maxStreamsPerConnection: 5 } });
    const session = connectHttp2(address, { peerMaxConcurrentStreams: 1_000_000 });
    await ping(session);
    const waiting = openGrpcCall(session, ACQUIRE);
    waiting.end(REQUEST);
    await held.acquires.next();
    const calls = Array.from({ length: 4_300 }, () => openGrpcCall(session, TRY_ACQUIRE));
    const refused = calls.slice(4_004).map(outcomeOf);
    expect(new Set((await Promise.all(refused)).map(({ rstCode }) => rstCode))).toEqual(
      new Set([constants.NGHTTP2_REFUSED_STREAM]),
    );
    await ping(session);
    expect([session.destroyed, waiting.destroyed]).toEqual([false, false]);
  });
});

test("the refusal says the bound, and when to try again: grpc-js", async () => {
  const held = createHeldService();
  const { address } = await startGrpc([held.service], { limits: { maxStreamsPerConnection: 1 } });
  const client = createGrpcClient(address);
  const first = client.acquire(CLAIM);
  first.on("error", () => {});
  await held.acquires.next();
  const second = client.acquire(CLAIM);
  const error = await failureOf(
    new Promise((resolve, reject) => second.on("error", reject).on("end", resolve).resume()),
  );
  const { details } = richStatusOf(error);
  expect(details.map(({ typeUrl }) => typeUrl.split("/").at(-1))).toEqual([
    ErrorInfoSchema.typeName,
    RetryInfoSchema.typeName,
  ]);
  expect(fromBinary(ErrorInfoSchema, details[0]?.value ?? new Uint8Array())).toMatchObject({
    reason: "TOO_MANY_STREAMS",
    metadata: { max_streams: "1" },
  });
});

test.each([
  ["Connect", (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion: "2" })],
  ["gRPC-Web", (baseUrl: string) => createGrpcWebTransport({ baseUrl, httpVersion: "2" })],
  ["gRPC", (baseUrl: string) => createGrpcTransport({ baseUrl })],
])("the refusal says the bound, and when to try again: %s", async (_name, createTransport) => {
  const held = createHeldService();
  const { address } = await startWeb([held.service], { limits: { maxStreamsPerConnection: 1 } });
  const client = createClient(AdmissionService, createTransport(`http://${address}`));
  const stop = new AbortController();
  const first = client.acquire(CLAIM, { signal: stop.signal })[Symbol.asyncIterator]();
  await first.next();
  const error = ConnectError.from(
    await client
      .acquire(CLAIM)
      [Symbol.asyncIterator]()
      .next()
      .then(
        () => undefined,
        (thrown) => thrown,
      ),
  );
  expect(error.code).toBe(Code.ResourceExhausted);
  expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "TOO_MANY_STREAMS" }]);
  expect(error.findDetails(RetryInfoSchema)).toHaveLength(1);
  stop.abort();
});

describe("places", () => {
  const log: string[] = [];
  const newcomer = (name: string) => ({
    begin: () => log.push(`${name} begins`),
    refuse: () => log.push(`${name} not`),
  });
  const script = (most: number) => {
    log.length = 0;
    const clock = createFakeClock();
    return { clock, places: createStreamPlaces(most, clock) };
  };

  test("are given in order, and one that is left goes to the next", () => {
    const { places } = script(1);
    const leaveA = places.take(newcomer("a"));
    const leaveB = places.take(newcomer("b"));
    places.take(newcomer("c"));
    leaveB();
    leaveA();
    leaveA();
    expect(log).toEqual(["a begins", "c begins"]);
  });

  test("of one that was refused are not given away twice", () => {
    const { clock, places } = script(1);
    const leaveA = places.take(newcomer("a"));
    const leaveB = places.take(newcomer("b"));
    clock.advance(PATIENCE);
    leaveB();
    places.take(newcomer("c"));
    expect(log).toEqual(["a begins", "b not"]);
    leaveA();
    expect(log).toEqual(["a begins", "b not", "c begins"]);
  });

  test("are waited for by 500 at most", () => {
    const { places } = script(1);
    for (let i = 0; i < 501; i += 1) places.take(newcomer(String(i)));
    expect(log).toEqual(["0 begins"]);
    places.take(newcomer("one too many"));
    expect(log).toEqual(["0 begins", "one too many not"]);
  });
});

function frameTypes(bytes: Buffer): number[] {
  const types: number[] = [];
  for (let at = 0; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) types.push(bytes.readUInt8(at + 3));
  return types;
}
