/**
 * A gRPC client for unary calls, and for streams that are cancelled after their first message, that costs a fraction of what the server does, which a client of any library would not:
 * it writes frames by hand and reads no headers. A call that is answered without a message has failed, and so has the
 * measurement.
 */

import { once } from "node:events";
import { connect } from "node:net";
import { callHeaders, callTemplate, FLAG, frame, HEAD, MESSAGE_PREFIX, PREFACE, TYPE } from "./http2-frames.ts";

export interface UnaryConnection {
  /** Calls back with the bytes of the answer, which are good until it returns. */
  call(path: string, message: Uint8Array, answered: (message: Buffer) => void): void;
  /** Opens a stream, cancels it when its first message is here, and calls back with the bytes of that. */
  cancelAfterFirst(path: string, message: Uint8Array, answered: (message: Buffer) => void): void;
  close(): void;
}

interface OpenCall {
  readonly kind: "unary" | "stream";
  readonly answered: (message: Buffer) => void;
  message: Buffer | undefined;
}

const CANCEL = Buffer.from([0, 0, 0, 8]);

/** Bytes after which the server is notified that we have read them; it may send 65,535 before. */
const WINDOW_STEP = 16_384;

/** `address`: host:port. */
export async function connectUnary(address: string): Promise<UnaryConnection> {
  const [host = "", port = ""] = address.split(":");
  const socket = connect({ host, port: Number(port), noDelay: true });
  await once(socket, "connect");
  const headers = new Map<string, Buffer>();
  const open = new Map<number, OpenCall>();
  let lastStream = -1;
  let unsent: Buffer[] = [PREFACE];
  let rest: Buffer = Buffer.alloc(0);
  let read = 0;

  // All that one chunk of answers has led to leaves in one write.
  function send(bytes: Buffer): void {
    if (unsent.length === 0) queueMicrotask(flush);
    unsent.push(bytes);
  }

  function flush(): void {
    const [only] = unsent;
    const bytes = unsent.length === 1 && only ? only : Buffer.concat(unsent);
    unsent = [];
    socket.write(bytes);
  }

  function receive(chunk: Buffer): void {
    const bytes = rest.byteLength === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (bytes.byteLength - at >= HEAD) {
      const end = at + HEAD + bytes.readUIntBE(at, 3);
      if (bytes.byteLength < end) break;
      hear(
        bytes[at + 3] as number,
        bytes[at + 4] as number,
        bytes.readUInt32BE(at + 5),
        bytes.subarray(at + HEAD, end),
      );
      at = end;
    }
    rest = bytes.subarray(at);
  }

  function hear(type: number, flags: number, stream: number, payload: Buffer): void {
    const call = open.get(stream);
    switch (type) {
      case TYPE.data: {
        const whole =
          payload.byteLength >= MESSAGE_PREFIX && payload.readUInt32BE(1) === payload.byteLength - MESSAGE_PREFIX;
        countRead(payload.byteLength);
        // What was on its way when its stream was cancelled.
        if (call === undefined) return;
        if (!whole || (flags & FLAG.padded) !== 0) throw new Error("not one whole message");
        call.message = payload.subarray(MESSAGE_PREFIX);
        if (call.kind === "unary") return;
        send(frame(TYPE.rstStream, 0, stream, CANCEL));
        finish(stream, call);
        return;
      }
      case TYPE.headers:
        if (call !== undefined && (flags & FLAG.endStream) !== 0) finish(stream, call);
        return;
      case TYPE.rstStream:
        if (call !== undefined) throw new Error("a call was reset");
        return;
      case TYPE.settings:
        if ((flags & FLAG.ack) === 0) send(frame(TYPE.settings, FLAG.ack, 0));
        return;
      case TYPE.ping:
        if ((flags & FLAG.ack) === 0) send(frame(TYPE.ping, FLAG.ack, 0, payload));
        return;
      case TYPE.windowUpdate:
        return;
      default:
        throw new Error(`a frame of type ${type} was not expected`);
    }
  }

  function countRead(bytes: number): void {
    read += bytes;
    if (read < WINDOW_STEP) return;
    const increment = Buffer.alloc(4);
    increment.writeUInt32BE(read);
    read = 0;
    send(frame(TYPE.windowUpdate, 0, 0, increment));
  }

  function finish(stream: number, call: OpenCall): void {
    if (call.message === undefined) throw new Error("a call has failed");
    open.delete(stream);
    call.answered(call.message);
  }

  function headersOf(path: string): Buffer {
    let block = headers.get(path);
    if (block === undefined) {
      block = callHeaders(path, address);
      headers.set(path, block);
    }
    return block;
  }

  socket.on("data", receive);
  flush();
  function begin(path: string, message: Uint8Array, call: OpenCall): void {
    lastStream += 2;
    const block = headersOf(path);
    const bytes = callTemplate(block, message);
    bytes.writeUInt32BE(lastStream, 5);
    bytes.writeUInt32BE(lastStream, HEAD + block.byteLength + 5);
    open.set(lastStream, call);
    send(bytes);
  }

  return {
    call: (path, message, answered) => begin(path, message, { kind: "unary", answered, message: undefined }),
    cancelAfterFirst: (path, message, answered) =>
      begin(path, message, { kind: "stream", answered, message: undefined }),
    close() {
      socket.destroy();
    },
  };
}
