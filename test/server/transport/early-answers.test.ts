/** An answer that comes before the end of its request leaves a connection that works, or one that it says is closed. */

import { once } from "node:events";
import { constants } from "node:http2";
import { connect as connectTcp, type Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  AdmissionService,
  TryAcquireRequestSchema,
} from "../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { REST_BYTES } from "../../../src/server/transport/web/request-rest.ts";
import { pathOf } from "./support/grpc-client.ts";
import { createHeldService } from "./support/held-service.ts";
import { connectHttp2, envelope, openGrpcCall, ping } from "./support/http2-client.ts";
import { LIMITS, startGrpc, startWeb } from "./support/ports.ts";

const ACQUIRE = pathOf(AdmissionService.method.acquire);
const TRY_ACQUIRE = pathOf(AdmissionService.method.tryAcquire);
const BYTES = toBinary(TryAcquireRequestSchema, create(TryAcquireRequestSchema, { claims: [{ limiter: "l" }] }));
const LARGE = Buffer.alloc(3 * LIMITS.maxMessageBytes, "x");

interface Asked {
  readonly path?: string;
  readonly method?: string;
  readonly type?: string;
  readonly body?: Uint8Array;
  readonly chunked?: boolean;
  readonly headers?: string;
}

function bytesOf({ path = TRY_ACQUIRE, method = "POST", type, body = BYTES, chunked, headers = "" }: Asked): Buffer {
  const length = chunked ? "transfer-encoding: chunked" : `content-length: ${body.byteLength}`;
  const head = `${method} ${path} HTTP/1.1\r\nhost: a\r\ncontent-type: ${type ?? "application/proto"}\r\n${length}\r\n${headers}\r\n`;
  const chunk = [Buffer.from(`${body.byteLength.toString(16)}\r\n`), body, Buffer.from("\r\n")];
  const chunks = [...(body.byteLength > 0 ? chunk : []), Buffer.from("0\r\n\r\n")];
  return Buffer.concat([Buffer.from(head), ...(chunked ? chunks : [body])]);
}

const EARLY: readonly (readonly [what: string, asked: Asked, status: number])[] = [
  [
    "an enveloped message that is too large, gRPC-Web",
    { type: "application/grpc-web+proto", body: envelope(LARGE) },
    200,
  ],
  ["one for a stream", { path: ACQUIRE, type: "application/grpc-web+proto", body: envelope(LARGE) }, 200],
  ["one for a stream, Connect", { path: ACQUIRE, type: "application/connect+proto", body: envelope(LARGE) }, 200],
  [
    "one that is announced too large",
    { path: ACQUIRE, type: "application/connect+proto", body: envelope(LARGE, 0, 2 ** 31) },
    200,
  ],
  ["a unary message that is too large", { body: LARGE }, 429],
  ["a wrong content type", { type: "text/plain", body: LARGE }, 415],
  ["a wrong method", { method: "PUT", body: LARGE }, 405],
  ["an unknown path", { path: "/no.Such/Method", body: LARGE }, 404],
  ["an unknown method of gRPC-Web", { path: "/no.Such/Method", type: "application/grpc-web", body: LARGE }, 200],
  ["a body where none belongs", { path: "/", method: "GET", body: LARGE }, 200],
  [
    "a preflight with a body",
    { method: "OPTIONS", body: LARGE, headers: "origin: http://b\r\naccess-control-request-method: POST\r\n" },
    204,
  ],
  ["a message that breaks a rule", { body: new Uint8Array() }, 400],
  ["a message that is none", { body: Buffer.from([255, 255, 255]) }, 500],
  [
    "an envelope that is cut off",
    { path: ACQUIRE, type: "application/connect+proto", body: envelope(BYTES, 0, 1_000) },
    200,
  ],
  ["a request that expects to go on", { path: "/no", body: LARGE, headers: "expect: 100-continue\r\n" }, 404],
];

describe.each([
  ["with a length", false],
  ["chunked", true],
])("over HTTP/1.1, %s", (_name, chunked) => {
  test.each(EARLY)("after %s the connection carries the next request", async (_what, asked, status) => {
    const { port } = await startWeb([createHeldService().service], { cors: { origins: ["http://b"] } });
    const client = connectText(port);
    // Pipelined, and once more when all was answered.
    client.socket.write(Buffer.concat([bytesOf({ ...asked, chunked }), bytesOf({ path: "/", method: "GET" })]));
    await client.until((text) => statuses(text).length === 2);
    client.socket.write(bytesOf({}));
    await client.until((text) => statuses(text).length === 3);
    expect(statuses(client.text())).toEqual([status, 200, 200]);
    expect(client.text()).not.toMatch(/connection: close/i);
  });

  test("a rest beyond all bounds is closed with the answer, which arrives", async () => {
    const { port } = await startWeb([createHeldService().service]);
    const client = connectText(port);
    const body = envelope(Buffer.alloc(4 * REST_BYTES));
    client.socket.write(bytesOf({ path: ACQUIRE, type: "application/grpc-web+proto", body, chunked }));
    await client.ended;
    expect(statuses(client.text())).toEqual([200]);
    expect(client.text()).toMatch(/connection: close/i);
    expect(client.errors).toEqual([]);
  });
});

test("a request whose rest never comes is closed with the answer", async () => {
  const { port } = await startWeb([createHeldService().service]);
  const client = connectText(port);
  client.socket.write(bytesOf({ path: "/no", body: LARGE }).subarray(0, 1_000));
  await client.ended;
  expect(statuses(client.text())).toEqual([404]);
  expect(client.text()).toMatch(/connection: close/i);
});

test("a call of gRPC over HTTP/1.0 can send the whole of its message, and then has its answer", async () => {
  const { port } = await startWeb([createHeldService().service]);
  const client = connectText(port);
  const message = envelope(Buffer.alloc(1 << 20));
  const head = `POST ${TRY_ACQUIRE} HTTP/1.0\r\ncontent-type: application/grpc\r\ncontent-length: ${message.byteLength}\r\n\r\n`;
  client.socket.write(head);
  for (let at = 0; at < message.byteLength; at += 1 << 15) {
    // The server has its turn between the pieces.
    await setImmediate();
    client.socket.write(message.subarray(at, at + (1 << 15)));
  }
  await client.ended;
  expect(statuses(client.text())).toEqual([505]);
  expect(client.errors).toEqual([]);
});

describe.each([
  ["gRPC", startGrpc, "application/grpc"],
  ["web", startWeb, "application/grpc"],
  ["web", startWeb, "application/grpc-web+proto"],
  ["web", startWeb, "application/connect+proto"],
])("over HTTP/2, on the %s port", (_name, start, type) => {
  test.each([
    ["a message that is too large", ACQUIRE, envelope(Buffer.alloc(1 << 20))],
    ["an unknown path", "/no.Such/Method", envelope(Buffer.alloc(1 << 20))],
    ["a message that is announced too large", ACQUIRE, envelope(BYTES, 0, 2 ** 31)],
  ])(`after %s as ${type} the connection carries other calls, and the stream is closed`, async (_what, path, body) => {
    const { address } = await start([createHeldService().service]);
    const session = connectHttp2(address);
    await ping(session);
    const calls = Array.from({ length: 5 }, () => {
      const call = openGrpcCall(session, path, { "content-type": type });
      call.write(body);
      call.resume();
      return call;
    });
    await Promise.all(calls.map((call) => once(call, "response")));
    const next = openGrpcCall(session, TRY_ACQUIRE);
    next.end(envelope(BYTES));
    const [headers] = await once(next, "response");
    expect(headers[":status"]).toBe(200);
    await Promise.all(calls.map((call) => call.destroyed || once(call, "close")));
    expect(new Set(calls.map(({ rstCode }) => rstCode))).toEqual(new Set([constants.NGHTTP2_NO_ERROR]));
    expect(session.destroyed).toBe(false);
  });
});

function connectText(port: number) {
  const socket: Socket = connectTcp({ port, host: "127.0.0.1", noDelay: true });
  onTestFinished(() => {
    socket.destroy();
  });
  let text = "";
  const errors: Error[] = [];
  socket.on("error", (error) => errors.push(error));
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
  });
  return {
    socket,
    errors,
    text: () => text,
    /** The server has closed its side. */
    ended: new Promise<void>((resolve) => socket.once("end", () => resolve()).once("close", () => resolve())),
    async until(isThere: (text: string) => boolean) {
      while (!isThere(text)) {
        if (socket.destroyed || socket.readableEnded) throw new Error(`the connection ended after: ${text}`);
        await new Promise((resolve) => socket.once("data", resolve).once("close", resolve));
      }
    },
  };
}

function statuses(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)]
    .map(([, status]) => Number(status))
    .filter((status) => status !== 100);
}
