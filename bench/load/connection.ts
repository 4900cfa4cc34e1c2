/**
 * A gRPC client whose calls cost a fraction of what they cost the server, which those of any library would not: it writes frames
 * by hand and reads no headers. It keeps to the server's flow control and to its bound on streams: a call waits for both.
 */

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import {
  callHeaders,
  callTemplate,
  FLAG,
  frame,
  HEAD,
  MESSAGE_PREFIX,
  PREFACE,
  SETTING,
  TYPE,
} from "./http2-frames.ts";

export interface LoadConnection {
  /** Calls back once: with the bytes of the answer, which are good until it returns, or with nothing if the call has failed. */
  call(path: string, message: Uint8Array, answered: (message: Buffer | undefined) => void): void;
  /** Opens a stream of answers to one message. Returns what cancels it (RST_STREAM); nothing is heard of it then. */
  stream(path: string, message: Uint8Array, events: StreamEvents): () => void;
  /** Ends the connection; what is under way fails. */
  close(): void;
}

export interface StreamEvents {
  /** Each message of the server; the bytes are good until it returns. */
  message(bytes: Buffer): void;
  /** Once: the server has ended the stream, or the connection is gone. */
  ended(): void;
}

/** The answer; throws where a call has failed, since what is measured would be something else. */
export function answerOf(message: Buffer | undefined): Buffer {
  if (message === undefined) throw new Error("a call has failed");
  return message;
}

interface OpenStream extends StreamEvents {
  /** The beginning of a message whose rest has not come yet. */
  rest: Buffer;
}

interface Unsent {
  readonly path: string;
  readonly message: Uint8Array;
  readonly events: StreamEvents;
  stream: number | "waits" | "cancelled";
}

const NOTHING = Buffer.alloc(0);
const FIRST_WINDOW = 65_535;
/** Bytes after which the server is notified that they were read; it may send 65,535 before. */
const WINDOW_STEP = 16_384;
/** RFC 9113, 7. */
const CANCEL = 8;

async function connectTo(address: string, ca: string | undefined): Promise<Socket> {
  const colon = address.lastIndexOf(":");
  const socket = connect({ host: address.slice(0, colon), port: Number(address.slice(colon + 1)), noDelay: true });
  await once(socket, "connect");
  if (ca === undefined) return socket;
  const secure = connectTls({ socket, ca, servername: "localhost", ALPNProtocols: ["h2"] });
  await once(secure, "secureConnect");
  return secure;
}

/** `address`: host:port. `ca`: the server's authority, for TLS; `more`: headers of each call. Rejects if nothing listens there. */
export async function connectLoad(
  address: string,
  ca?: string,
  more: Readonly<Record<string, string>> = {},
): Promise<LoadConnection> {
  const socket = await connectTo(address, ca);
  const headers = new Map<string, Buffer>();
  const open = new Map<number, OpenStream>();
  const waiting: Unsent[] = [];
  let lastStream = -1;
  let window = FIRST_WINDOW;
  let mostStreams = Number.POSITIVE_INFINITY;
  let isOver = false;
  let outgoing: Buffer[] = [PREFACE];
  let rest: Buffer = NOTHING;
  let read = 0;

  // All that one chunk of answers has led to leaves in one write.
  function send(bytes: Buffer): void {
    if (outgoing.length === 0) queueMicrotask(flush);
    outgoing.push(bytes);
  }

  function flush(): void {
    const [only] = outgoing;
    const bytes = outgoing.length === 1 && only ? only : Buffer.concat(outgoing);
    outgoing = [];
    if (!socket.destroyed) socket.write(bytes);
  }

  function receive(chunk: Buffer): void {
    const bytes = rest.byteLength === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (bytes.byteLength - at >= HEAD) {
      const end = at + HEAD + bytes.readUIntBE(at, 3);
      if (bytes.byteLength < end) break;
      takeFrame(
        bytes[at + 3] as number,
        bytes[at + 4] as number,
        bytes.readUInt32BE(at + 5),
        bytes.subarray(at + HEAD, end),
      );
      at = end;
    }
    rest = bytes.subarray(at);
  }

  function takeFrame(type: number, flags: number, stream: number, payload: Buffer): void {
    switch (type) {
      case TYPE.data:
        takeData(stream, payload);
        if ((flags & FLAG.endStream) !== 0) finish(stream);
        return;
      case TYPE.headers:
        if ((flags & FLAG.endStream) !== 0) finish(stream);
        return;
      case TYPE.rstStream:
        finish(stream);
        return;
      case TYPE.settings:
        if ((flags & FLAG.ack) !== 0) return;
        takeSettings(payload);
        send(frame(TYPE.settings, FLAG.ack, 0));
        return;
      case TYPE.ping:
        if ((flags & FLAG.ack) === 0) send(frame(TYPE.ping, FLAG.ack, 0, payload));
        return;
      case TYPE.windowUpdate:
        // A stream's own window is never used up: it has one message, and that is smaller.
        if (stream !== 0) return;
        window += payload.readUInt32BE(0);
        sendWaiting();
        return;
    }
  }

  function takeSettings(payload: Buffer): void {
    for (let at = 0; at + 6 <= payload.byteLength; at += 6) {
      if (payload.readUInt16BE(at) === SETTING.maxConcurrentStreams) mostStreams = payload.readUInt32BE(at + 2);
    }
    sendWaiting();
  }

  function takeData(stream: number, payload: Buffer): void {
    countRead(payload.byteLength);
    const call = open.get(stream);
    if (call === undefined) return;
    let bytes = call.rest.byteLength === 0 ? payload : Buffer.concat([call.rest, payload]);
    while (bytes.byteLength >= MESSAGE_PREFIX) {
      const end = MESSAGE_PREFIX + bytes.readUInt32BE(1);
      if (bytes.byteLength < end) break;
      call.message(bytes.subarray(MESSAGE_PREFIX, end));
      bytes = bytes.subarray(end);
    }
    call.rest = bytes.byteLength === 0 ? NOTHING : Buffer.from(bytes);
  }

  function countRead(bytes: number): void {
    read += bytes;
    if (read < WINDOW_STEP) return;
    const increment = Buffer.alloc(4);
    increment.writeUInt32BE(read);
    read = 0;
    send(frame(TYPE.windowUpdate, 0, 0, increment));
  }

  function finish(stream: number): void {
    const call = open.get(stream);
    if (call === undefined) return;
    open.delete(stream);
    call.ended();
    sendWaiting();
  }

  function sendWaiting(): void {
    while (waiting.length > 0 && mayOpen(waiting[0] as Unsent)) {
      const call = waiting.shift() as Unsent;
      if (call.stream === "waits") call.stream = start(call);
    }
  }

  function mayOpen({ message }: Unsent): boolean {
    return open.size < mostStreams && message.byteLength + MESSAGE_PREFIX <= window;
  }

  function start({ path, message, events }: Unsent): number {
    lastStream += 2;
    const block = headersOf(path);
    const bytes = callTemplate(block, message);
    bytes.writeUInt32BE(lastStream, 5);
    bytes.writeUInt32BE(lastStream, HEAD + block.byteLength + 5);
    window -= message.byteLength + MESSAGE_PREFIX;
    open.set(lastStream, { message: events.message, ended: events.ended, rest: NOTHING });
    send(bytes);
    return lastStream;
  }

  function headersOf(path: string): Buffer {
    let block = headers.get(path);
    if (block === undefined) {
      block = callHeaders(path, address, more);
      headers.set(path, block);
    }
    return block;
  }

  function ask(path: string, message: Uint8Array, events: StreamEvents): Unsent {
    const call: Unsent = { path, message, events, stream: "waits" };
    if (isOver) queueMicrotask(() => events.ended());
    else if (waiting.length === 0 && mayOpen(call)) call.stream = start(call);
    else waiting.push(call);
    return call;
  }

  function cancel(call: Unsent): void {
    const { stream } = call;
    call.stream = "cancelled";
    if (typeof stream !== "number" || !open.delete(stream)) return;
    const code = Buffer.alloc(4);
    code.writeUInt32BE(CANCEL);
    send(frame(TYPE.rstStream, 0, stream, code));
    sendWaiting();
  }

  function lose(): void {
    if (isOver) return;
    isOver = true;
    const lost = [...open.values(), ...waiting.splice(0).map(({ events }) => events)];
    open.clear();
    for (const { ended } of lost) ended();
  }

  socket.on("data", receive);
  socket.on("error", () => {});
  socket.on("close", lose);
  flush();
  return {
    call(path, message, answered) {
      let answer: Buffer | undefined;
      ask(path, message, {
        message(bytes) {
          answer = bytes;
        },
        ended: () => answered(answer),
      });
    },
    stream(path, message, events) {
      const call = ask(path, message, events);
      return () => cancel(call);
    },
    close: () => socket.destroy(),
  };
}
