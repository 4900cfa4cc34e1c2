/** Connecting from Node: gRPC over HTTP/2. */

import { emitWarning } from "node:process";
import { setImmediate } from "node:timers";
import type { Transport } from "@connectrpc/connect";
import type { Client, ClientOptions, CreateClientOptions } from "./api/client.ts";
import { createClientOn, type Place } from "./create-client.ts";
import { SessionService } from "./gen/ggen/backpressure/v1/session_service_pb.ts";
import { createLimiters } from "./resources/limiters.ts";
import { openBoards } from "./resources/open-boards.ts";
import { ANSWER_WITHIN } from "./rpc/calls.ts";
import { createSystemClock } from "./rpc/clock.ts";
import type { TokenSource } from "./rpc/credentials.ts";
import { checked, type HeadersOf, withHeaders, withoutTrace } from "./rpc/headers.ts";
import { createSessionTransport } from "./session/session-transport.ts";
import { type Closable, createShared } from "./session/shared.ts";
import { originOf } from "./transport/node-address.ts";
import { type ConnectionOptions, openNodeTransport } from "./transport/node-transport.ts";
import { tlsAdvice } from "./wire/tls-advice.ts";

/** How to connect from Node. */
export interface ConnectOptions extends ClientOptions, ConnectionOptions {
  /**
   * Whether leases and cards are asked for, held and ended in one session, which is one call: a message carries many commands, and
   * one renewal all that is held. Clients of one process that connect to one server with the same options share it. `false`: each has
   * a call of its own, and what is held a stream. So it is, too, with a server that has no sessions, or behind a proxy that does not
   * carry them. Default `true`.
   */
  readonly sessions?: boolean | undefined;
}

/** The clients of a process that connect to one server in one way share their session. */
const SESSIONS = createShared<Transport>();
const SESSION_PATH = `/${SessionService.typeName}/${SessionService.method.session.name}`;

const NODE: Place = {
  platform: {
    warn: (message, stack) => emitWarning(message, { type: "LeaseLeakWarning", detail: `acquired\n${stack}` }),
    adviceOf: tlsAdvice,
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
  if (options.sessions === false) {
    const { transport, close } = openNodeTransport(address, options);
    return createClientOn(NODE, { ...options, transport, address }, close);
  }
  const {
    answerWithin = ANSWER_WITHIN,
    pingInterval,
    pingTimeout,
    maxStreamsPerConnection,
    tls,
    token,
    headers,
  } = options;
  const connection = [pingInterval, pingTimeout, maxStreamsPerConnection];
  const identity = [tls?.caFile, tls?.certFile, tls?.keyFile, tls?.serverName, token && identityOf(token)];
  const key = JSON.stringify([
    originOf(address),
    answerWithin,
    ...connection,
    ...identity,
    headers && identityOf(headers),
  ]);
  const { item, leave } = SESSIONS.take(key, () => openSessionTransport(address, options, answerWithin));
  return createClientOn(NODE, { ...options, transport: item, address }, leave);
}

/** Functions are one another's equals only where they are the same one. */
const FUNCTIONS = new WeakMap<object, number>();
let functions = 0;

function identityOf(source: TokenSource | HeadersOf): string | number {
  if (typeof source === "string") return source;
  const known = FUNCTIONS.get(source);
  if (known !== undefined) return known;
  functions += 1;
  FUNCTIONS.set(source, functions);
  return functions;
}

function openSessionTransport(address: string, options: ConnectOptions, answerWithin: number): Closable<Transport> {
  const { transport, rest, close } = openNodeTransport(address, options, SESSION_PATH);
  const { headers } = options;
  const sessions = createSessionTransport({
    // Calls that are the session's own have them from here, the others bring them along.
    transport: headers ? withHeaders(transport, headers) : transport,
    headers: headers && (() => withoutTrace(checked(headers()))),
    clock: createSystemClock(),
    defer: (callback) => void setImmediate(callback),
    openWithin: answerWithin / 2,
    onRest: rest,
  });
  return {
    item: sessions,
    close() {
      sessions.close();
      close();
    },
  };
}

/** A client over a Connect transport that the caller brings, and closes. */
export function createClient(options: CreateClientOptions): Client {
  return createClientOn(NODE, options);
}
