/**
 * HTTP/2 connections to one server, as many as the open calls need: a server bears a bounded number of calls on each, and
 * a lost connection takes all leases on it along.
 */

import type { ClientHttp2Session, ClientHttp2Stream, Http2Session } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import { type GrpcTransportOptions, Http2SessionManager } from "@connectrpc/connect-node";
import type { Clock } from "../rpc/clock.ts";
import { type KeepAlive, keepAlive } from "./keep-alive.ts";
import { connectSecurely, type TlsOptions } from "./tls-connection.ts";

export interface ConnectionPool extends NonNullable<GrpcTransportOptions["sessionManager"]> {
  /** Calls open on each connection, for tests. */
  load(): readonly number[];
  /** Says whether the process may end though calls of `restingPath` are open. */
  rest(isAtRest: boolean): void;
  /** Closes all connections, and the calls on them. */
  close(): void;
}

export interface ConnectionPoolOptions {
  readonly clock: Clock;
  /** The server's origin. */
  readonly origin: string;
  /** Of an origin of `https`. */
  readonly tls?: TlsOptions | undefined;
  /** ms between two pings of a connection with open calls. */
  readonly pingInterval: number;
  /** ms for the ping to be answered, else the connection counts as lost. */
  readonly pingTimeout: number;
  /** Calls at once on one connection, if the server allows as many. */
  readonly maxStreams: number;
  /** The path of calls that stay open while nothing is asked over them. */
  readonly restingPath?: string | undefined;
}

interface Connection {
  readonly manager: Http2SessionManager;
  /** Calls that are open or about to be. */
  open: number;
  /** How many of them are of the path that may rest. */
  restable: number;
  limit: Limit;
  session: Http2Session | undefined;
  keepAlive: KeepAlive | undefined;
}

type Limit =
  /** The server has not said it yet: one call goes ahead, the others wait for what comes of it. */
  | { readonly kind: "unknown"; readonly known: PromiseWithResolvers<void> }
  | { readonly kind: "known"; readonly calls: number };

/**
 * In what parameter of SETTINGS the server says `max_streams_per_connection`. HTTP/2's own parameter says more, so that
 * short calls find room beside the streams that last.
 */
const MAX_STREAMS_SETTING = 0xf0b5;

export function createConnectionPool(options: ConnectionPoolOptions): ConnectionPool {
  const { clock, origin, tls = {}, pingInterval, pingTimeout, maxStreams, restingPath } = options;
  const isSecure = new URL(origin).protocol === "https:";
  const connections: Connection[] = [];
  const connectionOf = new WeakMap<ClientHttp2Stream, Connection>();
  let isClosed = false;
  let isAtRest = false;

  /** Keeps the process alive while a call is open that does not rest. */
  function keepProcess({ session, open, restable }: Connection): void {
    if (open > (isAtRest ? restable : 0)) session?.ref();
    else session?.unref();
  }

  /** Takes a place on a connection that has one; opens another if none has. */
  async function takePlace(): Promise<Connection> {
    for (;;) {
      const free = connections.find(({ open, limit }) => open < (limit.kind === "known" ? limit.calls : 1));
      if (free !== undefined) {
        free.open += 1;
        return free;
      }
      const opening = connections.find(({ limit }) => limit.kind === "unknown")?.limit;
      if (opening?.kind === "unknown") await opening.known.promise;
      else connections.push(createConnection());
    }
  }

  function createConnection(): Connection {
    // It is given no pings, so that it verifies nothing either: a connection that is lost while the manager verifies it,
    // and is replaced for another call meanwhile, is replaced twice. The first replacement is then left without a listener
    // for errors, whose reset ends the process, and the call that it was made for waits forever.
    const manager = new Http2SessionManager(origin, undefined, {
      remoteCustomSettings: [MAX_STREAMS_SETTING],
      ...(isSecure && { createConnection: (authority: URL) => connectSecurely(authority, tls) }),
    });
    return { manager, open: 0, restable: 0, limit: unknownLimit(), session: undefined, keepAlive: undefined };
  }

  function watch(connection: Connection, session: Http2Session | undefined): void {
    if (session === undefined || session === connection.session) return;
    connection.session = session;
    connection.keepAlive = keepAlive(session as ClientHttp2Session, {
      clock,
      interval: pingInterval,
      timeout: pingTimeout,
      isBusy: () => connection.open > 0,
    });
    // A session manager that replaces a destroyed session takes its listener off before the error is emitted, which
    // would then end the process; each call on the session hears of the error anyway.
    session.on("error", () => {});
    // Before the server's settings there is nothing to read: Node then supposes 100.
    session.on("remoteSettings", ({ maxConcurrentStreams = maxStreams, customSettings }) => {
      const before = connection.limit;
      const bound = customSettings?.[MAX_STREAMS_SETTING] ?? maxStreams;
      connection.limit = { kind: "known", calls: Math.max(1, Math.min(maxStreams, maxConcurrentStreams, bound)) };
      if (before.kind === "unknown") before.known.resolve();
    });
    session.once("close", () =>
      giveUp(connection, new ConnectError("the connection was closed before it was of any use", Code.Unavailable)),
    );
  }

  /** A call that waits to know the limit fails as the one that went ahead; the next call tries anew. */
  function giveUp(connection: Connection, reason: unknown): void {
    const { limit } = connection;
    if (limit.kind === "known") return;
    connection.limit = unknownLimit();
    limit.known.reject(reason);
  }

  return {
    authority: origin,
    async request(method, path, headers, requestOptions) {
      const connection = await takePlace();
      try {
        await connection.keepAlive?.check();
        // A session manager that was aborted connects again.
        if (isClosed) throw new ConnectError("the connections were closed", Code.Canceled);
        const stream = await connection.manager.request(method, path, headers, requestOptions);
        connectionOf.set(stream, connection);
        const restable = path === restingPath ? 1 : 0;
        connection.restable += restable;
        stream.once("close", () => {
          connection.open -= 1;
          connection.restable -= restable;
          keepProcess(connection);
        });
        watch(connection, stream.session);
        keepProcess(connection);
        connection.keepAlive?.wake();
        return stream;
      } catch (error) {
        connection.open -= 1;
        giveUp(connection, error);
        throw error;
      }
    },
    notifyResponseByteRead(stream) {
      const connection = connectionOf.get(stream);
      if (stream.session === connection?.session) connection?.keepAlive?.heard();
    },
    load: () => connections.map(({ open }) => open),
    rest(now) {
      isAtRest = now;
      for (const connection of connections) if (connection.restable > 0) keepProcess(connection);
    },
    close() {
      isClosed = true;
      for (const { manager } of connections) manager.abort();
    },
  };
}

function unknownLimit(): Limit {
  const known = Promise.withResolvers<void>();
  // It may be that no call waits for it.
  known.promise.catch(() => {});
  return { kind: "unknown", known };
}
