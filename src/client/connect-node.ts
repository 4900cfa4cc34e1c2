/** Connecting from Node: gRPC over HTTP/2. */

import { emitWarning } from "node:process";
import type { Client, ClientOptions, CreateClientOptions } from "./api/client.ts";
import { createClientOn, type Place } from "./create-client.ts";
import { createLimiters } from "./resources/limiters.ts";
import { openBoards } from "./resources/open-boards.ts";
import { type ConnectionOptions, openNodeTransport } from "./transport/node-transport.ts";

/** How to connect from Node. */
export interface ConnectOptions extends ClientOptions, ConnectionOptions {}

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
  const { transport, close } = openNodeTransport(address, options);
  return createClientOn(NODE, { ...options, transport, address }, close);
}

/** A client over a Connect transport that the caller brings, and closes. */
export function createClient(options: CreateClientOptions): Client {
  return createClientOn(NODE, options);
}
