/** One request over HTTP/1.1 or HTTP/2 and its response, whichever of the two it is. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { constants, type Http2ServerRequest } from "node:http2";
import type { Socket } from "node:net";
import { createContextKey } from "@connectrpc/connect";
import type { Caller } from "../../access/caller.ts";
import type { Clock } from "../../clock.ts";
import type { StreamEnd } from "../../service/rpc.ts";
import type { ReaderGuard } from "../http2/reader-guard.ts";
import type { Http2Sessions } from "../http2/sessions.ts";
import type { StreamPlaces } from "../http2/stream-places.ts";
import type { CallerCheck } from "../rpc/caller-check.ts";
import { connectTimeout, grpcTimeout, timeLeft } from "../rpc/timeouts.ts";

export type WebRequest = IncomingMessage | Http2ServerRequest;
/** Over HTTP/2 it is an `Http2ServerResponse`, which Node made to be used alike. */
export type WebResponse = ServerResponse;

export interface WebExchange {
  /** As the request line has it, `1.1`; `2.0` over HTTP/2. */
  readonly httpVersion: string;
  /** The other end: address and port. */
  readonly peer: string;
  /** µs that the caller's deadline leaves, from the arrival of the headers on; undefined: it set none. */
  readonly timeout: number | undefined;
  /** Whether we find out when the connection is dead. */
  readonly probed: boolean;
  /** Who calls. */
  readonly caller: Caller;
  /** Calls back once, when the credential of the caller counts no more, unless the exchange is over by then. */
  onCredentialEnd(listener: () => void): void;
  /** Whether its call has come to the function that serves it. */
  begun: boolean;
  /** The signal that connect-node aborts with what it answers by itself; undefined: it is answered by a status of HTTP alone. */
  ending: AbortSignal | undefined;
  /** Aborted as soon as the response can no longer reach its client. */
  readonly signal: AbortSignal;
  /** Where a stream that lasts finds a place on its connection; undefined: the connection carries one call at a time. */
  places(aside: boolean): StreamPlaces | undefined;
  /** Why a stream that has just ended without our doing did so. */
  howEnded(): StreamEnd;
  /** Writes and resolves when the bytes have left this process; false: they will not. */
  write(bytes: Uint8Array): Promise<boolean>;
}

/** Tells the handlers of connect-node which exchange they serve. */
export const exchangeKey = createContextKey<WebExchange | undefined>(undefined);

export interface WebExchangeOptions {
  readonly request: WebRequest;
  readonly response: WebResponse;
  readonly sessions: Http2Sessions;
  readonly readers: ReaderGuard;
  readonly caller: Caller;
  readonly callers: CallerCheck;
  readonly clock: Clock;
}

export function createWebExchange(options: WebExchangeOptions): WebExchange {
  const { request, response, sessions, readers, caller, callers, clock } = options;
  const session = "stream" in request ? request.stream.session : undefined;
  const connection = session && sessions.of(session);
  const controller = new AbortController();
  const dueAt = dueTimeOf(request, clock);
  let stuck = false;
  const reader = readers.watch(() => {
    stuck = true;
    if ("stream" in request) request.stream.close(constants.NGHTTP2_CANCEL);
    else response.destroy();
  });

  // What goes wrong with either ends in "close".
  request.on("error", () => {});
  response.on("error", () => {});
  response.once("close", () => {
    reader.stop();
    controller.abort();
  });

  return {
    httpVersion: request.httpVersion,
    peer: connection?.peer ?? http1Peer(request),
    get timeout() {
      return timeLeft(dueAt, clock.now());
    },
    probed: connection !== undefined,
    caller,
    onCredentialEnd(listener) {
      const stopWatching = callers.watch(caller, listener);
      if (controller.signal.aborted) stopWatching();
      else controller.signal.addEventListener("abort", stopWatching, { once: true });
    },
    begun: false,
    ending: undefined,
    signal: controller.signal,
    places: (aside) => connection?.places(aside),
    howEnded() {
      if (stuck) return "lost";
      if (connection) return connection.howStreamEnded();
      // Over HTTP/1.1 a closed connection is the only cancel there is, so one cannot be distinguished from a loss.
      return controller.signal.aborted ? "lost" : "cancelled";
    },
    write(bytes) {
      if (controller.signal.aborted) return Promise.resolve(false);
      return new Promise((resolve) => {
        reader.owe(bytes.byteLength);
        response.write(bytes, (error) => {
          reader.owe(0);
          resolve(!error);
        });
      });
    },
  };
}

/** The connection of a request; undefined: it has gone. */
export function socketOf(request: WebRequest, sessions: Http2Sessions): Socket | undefined {
  if (!("stream" in request)) return request.socket;
  const { session } = request.stream;
  return session && sessions.of(session)?.socket;
}

/** An HTTP/2 request whose connection has gone already has no socket that could be asked. */
function http1Peer(request: WebRequest): string {
  return "stream" in request ? "unknown" : `${request.socket.remoteAddress}:${request.socket.remotePort}`;
}

function dueTimeOf({ headers }: WebRequest, clock: Clock): number | undefined {
  const timeout = connectTimeout(headers["connect-timeout-ms"]) ?? grpcTimeout(headers["grpc-timeout"]);
  return timeout === undefined ? undefined : clock.now() + timeout;
}
