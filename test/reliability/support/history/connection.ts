/**
 * A gRPC client that costs a fraction of what the server does, so that sixteen of them fit beside it: it writes frames by hand
 * and reads no headers. A call that ends without a message has been refused, or has failed.
 */

import { once } from "node:events";
import { connect } from "node:net";
import {
  callHeaders,
  callTemplate,
  FLAG,
  frame,
  HEAD,
  MESSAGE_PREFIX,
  PREFACE,
  TYPE,
} from "../../../../bench/load/http2-frames.ts";

export interface Connection extends Disposable {
  open(path: string, message: Uint8Array, listener: CallListener): Call;
  /** Opens a call that sends more than one message. */
  openStream(path: string, listener: CallListener): StreamCall;
}

export interface CallListener {
  /** The bytes are good until it returns. */
  onMessage(bytes: Buffer): void;
  /** However it ended; not after a cancel. */
  onEnd(): void;
}

export interface Call {
  cancel(): void;
}

export interface StreamCall extends Call {
  send(message: Uint8Array): void;
}

interface OpenCall extends CallListener {
  /** Of a message that is not whole yet. */
  rest: Buffer;
  /** Of a call that lasts: bytes that were read since the server was last told, and that it takes yet. */
  window: { read: number; left: number } | undefined;
}

/** Bytes that a stream takes before any are read. */
const WINDOW = 65_535;
/** Bytes after which the server is notified that we have read them; it may send 65,535 before. */
const WINDOW_STEP = 16_384;
const CANCEL = 8;
const NOTHING: Buffer = Buffer.alloc(0);

/** `address`: host:port. */
export async function connectLean(address: string): Promise<Connection> {
  const [host = "", port = ""] = address.split(":");
  const socket = connect({ host, port: Number(port), noDelay: true });
  await once(socket, "connect");
  const headers = new Map<string, Buffer>();
  const open = new Map<number, OpenCall>();
  let lastStream = -1;
  let unsent: Buffer[] = [];
  let rest = NOTHING;
  let read = 0;

  // All that one chunk of answers has led to leaves in one write.
  function send(bytes: Buffer): void {
    if (unsent.length === 0) queueMicrotask(flush);
    unsent.push(bytes);
  }

  function flush(): void {
    socket.write(Buffer.concat(unsent));
    unsent = [];
  }

  socket.on("data", (chunk: Buffer) => {
    const bytes = rest.byteLength === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (bytes.byteLength - at >= HEAD) {
      const end = at + HEAD + bytes.readUIntBE(at, 3);
      if (bytes.byteLength < end) break;
      const stream = bytes.readUInt32BE(at + 5);
      hear({ type: bytes.readUInt8(at + 3), flags: bytes.readUInt8(at + 4), stream }, bytes.subarray(at + HEAD, end));
      at = end;
    }
    rest = bytes.subarray(at);
  });

  socket.on("close", () => {
    if (open.size > 0) throw new Error(`the connection was lost with ${open.size} calls`);
  });

  function hear({ type, flags, stream }: { type: number; flags: number; stream: number }, payload: Buffer): void {
    switch (type) {
      case TYPE.data:
        if ((flags & FLAG.padded) !== 0) throw new Error("padding was not expected");
        countRead(payload.byteLength);
        countReadOf(stream, payload.byteLength);
        readMessages(open.get(stream), payload);
        return;
      case TYPE.headers:
        if ((flags & FLAG.endStream) !== 0) end(stream);
        return;
      case TYPE.rstStream:
        end(stream);
        return;
      case TYPE.settings:
        if ((flags & FLAG.ack) === 0) send(frame(TYPE.settings, FLAG.ack, 0));
        return;
      case TYPE.ping:
        if ((flags & FLAG.ack) === 0) send(frame(TYPE.ping, FLAG.ack, 0, payload));
        return;
      case TYPE.windowUpdate: {
        const window = open.get(stream)?.window;
        if (window !== undefined) window.left += payload.readUInt32BE(0);
        return;
      }
      default:
        throw new Error(`a frame of type ${type} was not expected`);
    }
  }

  function countRead(bytes: number): void {
    read += bytes;
    if (read < WINDOW_STEP) return;
    send(frame(TYPE.windowUpdate, 0, 0, uint32(read)));
    read = 0;
  }

  function countReadOf(stream: number, bytes: number): void {
    const window = open.get(stream)?.window;
    if (window === undefined) return;
    window.read += bytes;
    if (window.read < WINDOW_STEP) return;
    send(frame(TYPE.windowUpdate, 0, stream, uint32(window.read)));
    window.read = 0;
  }

  function cancel(stream: number): void {
    if (open.delete(stream)) send(frame(TYPE.rstStream, 0, stream, uint32(CANCEL)));
  }

  function end(stream: number): void {
    const call = open.get(stream);
    open.delete(stream);
    call?.onEnd();
  }

  function headersOf(path: string): Buffer {
    const block = headers.get(path) ?? callHeaders(path, address);
    headers.set(path, block);
    return block;
  }

  send(PREFACE);
  return {
    open(path, message, listener) {
      lastStream += 2;
      const stream = lastStream;
      const block = headersOf(path);
      const bytes = callTemplate(block, message);
      bytes.writeUInt32BE(stream, 5);
      bytes.writeUInt32BE(stream, HEAD + block.byteLength + 5);
      open.set(stream, { ...listener, rest: NOTHING, window: undefined });
      send(bytes);
      return { cancel: () => cancel(stream) };
    },
    openStream(path, listener) {
      lastStream += 2;
      const stream = lastStream;
      const window = { read: 0, left: WINDOW };
      open.set(stream, { ...listener, rest: NOTHING, window });
      send(frame(TYPE.headers, FLAG.endHeaders, stream, headersOf(path)));
      return {
        send(message) {
          const prefix = Buffer.alloc(MESSAGE_PREFIX);
          prefix.writeUInt32BE(message.byteLength, 1);
          const payload = Buffer.concat([prefix, message]);
          window.left -= payload.byteLength;
          // Its workers wait for answers: what is under way at any time is far from that.
          if (window.left < 0) throw new Error("a session has asked for more than its window takes");
          send(frame(TYPE.data, 0, stream, payload));
        },
        cancel: () => cancel(stream),
      };
    },
    [Symbol.dispose]() {
      open.clear();
      socket.destroy();
    },
  };
}

/** None of a call that was cancelled: what comes for it was on its way. */
function readMessages(call: OpenCall | undefined, payload: Buffer): void {
  if (call === undefined) return;
  let bytes = call.rest.byteLength === 0 ? payload : Buffer.concat([call.rest, payload]);
  while (bytes.byteLength >= MESSAGE_PREFIX) {
    const end = MESSAGE_PREFIX + bytes.readUInt32BE(1);
    if (bytes.byteLength < end) break;
    call.onMessage(bytes.subarray(MESSAGE_PREFIX, end));
    bytes = bytes.subarray(end);
  }
  call.rest = bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
