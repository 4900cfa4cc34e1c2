/** Bare HTTP/2 as a client, for what well-behaved clients do not do. */

import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type SecureClientSessionOptions,
} from "node:http2";
import { connect as connectTcp, type Socket } from "node:net";
import querystring from "node:querystring";
import { onTestFinished } from "vitest";

/** A connection that is ended with the test; its errors are the test's business only through its streams. */
export function connectHttp2(address: string, options: SecureClientSessionOptions = {}): ClientHttp2Session {
  const session = connect(`http://${address}`, options);
  session.on("error", () => {});
  onTestFinished(() => session.destroy());
  return session;
}

/** Opens a gRPC call and leaves it open. */
export function openGrpcCall(
  session: ClientHttp2Session,
  path: string,
  headers: OutgoingHttpHeaders = {},
): ClientHttp2Stream {
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  stream.on("error", () => {});
  return stream;
}

/** The same on a socket that the test can write to, or cut, itself. */
export function connectHttp2OnSocket(
  port: number,
  options: SecureClientSessionOptions = {},
): { readonly session: ClientHttp2Session; readonly socket: Socket } {
  const socket = connectTcp(port, "127.0.0.1");
  return { session: connectHttp2(`127.0.0.1:${port}`, { ...options, createConnection: () => socket }), socket };
}

export interface GrpcOutcome {
  /** `grpc-status`, from headers or trailers; undefined: there was none. */
  readonly status: string | undefined;
  readonly message: string;
  readonly rstCode: number | undefined;
}

/** How a call ends, reading all that comes. */
export async function outcomeOf(stream: ClientHttp2Stream): Promise<GrpcOutcome> {
  let fields: IncomingHttpHeaders = {};
  stream.on("response", (headers) => {
    fields = { ...fields, ...headers };
  });
  stream.on("trailers", (headers) => {
    fields = { ...fields, ...headers };
  });
  stream.resume();
  // Not `once` of Node, which takes an error for the end.
  if (!stream.destroyed) await new Promise((resolve) => stream.once("close", resolve));
  return {
    status: fields["grpc-status"]?.toString(),
    message: querystring.unescape(fields["grpc-message"]?.toString() ?? ""),
    rstCode: stream.rstCode,
  };
}

/** One message in gRPC's envelope. `flags` 1: compressed. */
export function envelope(bytes: Uint8Array, flags = 0, declaredLength = bytes.byteLength): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flags, 0);
  head.writeUInt32BE(declaredLength, 1);
  return Buffer.concat([head, bytes]);
}

/** The messages of a gRPC stream, which is read from here on. */
export async function* messagesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of stream) {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
      const end = 5 + rest.readUInt32BE(1);
      yield rest.subarray(5, end);
      rest = rest.subarray(end);
    }
  }
}

/** Resolves when the server has seen everything that was sent before. */
export async function ping(session: ClientHttp2Session): Promise<void> {
  if (session.connecting) await once(session, "connect");
  await new Promise<void>((resolve, reject) => session.ping((error) => (error ? reject(error) : resolve())));
}
