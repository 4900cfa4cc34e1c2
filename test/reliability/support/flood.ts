/** Floods: what one client says over and over, as fast as the server takes it. */

import { connect, type Socket } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import {
  AcquireRequestSchema,
  AdmissionService,
} from "../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { envelope } from "../../server/transport/support/http2-client.ts";
import {
  callFrame,
  dataFrame,
  END_STREAM,
  frame,
  literal,
  PREFACE,
  resetFrame,
  SETTINGS_ACK,
} from "../../server/transport/support/http2-frames.ts";
import { pathOf } from "../../support/grpc-client.ts";

export interface Flood {
  readonly name: string;
  /** What must come of it: its session is ended, or it may go on and does no harm. */
  readonly fate: "ended" | "harmless";
  /** What every connection begins with. */
  readonly greeting: Buffer;
  /** What it goes on with; `turn`: 0, 1, 2, … Undefined: it says no more. */
  chunk(turn: number): Buffer | undefined;
  /** Whether it reads what comes. */
  readonly reads: boolean;
  /** Connections at once. */
  readonly connections: number;
  /** Whether a connection is closed after each chunk, and another opened. */
  readonly churns?: boolean;
  /** ms between two chunks; unset: none. */
  readonly pause?: number;
}

const HELLO = Buffer.concat([PREFACE, SETTINGS_ACK]);
const ACQUIRE = pathOf(AdmissionService.method.acquire);
const REQUEST = envelope(
  toBinary(
    AcquireRequestSchema,
    create(AcquireRequestSchema, { claims: [{ limiter: "flooded" }], ttl: { seconds: 1n } }),
  ),
);
const PING = frame(6, 0, 0, Buffer.alloc(8));
const SETTINGS = frame(4, 0, 0);
const END_HEADERS = 4;
/** No window for anything that is answered. */
const NO_WINDOW = frame(4, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0]));
const once = { reads: true, connections: 1 };

export const HTTP2_FLOODS: readonly Flood[] = [
  {
    ...once,
    name: "rapid reset",
    fate: "ended",
    greeting: HELLO,
    chunk: (turn) =>
      repeat(200, (i) => {
        const stream = 400 * turn + 2 * i + 1;
        return [callFrame(stream, ACQUIRE), dataFrame(stream, REQUEST, END_STREAM), resetFrame(stream)];
      }),
  },
  { ...once, name: "PING, answers unread", reads: false, fate: "ended", greeting: HELLO, chunk: same(PING, 2_000) },
  { ...once, name: "PING", fate: "harmless", greeting: HELLO, chunk: same(PING, 500) },
  {
    ...once,
    name: "SETTINGS, answers unread",
    reads: false,
    fate: "ended",
    greeting: HELLO,
    chunk: same(SETTINGS, 2_000),
  },
  { ...once, name: "SETTINGS", fate: "harmless", greeting: HELLO, chunk: same(SETTINGS, 500) },
  {
    ...once,
    name: "CONTINUATION without end",
    fate: "ended",
    greeting: Buffer.concat([HELLO, frame(1, 0, 1, Buffer.from([0x83]))]),
    chunk: same(frame(9, 0, 1, Buffer.from([0x00, 0x01, 0x61, 0x01, 0x62])), 500),
  },
  {
    ...once,
    name: "empty DATA",
    fate: "ended",
    greeting: Buffer.concat([HELLO, callFrame(1, ACQUIRE)]),
    chunk: same(dataFrame(1, Buffer.alloc(0)), 2_000),
  },
  {
    ...once,
    name: "window overflow",
    fate: "ended",
    greeting: HELLO,
    chunk: same(frame(8, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff])), 2),
  },
  {
    ...once,
    name: "WINDOW_UPDATE and PRIORITY",
    fate: "harmless",
    greeting: HELLO,
    chunk: same(Buffer.concat([frame(8, 0, 0, Buffer.from([0, 0, 0, 1])), frame(2, 0, 3, Buffer.alloc(5))]), 500),
  },
  {
    ...once,
    name: "header pairs, each of 4 KB in one byte",
    fate: "harmless",
    greeting: Buffer.concat([HELLO, tableEntry(1)]),
    // 62: the first of the dynamic table. What counts for the limit is what it unfolds to, 16 MB.
    chunk: (turn) => frame(1, END_HEADERS | END_STREAM, 3 + 2 * turn, Buffer.alloc(4_000, 0x80 | 62)),
  },
  {
    ...once,
    name: "bare streams, never finished",
    fate: "harmless",
    greeting: HELLO,
    chunk: (turn) => (turn < 20 ? repeat(200, (i) => [callFrame(400 * turn + 2 * i + 1, ACQUIRE)]) : undefined),
  },
  {
    ...once,
    name: "calls without a window for their answers",
    fate: "harmless",
    greeting: Buffer.concat([PREFACE, NO_WINDOW, SETTINGS_ACK]),
    chunk: (turn) =>
      turn < 5
        ? repeat(200, (i) => {
            const stream = 400 * turn + 2 * i + 1;
            return [callFrame(stream, ACQUIRE), dataFrame(stream, REQUEST, END_STREAM)];
          })
        : undefined,
  },
  {
    name: "connections that come and go",
    fate: "harmless",
    reads: false,
    connections: 8,
    churns: true,
    greeting: Buffer.concat([HELLO, callFrame(1, ACQUIRE), dataFrame(1, REQUEST, END_STREAM)]),
    chunk: () => PING,
  },
  {
    name: "frames byte by byte, on 300 connections",
    fate: "harmless",
    reads: true,
    connections: 300,
    pause: 50,
    greeting: HELLO,
    chunk: (turn) => callFrame(1, ACQUIRE).subarray(turn, turn + 1),
  },
];

const REQUEST_LINE = Buffer.from(`POST ${ACQUIRE} HTTP/1.1\r\nhost: a\r\n`);

export const HTTP1_FLOODS: readonly Flood[] = [
  {
    ...once,
    name: "HTTP/1.1 headers without end",
    fate: "ended",
    greeting: REQUEST_LINE,
    chunk: (turn) => Buffer.from(`x-${turn}: ${"y".repeat(100)}\r\n`.repeat(50)),
  },
  {
    name: "HTTP/1.1 byte by byte, on 300 connections",
    fate: "harmless",
    reads: true,
    connections: 300,
    pause: 50,
    greeting: Buffer.from("P"),
    chunk: (turn) => REQUEST_LINE.subarray(1 + turn, 2 + turn),
  },
  {
    ...once,
    name: "HTTP/1.1 requests, answers unread",
    reads: false,
    fate: "harmless",
    greeting: Buffer.alloc(0),
    chunk: same(Buffer.from("GET /nothing HTTP/1.1\r\nhost: a\r\n\r\n"), 100),
  },
];

export interface FloodResult {
  /** ms until the server ended the first connection; undefined: it did not, or it is the flood that ends them. */
  readonly ended: number | undefined;
  readonly chunks: number;
}

/** Floods for so many ms, or until the server has ended it. */
export async function runFlood(flood: Flood, port: number, duration: number): Promise<FloodResult> {
  const begun = performance.now();
  let chunks = 0;
  let ended: number | undefined;
  const isOver = () => performance.now() - begun >= duration || (ended !== undefined && flood.fate === "ended");

  const run = async () => {
    while (!isOver()) {
      const socket = connect({ port, host: "127.0.0.1", noDelay: true });
      socket.on("error", () => {});
      if (flood.reads) socket.resume();
      else socket.pause();
      await write(socket, flood.greeting, begun + duration);
      for (let turn = 0; !isOver() && !socket.destroyed; turn += 1) {
        const chunk = flood.chunk(turn);
        if (chunk === undefined) {
          await until(socket, begun + duration);
          break;
        }
        await write(socket, chunk, begun + duration);
        if (flood.pause !== undefined) await until(socket, performance.now() + flood.pause);
        chunks += 1;
        if (flood.churns) break;
      }
      if (socket.destroyed && !isOver() && !flood.churns) ended ??= performance.now() - begun;
      socket.resetAndDestroy();
      if (!flood.churns) return;
    }
  };
  await Promise.all(Array.from({ length: flood.connections }, run));
  return { ended, chunks };
}

/** Resolves when the bytes have left, the connection is over, or time is. */
function write(socket: Socket, bytes: Buffer, deadline: number): Promise<void> {
  return until(socket, deadline, (over) => socket.write(bytes, over));
}

/** Resolves at an instant of `performance.now`, when the connection is over, or when what it begins says so. */
function until(socket: Socket, deadline: number, begin?: (over: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) return resolve();
    const over = () => {
      clearTimeout(timer);
      socket.off("close", over);
      resolve();
    };
    const timer = setTimeout(over, Math.max(0, deadline - performance.now()));
    socket.on("close", over);
    begin?.(over);
  });
}

function same(bytes: Buffer, times: number): () => Buffer {
  const chunk = repeat(times, () => [bytes]);
  return () => chunk;
}

function repeat(times: number, make: (i: number) => readonly Buffer[]): Buffer {
  return Buffer.concat(Array.from({ length: times }, (_, i) => make(i)).flat());
}

/** A call whose header of nearly 4 KB goes into the table. */
function tableEntry(stream: number): Buffer {
  const block = Buffer.concat([Buffer.from([0x83, 0x86, 0x84, 0x40]), literal("x-a"), literal("v".repeat(4_000))]);
  return frame(1, END_HEADERS | END_STREAM, stream, block);
}
