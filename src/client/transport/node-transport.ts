/** The transport from Node: gRPC over HTTP/2, on connections that are pinged. */

import type { Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { withToken } from "../rpc/authorized-transport.ts";
import { createSystemClock } from "../rpc/clock.ts";
import { createCredentials, type TokenSource } from "../rpc/credentials.ts";
import { createConnectionPool } from "./connection-pool.ts";
import { originOf } from "./node-address.ts";
import { checkTlsOptions, type TlsOptions } from "./tls-connection.ts";
import { requireSafeForToken } from "./token-address.ts";

/** How connections are kept. */
export interface ConnectionOptions {
  /** ms between two pings of a connection with open calls. Default 10,000. */
  readonly pingInterval?: number | undefined;
  /** ms for the ping to be answered, else the connection counts as lost. Default 5,000. */
  readonly pingTimeout?: number | undefined;
  /** Calls at once on one connection, 1 to 1,000; more calls open more connections. Default 1,000, or the server's. */
  readonly maxStreamsPerConnection?: number | undefined;
  /** For an address of `https://`: whom to trust, and the client's own certificate. Default: Node's authorities, and none. */
  readonly tls?: TlsOptions | undefined;
  /**
   * Shows the server who calls: a token, or a function that returns one, which is asked again 60 s before the end of a JWT, and once
   * where the server refuses the token. Streams move to the new one by themselves. It is sent by TLS alone, or to this machine.
   */
  readonly token?: TokenSource | undefined;
}

export interface NodeTransport {
  readonly transport: Transport;
  /** Says whether the process may end though calls of `restingPath` are open. */
  readonly rest: (isAtRest: boolean) => void;
  /** Closes the connections, and fails what is under way on them. */
  readonly close: () => void;
}

/** What any server bears on one connection. */
const MOST_STREAMS = 1000;

/**
 * Connects when the first call needs it. Calls of `restingPath` stay open while nothing is asked over them. Throws a `TypeError`
 * that says what is wrong with the address.
 */
export function openNodeTransport(
  address: string,
  options: ConnectionOptions = {},
  restingPath?: string,
): NodeTransport {
  const { pingInterval = 10_000, pingTimeout = 5000, maxStreamsPerConnection = MOST_STREAMS, tls, token } = options;
  const origin = originOf(address);
  if (tls !== undefined) checkTlsOptions(origin, tls);
  if (token !== undefined) requireSafeForToken(origin);
  const maxStreams = Math.min(MOST_STREAMS, maxStreamsPerConnection);
  const clock = createSystemClock();
  const pool = createConnectionPool({ clock, origin, tls, pingInterval, pingTimeout, maxStreams, restingPath });
  const plain = createGrpcTransport({ baseUrl: origin, sessionManager: pool });
  const transport = token === undefined ? plain : withToken(plain, createCredentials(clock, token));
  return { transport, rest: pool.rest, close: pool.close };
}
