/** The debug log has one line for each call that begins, and one for each that is refused, wherever that is decided. */

import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { describe, expect, onTestFinished, test } from "vitest";
import { createSystemClock } from "../../../src/server/clock.ts";
import {
  AcquireRequestSchema,
  AdmissionService,
  TryAcquireRequestSchema,
} from "../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import {
  SessionRequestSchema,
  SessionService,
} from "../../../src/server/gen/ggen/backpressure/v1/session_service_pb.ts";
import { createCallTimes } from "../../../src/server/transport/rpc/call-times.ts";
import { createDispatcher } from "../../../src/server/transport/rpc/dispatch.ts";
import { WireError } from "../../../src/server/wire/error-wire.ts";
import { callOf } from "../../support/call-of.ts";
import { pathOf } from "./support/grpc-client.ts";
import { createHeldService } from "./support/held-service.ts";
import { connectHttp2, envelope, openGrpcCall, outcomeOf } from "./support/http2-client.ts";
import { createMemoryLog, type MemoryLog } from "./support/memory-log.ts";
import { LIMITS, startGrpc, startWeb } from "./support/ports.ts";

const { acquire, tryAcquire } = AdmissionService.method;
const { session } = SessionService.method;
const CLAIM = { claims: [{ limiter: "l" }] };
const PORTS = [
  ["gRPC", startGrpc],
  ["web", startWeb],
] as const;

function requestOf<D extends DescMessage>(schema: D, message: MessageInitShape<D>): Uint8Array {
  return envelope(toBinary(schema, create(schema, message)));
}

function linesOf(log: MemoryLog): unknown[] {
  return log
    .at("debug")
    .map(({ message, fields }) => [message, String(fields.method).split("/").at(-1), fields.code ?? fields.status]);
}

const FULL = new WireError(Code.ResourceExhausted, "full");

describe.each(PORTS)("on the %s port", (_name, start) => {
  test("a call that is served has one line, however many messages it has", async () => {
    const held = createHeldService();
    const { address, log } = await start([held.service, held.sessionService]);
    const client = connectHttp2(address);
    const unary = openGrpcCall(client, pathOf(tryAcquire));
    unary.end(requestOf(TryAcquireRequestSchema, CLAIM));
    await outcomeOf(unary);
    const bidi = openGrpcCall(client, pathOf(session));
    const stream = await held.sessions.next();
    const seen = new Promise<void>((resolve) => {
      let left = 2;
      stream.onMessage(() => {
        left -= 1;
        if (left === 0) resolve();
      });
    });
    bidi.write(requestOf(SessionRequestSchema, {}));
    bidi.write(requestOf(SessionRequestSchema, {}));
    await seen;
    stream.end();
    bidi.end();
    await outcomeOf(bidi);
    expect(linesOf(log)).toEqual([
      ["a call", "TryAcquire", undefined],
      ["a call", "Session", undefined],
    ]);
  });

  test("a call that is refused has one more: by its answer, by its stream, by the contract", async () => {
    const held = createHeldService(() => {
      throw FULL;
    });
    const { address, log } = await start([held.service]);
    const client = connectHttp2(address);
    const unary = openGrpcCall(client, pathOf(tryAcquire));
    unary.end(requestOf(TryAcquireRequestSchema, CLAIM));
    await outcomeOf(unary);
    const stream = openGrpcCall(client, pathOf(acquire));
    stream.end(requestOf(AcquireRequestSchema, CLAIM));
    (await held.acquires.next()).stream.fail(FULL);
    await outcomeOf(stream);
    for (const [method, schema] of [
      [tryAcquire, TryAcquireRequestSchema],
      [acquire, AcquireRequestSchema],
    ] as const) {
      const invalid = openGrpcCall(client, pathOf(method));
      invalid.end(requestOf(schema, {}));
      await outcomeOf(invalid);
    }
    expect(linesOf(log)).toEqual([
      ["a call", "TryAcquire", undefined],
      ["a call is refused", "TryAcquire", Code.ResourceExhausted],
      ["a call", "Acquire", undefined],
      ["a call is refused", "Acquire", Code.ResourceExhausted],
      ["a call", "TryAcquire", undefined],
      ["a call is refused", "TryAcquire", Code.InvalidArgument],
      ["a call", "Acquire", undefined],
      ["a call is refused", "Acquire", Code.InvalidArgument],
    ]);
  });

  test("so has a stream for which its connection has no place", async () => {
    const held = createHeldService();
    const { address, log } = await start([held.service], { limits: { maxStreamsPerConnection: 1 } });
    const client = connectHttp2(address);
    openGrpcCall(client, pathOf(acquire)).end(requestOf(AcquireRequestSchema, CLAIM));
    await held.acquires.next();
    const second = openGrpcCall(client, pathOf(acquire));
    second.end(requestOf(AcquireRequestSchema, CLAIM));
    await outcomeOf(second);
    expect(linesOf(log).at(-1)).toEqual(["a call is refused", "Acquire", Code.ResourceExhausted]);
  });

  test("so has one with more metadata than may be, before it is a call", async () => {
    const { address, log } = await start([createHeldService().service]);
    const client = connectHttp2(address, { settings: { enablePush: false } });
    const large = { "x-large": "x".repeat(2 * LIMITS.maxMetadataBytes) };
    await outcomeOf(openGrpcCall(client, pathOf(acquire), large));
    expect(linesOf(log)).toEqual([["a call is refused", "Acquire", Code.ResourceExhausted]]);
  });
});

test.each([
  [{ ":method": "PUT" }, Code.Internal],
  [{ "content-type": "application/grpc+json" }, Code.Unimplemented],
  [{ "grpc-encoding": "br" }, Code.Unimplemented],
])("on the gRPC port, a request that is no call of gRPC is refused: %j", async (headers, code) => {
  const { address, log } = await startGrpc([createHeldService().service]);
  const call = openGrpcCall(connectHttp2(address), pathOf(acquire), headers as Record<string, string>);
  call.end();
  await outcomeOf(call);
  expect(linesOf(log)).toEqual([["a call is refused", "Acquire", code]]);
});

test.each([
  ["an unknown path", "POST /no.Such/Method", "application/proto", 404],
  ["an unknown method of gRPC-Web", "POST /no.Such/Method", "application/grpc-web", 200],
  ["a wrong method", `PUT ${pathOf(tryAcquire)}`, "application/proto", 405],
  ["a wrong content type", `POST ${pathOf(tryAcquire)}`, "text/plain", 415],
  ["no message", `POST ${pathOf(tryAcquire)}`, "application/json", 400],
  ["gRPC over HTTP/1.0", `POST ${pathOf(tryAcquire)}`, "application/grpc", 505],
])("on the web port, %s is refused before it is a call", async (_what, line, type, status) => {
  const { port, log } = await startWeb([createHeldService().service]);
  const socket = connectTcp({ port, host: "127.0.0.1" });
  onTestFinished(() => void socket.destroy());
  const version = status === 505 ? "1.0" : "1.1";
  socket.write(
    `${line} HTTP/${version}\r\nhost: a\r\nconnection: close\r\ncontent-type: ${type}\r\ncontent-length: 1\r\n\r\n{`,
  );
  socket.resume();
  await once(socket, "end");
  expect(log.at("debug").map(({ message, fields }) => [message, fields.status])).toEqual([
    ["a call is refused", status],
  ]);
});

test("nothing is put together for a level that is off", () => {
  const log = createMemoryLog();
  const dispatcher = createDispatcher({
    services: [],
    times: createCallTimes(createSystemClock()),
    log: { ...log, isDebugging: false },
  });
  dispatcher.began(acquire, callOf());
  dispatcher.refused(acquire, FULL, callOf());
  dispatcher.refusedEarly({ path: pathOf(acquire), system: "grpc", arrivedAt: 0 }, FULL);
  expect(dispatcher.errorOf(acquire, FULL, callOf())).toBe(FULL);
  expect(log.lines).toEqual([]);
});
