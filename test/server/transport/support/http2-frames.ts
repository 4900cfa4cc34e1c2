/** HTTP/2 frames by hand, for what no library sends. RFC 9113, RFC 7541. */

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";

const TYPE = { data: 0, headers: 1, rstStream: 3, settings: 4, ping: 6, goaway: 7 } as const;
export const END_STREAM = 1;
const END_HEADERS = 4;
const CANCEL = 8;

export const PREFACE = Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(TYPE.settings, 0, 0)]);
export const SETTINGS_ACK = frame(TYPE.settings, 1, 0);

export function headersFrame(stream: number, fields: Readonly<Record<string, string>>, flags = 0): Buffer {
  // Each a literal with a new name, without Huffman and without the table.
  const block = Object.entries(fields).flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)]);
  return frame(TYPE.headers, flags | END_HEADERS, stream, Buffer.concat(block));
}

/** The headers of a gRPC call. */
export function callFrame(stream: number, path: string, fields: Readonly<Record<string, string>> = {}): Buffer {
  return headersFrame(stream, {
    ":method": "POST",
    ":scheme": "http",
    ":path": path,
    ":authority": "localhost",
    "content-type": "application/grpc",
    te: "trailers",
    ...fields,
  });
}

export function dataFrame(stream: number, bytes: Uint8Array, flags = 0): Buffer {
  return frame(TYPE.data, flags, stream, bytes);
}

export function resetFrame(stream: number, code = CANCEL): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(code);
  return frame(TYPE.rstStream, 0, stream, payload);
}

function pingFrame(): Buffer {
  return frame(TYPE.ping, 0, 0, Buffer.alloc(8));
}

export interface RawHttp2 {
  readonly socket: Socket;
  /** Resolves when the server has answered a ping, so has seen all that was sent before. */
  seen(): Promise<void>;
}

/** A connection that has said hello, and reads and forgets what comes. */
export async function connectRaw(port: number): Promise<RawHttp2> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  onTestFinished(() => {
    socket.destroy();
  });
  socket.on("error", () => {});
  await once(socket, "connect");
  const PING_ACK = Buffer.from([0, 0, 8, TYPE.ping, 1]);
  socket.write(Buffer.concat([PREFACE, SETTINGS_ACK]));
  return {
    socket,
    async seen() {
      let tail = Buffer.alloc(0);
      const answered = new Promise<void>((resolve) => {
        socket.on("data", (chunk: Buffer) => {
          tail = Buffer.concat([tail, chunk]);
          if (tail.includes(PING_ACK)) resolve();
        });
        socket.once("close", () => resolve());
      });
      socket.write(pingFrame());
      await answered;
      socket.removeAllListeners("data");
      socket.resume();
    },
  };
}

export function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.byteLength, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A string of HPACK: its length in a prefix of 7 bits, then its bytes. */
export function literal(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  const length: number[] = [];
  if (bytes.byteLength < 127) {
    length.push(bytes.byteLength);
  } else {
    length.push(127);
    let rest = bytes.byteLength - 127;
    for (; rest >= 128; rest = Math.floor(rest / 128)) length.push((rest % 128) + 128);
    length.push(rest);
  }
  return Buffer.concat([Buffer.from(length), bytes]);
}
