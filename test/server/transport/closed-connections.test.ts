/** What a connection leaves behind once it is closed: nothing, however it ended. */

import { once } from "node:events";
import { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Http2Session } from "node:http2";
import { type AddressInfo, connect, Socket } from "node:net";
import { queryObjects } from "node:v8";
import { create, toBinary } from "@bufbuild/protobuf";
import { beforeAll, expect, test } from "vitest";
import {
  AcquireRequestSchema,
  AdmissionService,
} from "../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { createRpcService } from "../../../src/server/service/rpc.ts";
import { pathOf } from "./support/grpc-client.ts";
import { waiting } from "./support/held-service.ts";
import { envelope } from "./support/http2-client.ts";
import { callFrame, dataFrame, END_STREAM, frame, PREFACE, resetFrame, SETTINGS_ACK } from "./support/http2-frames.ts";
import { type Port, startGrpc, startWeb } from "./support/ports.ts";

/** Of each kind of early end. */
const CONNECTIONS = 60;
/** Kept for a while on purpose (`session-keeper.ts`), or made by the runner. */
const SLACK = 30;

const ACQUIRE = pathOf(AdmissionService.method.acquire);
const REQUEST = envelope(toBinary(AcquireRequestSchema, create(AcquireRequestSchema, { claims: [{ limiter: "l" }] })));
const OPEN = Buffer.concat([callFrame(1, ACQUIRE), dataFrame(1, REQUEST, END_STREAM)]);
const PING = frame(6, 0, 0, Buffer.alloc(8));
const GOAWAY = frame(7, 0, 0, Buffer.alloc(8));

/** What a client sends, and then it is gone: `reset` by RST, else by FIN. */
type Script = readonly [what: string, bytes: Buffer, reset: boolean];

const HTTP2: readonly Script[] = [
  ["nothing at all", Buffer.alloc(0), false],
  ["half a preface", PREFACE.subarray(0, 10), true],
  ["preface and settings", PREFACE, true],
  ["a call, the server's settings not acknowledged", Buffer.concat([PREFACE, OPEN]), true],
  ["a call, the server's settings not acknowledged, and a FIN", Buffer.concat([PREFACE, OPEN]), false],
  ["a call", Buffer.concat([PREFACE, SETTINGS_ACK, OPEN]), true],
  ["a call and a FIN", Buffer.concat([PREFACE, SETTINGS_ACK, OPEN]), false],
  ["a call without its message", Buffer.concat([PREFACE, SETTINGS_ACK, callFrame(1, ACQUIRE)]), true],
  ["a call that was cancelled", Buffer.concat([PREFACE, SETTINGS_ACK, OPEN, resetFrame(1)]), true],
  ["a ping, not acknowledging the settings", Buffer.concat([PREFACE, PING]), true],
  ["a GOAWAY", Buffer.concat([PREFACE, SETTINGS_ACK, OPEN, GOAWAY]), true],
  ["a GOAWAY, not acknowledging the settings", Buffer.concat([PREFACE, OPEN, GOAWAY]), false],
  ["a fault of the protocol", Buffer.concat([PREFACE, OPEN, frame(8, 0, 0, Buffer.alloc(4))]), true],
  ["an unexpected acknowledgement", Buffer.concat([PREFACE, SETTINGS_ACK, SETTINGS_ACK, OPEN]), false],
];

const POST = `POST ${ACQUIRE} HTTP/1.1\r\nhost: a\r\ncontent-type: application/connect+proto\r\n`;
const HTTP1: readonly Script[] = [
  ["half a request line", Buffer.from("POST /gg"), true],
  ["headers without end", Buffer.from(POST), true],
  ["half a body", Buffer.from(`${POST}content-length: 100\r\n\r\n12345`), true],
  ["half a body, and a FIN", Buffer.from(`${POST}content-length: 100\r\n\r\n12345`), false],
  [
    "a call that waits",
    Buffer.concat([Buffer.from(`${POST}content-length: ${REQUEST.length}\r\n\r\n`), REQUEST]),
    true,
  ],
  ["a chunk without end", Buffer.from(`${POST}transfer-encoding: chunked\r\n\r\nffff\r\n123`), true],
  ["no HTTP", Buffer.from("\u0000\u0001\u0002\r\n\r\n"), false],
];

let sessionClass: new () => Http2Session;

beforeAll(async () => {
  // Node does not export the class of its sessions.
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [session] = await once(server, "session");
  sessionClass = session.constructor;
  socket.destroy();
  server.close();
});

function left(): Readonly<Record<string, number>> {
  const classes = { Session: sessionClass, Socket, IncomingMessage, ServerResponse };
  return Object.fromEntries(
    // biome-ignore lint/complexity/noBannedTypes: that is what Node calls it
    Object.entries(classes).map(([name, each]) => [name, queryObjects(each as Function, { format: "count" })]),
  );
}

async function openAndLeave(port: number, [, bytes, reset]: Script): Promise<void> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  socket.on("error", () => {});
  socket.resume();
  await once(socket, "connect");
  const closed = once(socket, "close");
  await new Promise((resolve) => socket.write(bytes, resolve));
  // The server has read what came.
  await new Promise((resolve) => setTimeout(resolve, 2));
  if (reset) socket.resetAndDestroy();
  else socket.end();
  await closed;
}

const PORTS = [
  ["gRPC", startGrpc, HTTP2],
  ["web, HTTP/2", startWeb, HTTP2],
  ["web, HTTP/1.1", startWeb, HTTP1],
] as const;

test.each(PORTS)(
  "nothing is left of connections that ended early: %s",
  async (_name, start, scripts) => {
    const service = createRpcService(AdmissionService, {
      acquire: (_request, stream) => {
        stream.send(waiting(0));
      },
    });
    const { port }: Port = await start([service], { limits: { maxConnections: 1_000 } });
    for (const script of scripts) await openAndLeave(port, script);
    const before = left();
    for (const script of scripts) {
      await Promise.all(Array.from({ length: CONNECTIONS }, () => openAndLeave(port, script)));
    }
    let after = left();
    // Connections close some turns after their clients; what was kept on purpose takes some collections.
    for (let i = 0; i < 10 && isMore(after, before); i += 1) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      after = left();
    }
    expect(isMore(after, before), JSON.stringify({ before, after })).toBe(false);
  },
  60_000,
);

function isMore(after: Readonly<Record<string, number>>, before: Readonly<Record<string, number>>): boolean {
  return Object.entries(after).some(([name, count]) => count > (before[name] ?? 0) + SLACK);
}
