/** A port for metrics alone, over HTTP/1.1. */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { ANONYMOUS } from "../../access/caller.ts";
import { createConnectionPlaces } from "../port/connection-places.ts";
import type { Transport } from "../port/options.ts";
import { createPort } from "../port/port.ts";
import { createMetricsPage, type MetricsPageOptions } from "./metrics-page.ts";
import { createPageGuard } from "./page-guard.ts";
import { refuseWebCall } from "./refuse.ts";

const MAX_CONNECTIONS = 100;
/** ms. */
const REQUEST_TIMEOUT = 10_000;
const IDLE_TIMEOUT = 60_000;

export interface MetricsListenerOptions extends MetricsPageOptions {
  /** Names by which browsers reach the port, as `readHost` takes them; `*`: any. */
  readonly hosts: readonly string[];
}

export function createMetricsListener(options: MetricsListenerOptions): Transport {
  const { hosts, clock, log } = options;
  const guard = createPageGuard({ allows: () => false, hosts, log, clock });
  const page = createMetricsPage(options);
  const server = createServer(
    { requestTimeout: REQUEST_TIMEOUT, headersTimeout: REQUEST_TIMEOUT, keepAliveTimeout: IDLE_TIMEOUT },
    (request: IncomingMessage, response: ServerResponse) => {
      if (page.isAskedFor(request)) {
        const foreign = guard.refusalOf(request, { socket: request.socket, showsToken: false });
        if (foreign === undefined) page.answer(request, response, ANONYMOUS);
        else refuseWebCall(request, response, foreign);
        return;
      }
      response.writeHead(404, { "content-type": "text/plain; charset=utf-8", connection: "close" });
      response.end("Nothing but /metrics is served here.\n");
    },
  );
  return createPort({
    server,
    places: createConnectionPlaces(MAX_CONNECTIONS),
    limits: {
      maxConnections: MAX_CONNECTIONS,
    },
    log,
    clock,
    drain: () => server.closeIdleConnections(),
    end: () => server.closeAllConnections(),
  });
}
