/** The HTTP/2 server inside grpc-js. */

import http2, { type Http2Server, type ServerOptions } from "node:http2";
import type { Duplex } from "node:stream";
import { type Server, ServerCredentials } from "@grpc/grpc-js";

export interface GrpcHttp2 {
  readonly http2Server: Http2Server;
  /** Hands a connection of our own listener to grpc-js. */
  inject(connection: Duplex): void;
}

/**
 * Makes the HTTP/2 server that grpc-js serves injected connections with, with options of ours, and shows it.
 *
 * grpc-js passes on none of what Node offers to bound a connection, and shows neither sessions nor streams: whether a
 * call was cancelled or its connection lost can only be known from the session. It does make its server by the public
 * `http2.createServer`, synchronously, so that is where it is met; no private field is touched, and a grpc-js that did
 * it otherwise would fail here, at the start.
 */
export function createGrpcHttp2(server: Server, options: ServerOptions): GrpcHttp2 {
  const { createServer } = http2;
  let http2Server: Http2Server | undefined;
  const createOurs = (theirs: ServerOptions): Http2Server => {
    http2Server = createServer({ ...theirs, ...options });
    return http2Server;
  };
  Object.assign(http2, { createServer: createOurs });
  try {
    const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
    if (http2Server === undefined) throw new Error("this version of grpc-js makes its HTTP/2 server in an unknown way");
    return { http2Server, inject: (connection) => injector.injectConnection(connection) };
  } finally {
    Object.assign(http2, { createServer });
  }
}
