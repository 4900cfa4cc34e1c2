/** Thousands of gRPC streams over a few connections, read or not, by frames alone. */

import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { connect as dial, type Socket } from "node:net";
import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { envelope } from "../../server/transport/support/http2-client.ts";

/** Its disposal loses the connections; `ClientHttp2Session.destroy` would reset each stream before, which is a cancel. */
export interface ManyStreams extends Disposable {
  /** Opens a stream with this request, on the first connection that has room. Each message is handed on as it comes. */
  open(bytes: Uint8Array, onMessage?: (message: Buffer) => void): ClientHttp2Stream;
}

export interface ManyStreamsOptions {
  readonly port: number;
  readonly path: string;
  readonly contentType: string;
  readonly streams: number;
  readonly streamsAConnection: number;
  /** Bytes that a stream takes before any are read; unset: 64 KB. */
  readonly window?: number;
}

export async function connectMany(options: ManyStreamsOptions): Promise<ManyStreams> {
  const { port, path, contentType, streams, streamsAConnection, window = 65_535 } = options;
  const sockets: Socket[] = [];
  const sessions: ClientHttp2Session[] = [];
  for (let i = 0; i < streams / streamsAConnection; i += 1) {
    const socket = dial(port, "127.0.0.1");
    sockets.push(socket);
    const session = connect(`http://127.0.0.1:${port}`, {
      createConnection: () => socket,
      settings: { initialWindowSize: window },
      maxSessionMemory: 1_000,
    });
    session.on("error", () => {});
    sessions.push(session);
    await once(session, "connect");
  }
  let opened = 0;
  return {
    open(bytes, onMessage) {
      const session = sessions[Math.floor(opened / streamsAConnection)] as ClientHttp2Session;
      opened += 1;
      const stream = session.request({ ":method": "POST", ":path": path, "content-type": contentType, te: "trailers" });
      stream.on("error", () => {});
      stream.end(envelope(bytes));
      if (onMessage) readMessages(stream, onMessage);
      return stream;
    },
    [Symbol.dispose]() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** As `onMessage` of a stream. */
export function decoding<D extends DescMessage>(
  desc: D,
  onMessage: (message: MessageShape<D>) => void,
): (bytes: Buffer) => void {
  return (bytes) => onMessage(fromBinary(desc, bytes));
}

function readMessages(stream: ClientHttp2Stream, onMessage: (message: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  stream.on("data", (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
      const end = 5 + rest.readUInt32BE(1);
      // Connect says the end of a stream in an envelope, too.
      if (((rest[0] as number) & 2) === 0) onMessage(rest.subarray(5, end));
      rest = rest.subarray(end);
    }
  });
}
