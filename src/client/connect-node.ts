/** Connecting from Node: gRPC over HTTP/2. */

import { emitWarning } from "node:process";
import { createGrpcTransport } from "@connectrpc/connect-node";
import type { Client, ClientOptions, CreateClientOptions } from "./client.ts";
import { createSystemClock } from "./clock.ts";
import { createConnectionPool } from "./connection-pool.ts";
import { createClientOn, type Place } from "./create-client.ts";
import { createLimiters } from "./limiter-calls.ts";
import { originOf } from "./node-address.ts";
import { openBoards } from "./open-boards.ts";

/** How to connect from Node. */
export interface ConnectOptions extends ClientOptions {
  /** ms between two pings of a connection with open calls. Default 10,000. */
  readonly pingInterval?: number | undefined;
  /** ms for the ping to be answered, else the connection counts as lost. Default 5,000. */
  readonly pingTimeout?: number | undefined;
  /** Calls at once on one connection, 1 to 1,000; more calls open more connections. Default 1,000, or the server's. */
  readonly maxStreamsPerConnection?: number | undefined;
}

/** What any server bears on one connection. */
const MOST_STREAMS = 1000;

const NODE: Place = {
  platform: {
    warn: (message, stack) => emitWarning(message, { type: "LeaseLeakWarning", detail: `acquired\n${stack}` }),
    page: undefined,
  },
  parts: { openBoards, openLimiters: createLimiters },
};

/**
 * Connects to the gRPC port of the service: `connect("localhost:50051")`. Connections are made when they are needed, so
 * this never fails for a server that is not there; the first call then does, with a `ServerUnavailableError`.
 *
 * @param address `host:port`, `http://host:port`, or `https://host[:port]` for TLS; a `TypeError` says what is wrong.
 */
export function connect(address: string, options: ConnectOptions = {}): Client {
  const { pingInterval = 10_000, pingTimeout = 5000, maxStreamsPerConnection = MOST_STREAMS } = options;
  const origin = originOf(address);
  const maxStreams = Math.min(MOST_STREAMS, maxStreamsPerConnection);
  const pool = createConnectionPool({ clock: createSystemClock(), origin, pingInterval, pingTimeout, maxStreams });
  const transport = createGrpcTransport({ baseUrl: origin, sessionManager: pool });
  return createClientOn(NODE, { ...options, transport, address }, pool.close);
}

/** A client over a Connect transport that the caller brings, and closes. */
export function createClient(options: CreateClientOptions): Client {
  return createClientOn(NODE, options);
}
