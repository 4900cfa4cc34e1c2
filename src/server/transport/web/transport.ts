/** The web port: `RpcService`s as Connect, gRPC-Web and gRPC, over HTTP/1.1 and HTTP/2, beside the pages. */

import {
  createServer as createHttp1Server,
  type IncomingMessage,
  type ServerOptions,
  type ServerResponse,
} from "node:http";
import { constants, createServer as createHttp2Server } from "node:http2";
import { createServer as createHttpsServer } from "node:https";
import { createReaderGuard } from "../http2/reader-guard.ts";
import { createRequestGuard, REQUEST_TIMEOUT } from "../http2/request-guard.ts";
import { createHttp2Sessions, http2Options } from "../http2/sessions.ts";
import { spreadStreams } from "../http2/stream-turns.ts";
import type { Transport, TransportOptions } from "../port/options.ts";
import { createPort } from "../port/port.ts";
import { guardHandshakes, tlsOptions } from "../port/tls-listener.ts";
import type { Timed } from "../rpc/call-times.ts";
import { createCallerCheck } from "../rpc/caller-check.ts";
import { createDispatcher } from "../rpc/dispatch.ts";
import { givingBackPaths, openEndedPaths } from "../rpc/method-paths.ts";
import { shareByAlpn } from "./alpn.ts";
import { type CorsOptions, createCors } from "./cors.ts";
import { createWebHandler, type GuardedPage, type Pages } from "./handler.ts";
import { createLoginPage, type OnLogin } from "./login-page.ts";
import { createPageGuard } from "./page-guard.ts";
import { shareListener } from "./sniff.ts";
import { systemAsked } from "./status.ts";

export interface WebTransportOptions extends TransportOptions, Timed {
  /** Which pages of other origins may call. */
  readonly cors: CorsOptions;
  /** Names by which browsers reach the port, as `readHost` takes them; `*`: any. */
  readonly hosts: readonly string[];
  /** What else is served here. */
  readonly pages?: Pages;
  readonly guardedPage?: GuardedPage | undefined;
  readonly onLogin?: OnLogin;
}

/** ms, over HTTP/1.1: a connection may be idle so long, and headers may take so long. */
const IDLE_TIMEOUT = 60_000;
const HEADERS_TIMEOUT = 10_000;
/** ms between two looks at which requests have exceeded that. */
const CHECK_INTERVAL = 2_000;

export function createWebTransport(options: WebTransportOptions): Transport {
  const {
    services,
    spans,
    onRefused,
    places,
    addresses,
    quotas,
    authenticator,
    limits,
    liveness,
    times,
    tls,
    log,
    clock,
    hosts,
    pages = () => false,
    guardedPage,
    onLogin = () => {},
  } = options;
  const callers = createCallerCheck({ authenticator, quotas, givingBack: givingBackPaths(services) });
  const http2 = createHttp2Server(http2Options(limits));
  const sessions = createHttp2Sessions({ server: http2, limits, liveness, clock });
  const guard = createRequestGuard(clock);
  const readers = createReaderGuard(clock, liveness);
  const openEnded = openEndedPaths(services);
  const dispatcher = createDispatcher({ services, times, log, spans, onRefused });
  const cors = createCors(options.cors);
  const handle = createWebHandler({
    services,
    dispatcher,
    times,
    sessions,
    readers,
    callers,
    limits,
    cors,
    pageGuard: createPageGuard({ allows: cors.allows, hosts, log, clock }),
    pages,
    guardedPage,
    loginPage: createLoginPage(callers, onLogin),
    log,
    clock,
  });
  http2.on("request", (request, response) => handle(request, response as unknown as ServerResponse));
  spreadStreams({
    server: http2,
    sessions,
    onRefused(headers, no) {
      const system = systemAsked(headers["content-type"]);
      dispatcher.refusedEarly({ path: headers[":path"] ?? "", system, arrivedAt: clock.now() }, no);
    },
    maxMetadataBytes: limits.maxMetadataBytes,
    clock,
    before(stream, headers, flags) {
      if ((flags & constants.NGHTTP2_FLAG_END_STREAM) === 0) guard.watch(stream, openEnded.has(headers[":path"] ?? ""));
      return true;
    },
  });

  let draining = false;
  const http1Options: ServerOptions = {
    maxHeaderSize: limits.maxMetadataBytes,
    headersTimeout: HEADERS_TIMEOUT,
    requestTimeout: REQUEST_TIMEOUT / 1000,
    keepAliveTimeout: IDLE_TIMEOUT,
    connectionsCheckingInterval: CHECK_INTERVAL,
    // HTTP/1.1 has no pings, so at least the kernel probes.
    keepAlive: true,
    keepAliveInitialDelay: liveness.keepaliveTime / 1000,
  };
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    if (draining) response.setHeader("connection", "close");
    response.once("close", () => {
      if (draining) clock.schedule(clock.now(), false, () => http1.closeIdleConnections());
    });
    handle(request, response);
  };
  const http1 =
    tls === undefined
      ? createHttp1Server(http1Options, onRequest)
      : createHttpsServer({ ...http1Options, ...tlsOptions(tls, ["h2", "http/1.1"]) }, onRequest);
  if (tls !== undefined) shareByAlpn(http1, http2);
  const undecided =
    tls === undefined ? shareListener({ http1, http2, clock }) : guardHandshakes({ server: http1, clock, log });

  return createPort({
    server: http1,
    places,
    addresses,
    limits,
    tls,
    log,
    clock,
    sendAway(socket) {
      if (!sessions.sendAway(socket)) socket.destroy();
    },
    drain() {
      draining = true;
      for (const socket of undecided) socket.destroy();
      sessions.drain();
    },
    end() {
      sessions.destroyAll();
      http1.closeAllConnections();
      guard.close();
      readers.close();
    },
  });
}
