/** Calls that are refused before they come to their method are counted, once each, by their status and under names that are few. */

import { request } from "node:http";
import type { OutgoingHttpHeaders } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import type { Authenticator } from "../../../src/server/access/authenticator.ts";
import { createSystemClock } from "../../../src/server/clock.ts";
import { TryAcquireRequestSchema } from "../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { createCallTimes, statusName } from "../../../src/server/transport/rpc/call-times.ts";
import { endedOf } from "./support/ended.ts";
import { createHeldService } from "./support/held-service.ts";
import { connectHttp2, envelope, openGrpcCall, outcomeOf } from "./support/http2-client.ts";
import { LIMITS, type PortOptions, startGrpc, startWeb } from "./support/ports.ts";

const METHOD = "/ggen.backpressure.v1.AdmissionService/TryAcquire";
const STREAM = "/ggen.backpressure.v1.AdmissionService/Acquire";
const SESSION = "/ggen.backpressure.v1.SessionService/Session";
const MESSAGE = toBinary(TryAcquireRequestSchema, create(TryAcquireRequestSchema, { claims: [{ limiter: "db" }] }));
const REQUEST = envelope(MESSAGE);
/** A field that goes on beyond the message's end. */
const MALFORMED = Buffer.from([0x0a, 0x7f]);
const TOO_LARGE = Buffer.alloc(LIMITS.maxMessageBytes + 1);
/** Knows nobody. */
const STRICT: Authenticator = {
  isOpen: false,
  identify: async () => undefined,
  logIn: async () => undefined,
  watch: () => () => {},
};

interface Asked {
  readonly path?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: Uint8Array;
}

/** Makes one call over HTTP/2, and returns what was counted. */
async function counted(port: typeof startGrpc | typeof startWeb, asked: Asked, options: PortOptions = {}) {
  const { path = METHOD, headers = {}, body = REQUEST } = asked;
  const clock = createSystemClock();
  const times = createCallTimes(clock);
  const held = createHeldService();
  const { address } = await port([held.service, held.sessionService], { ...options, clock, times });
  const call = openGrpcCall(connectHttp2(address, { settings: { enablePush: false } }), path, headers);
  call.end(body);
  const { status } = await outcomeOf(call);
  const ended = endedOf(times);
  // What is counted is what the caller hears.
  if (status !== undefined) expect(Object.keys(ended)).toEqual([expect.stringContaining(statusName(Number(status)))]);
  return ended;
}

test.each<[what: string, asked: Asked, expected: string]>([
  ["a method that is not there", { path: "/a.B/C" }, "_OTHER UNIMPLEMENTED"],
  ["a path whose bytes are no text", { path: "/a.B/%E0%A4%A" }, "_OTHER UNIMPLEMENTED"],
  ["a path that ends in %", { path: `${METHOD}%` }, "_OTHER UNIMPLEMENTED"],
  ["a path with letters that need bytes", { path: "/\u00ff\u00fe" }, "_OTHER UNIMPLEMENTED"],
  ["a path that is empty", { path: "/" }, "_OTHER UNIMPLEMENTED"],
  ["a service's method that has no function", { path: METHOD.replace("TryAcquire", "Renew") }, "Renew UNIMPLEMENTED"],
  ["another verb", { headers: { ":method": "PUT" } }, "TryAcquire INTERNAL"],
  ["another codec", { headers: { "content-type": "application/grpc+json" } }, "TryAcquire UNIMPLEMENTED"],
  ["an unknown encoding", { headers: { "grpc-encoding": "br" } }, "TryAcquire UNIMPLEMENTED"],
  ["an encoding that is no text", { headers: { "grpc-encoding": "%E0%A4%A" } }, "TryAcquire UNIMPLEMENTED"],
  ["a message that is none", { body: envelope(MALFORMED) }, "TryAcquire INTERNAL"],
  ["a stream's message that is none", { path: STREAM, body: envelope(MALFORMED) }, "Acquire INTERNAL"],
  ["a message that is too large", { body: envelope(TOO_LARGE) }, "TryAcquire RESOURCE_EXHAUSTED"],
  [
    "a message that is compressed, and does not say how",
    { body: envelope(MESSAGE, 1), headers: { "grpc-encoding": "gzip" } },
    "TryAcquire INTERNAL",
  ],
  ["no message", { body: new Uint8Array() }, "TryAcquire UNIMPLEMENTED"],
  ["two messages", { body: Buffer.concat([REQUEST, REQUEST]) }, "TryAcquire UNIMPLEMENTED"],
  [
    "too many headers",
    { headers: { "x-large": "x".repeat(LIMITS.maxMetadataBytes) } },
    "TryAcquire RESOURCE_EXHAUSTED",
  ],
])("on the gRPC port, a call with %s is counted", async (_what, asked, expected) => {
  expect(await counted(startGrpc, asked)).toEqual({ [`grpc ${expected}`]: 1 });
});

test.each<[what: string, asked: Asked, expected: string]>([
  ["a method that is not there", { path: "/a.B/C" }, "_OTHER UNIMPLEMENTED"],
  ["a path whose bytes are no text", { path: "/a.B/%E0%A4%A" }, "_OTHER UNIMPLEMENTED"],
  ["a path that ends in %", { path: `${METHOD}%` }, "_OTHER UNIMPLEMENTED"],
  ["a path with letters that need bytes", { path: "/\u00ff\u00fe" }, "_OTHER UNIMPLEMENTED"],
  ["a path that is empty", { path: "/" }, "_OTHER UNIMPLEMENTED"],
  ["a message that is none", { body: envelope(MALFORMED) }, "TryAcquire INTERNAL"],
  ["a message that is too large", { body: envelope(TOO_LARGE) }, "TryAcquire RESOURCE_EXHAUSTED"],
  ["a stream's message that is none", { path: STREAM, body: envelope(MALFORMED) }, "Acquire INTERNAL"],
  ["no message", { body: new Uint8Array() }, "TryAcquire UNIMPLEMENTED"],
  ["another verb", { headers: { ":method": "PUT" } }, "TryAcquire UNIMPLEMENTED"],
  [
    "too many headers",
    { headers: { "x-large": "x".repeat(LIMITS.maxMetadataBytes) } },
    "TryAcquire RESOURCE_EXHAUSTED",
  ],
])(
  "on the web port, a call of gRPC, gRPC-Web or a stream of Connect with %s is counted",
  async (_w, asked, expected) => {
    for (const type of ["application/grpc", "application/grpc-web+proto"]) {
      const headers = { "content-type": type, ...asked.headers };
      expect(await counted(startWeb, { ...asked, headers }), type).toEqual({ [`grpc ${expected}`]: 1 });
    }
    if (asked.path !== STREAM) return;
    const headers = { "content-type": "application/connect+proto" };
    expect(await counted(startWeb, { ...asked, headers })).toEqual({ [`connectrpc ${expected}`]: 1 });
  },
);

test.each<[what: string, asked: Asked, expected: string | undefined]>([
  ["a method that is not there", { path: "/a.B/C" }, "_OTHER UNIMPLEMENTED"],
  ["a path whose bytes are no text", { path: "/a.B/%E0%A4%A" }, "_OTHER UNIMPLEMENTED"],
  ["a path that ends in %", { path: `${METHOD}%` }, "_OTHER UNIMPLEMENTED"],
  ["a path with letters that need bytes", { path: "/\u00ff\u00fe" }, "_OTHER UNIMPLEMENTED"],
  ["a path that is empty", { path: "/" }, "_OTHER UNIMPLEMENTED"],
  ["a message that is none", { body: MALFORMED }, "TryAcquire INTERNAL"],
  ["a message that is too large", { body: TOO_LARGE }, "TryAcquire RESOURCE_EXHAUSTED"],
  ["a timeout that is none", { headers: { "connect-timeout-ms": "soon" } }, "TryAcquire INVALID_ARGUMENT"],
  ["an unknown encoding", { headers: { "content-encoding": "br" } }, "TryAcquire UNIMPLEMENTED"],
  ["the type of a page", { headers: { "content-type": "text/plain" } }, "TryAcquire UNIMPLEMENTED"],
  // A page that is not there is no call.
  ["the type and the path of a page", { path: "/a", headers: { "content-type": "text/plain" } }, undefined],
])("on the web port, a unary call of Connect with %s is counted", async (_what, asked, expected) => {
  const headers = { "content-type": "application/proto", ...asked.headers };
  const ended = await counted(startWeb, { body: MESSAGE, ...asked, headers });
  expect(ended).toEqual(expected === undefined ? {} : { [`connectrpc ${expected}`]: 1 });
});

test.each([METHOD, STREAM, SESSION, "/a.B/C"])(
  "a call of %s with a bad credential is counted on both ports",
  async (path) => {
    const name = path === "/a.B/C" ? "_OTHER" : path.split("/")[2];
    const expected = { [`grpc ${name} UNAUTHENTICATED`]: 1 };
    expect(await counted(startGrpc, { path }, { authenticator: STRICT })).toEqual(expected);
    // Of what is not there nobody is asked who they are.
    if (name === "_OTHER") return;
    expect(await counted(startWeb, { path }, { authenticator: STRICT })).toEqual(expected);
  },
);

test("over HTTP/1.1 calls are counted as over HTTP/2", async () => {
  const clock = createSystemClock();
  const times = createCallTimes(clock);
  const { port } = await startWeb([createHeldService().service], { clock, times });
  for (const [path, body] of [
    [METHOD, MALFORMED],
    ["/a.B/C", MESSAGE],
    ["/a.B/D", MESSAGE],
  ] as const) {
    const headers = { "content-type": "application/proto" };
    await new Promise<void>((resolve, reject) => {
      request({ port, path, method: "POST", headers }, (response) => response.resume().once("end", resolve))
        .on("error", reject)
        .end(body);
    });
  }
  expect(endedOf(times)).toEqual({ "connectrpc TryAcquire INTERNAL": 1, "connectrpc _OTHER UNIMPLEMENTED": 2 });
});

test("calls that methods answer with an error, or that end by their deadline, are counted by these alone", async () => {
  const refused = await counted(startGrpc, { body: envelope(new Uint8Array()) });
  expect(refused).toEqual({ "grpc TryAcquire INVALID_ARGUMENT": 1 });
  const late = await counted(startGrpc, { path: STREAM, headers: { "grpc-timeout": "50m" } });
  expect(late).toEqual({ "grpc Acquire DEADLINE_EXCEEDED": 1 });
  const lateSession = await counted(startGrpc, { path: SESSION, headers: { "grpc-timeout": "50m" } });
  expect(Object.values(lateSession)).toEqual([1]);
});
