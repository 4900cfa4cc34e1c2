/** The front in this thread: services over the engines' ports, and the transports that carry them. */

import type { Clock } from "../clock.ts";
import type { BoardEngine } from "../engine/board-engine.ts";
import type { Engine } from "../engine/engine.ts";
import { createIds } from "../ids.ts";
import type { Log } from "../log.ts";
import type { Scraper } from "../scrape.ts";
import { createAdmissionService } from "../service/admission-service.ts";
import { createBoardService } from "../service/board-service.ts";
import { createCallsUnderWay } from "../service/calls-under-way.ts";
import { createConfigService } from "../service/config-service.ts";
import { createHealth } from "../service/health.ts";
import { createHeartbeats } from "../service/heartbeats.ts";
import { createLimiterService } from "../service/limiter-service.ts";
import { createReflection } from "../service/reflection.ts";
import { createSessionService } from "../service/session/session-service.ts";
import { createGrpcTransport } from "../transport/grpc/transport.ts";
import type { ConnectionPlaces } from "../transport/port/connection-places.ts";
import { createCallTimes } from "../transport/rpc/call-times.ts";
import type { Pages } from "../transport/web/handler.ts";
import { createMetricsPage } from "../transport/web/metrics-page.ts";
import { readPageFiles } from "../transport/web/pages/files.ts";
import { createPages } from "../transport/web/pages/pages.ts";
import { createWebTransport } from "../transport/web/transport.ts";
import type { Front, FrontAddresses, FrontListeners, ServerState } from "./front.ts";

export interface LocalFrontOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly engine: Engine;
  readonly boards: BoardEngine;
  /** 32 bytes under which the secrets of leases are made. */
  readonly secretKey: Uint8Array;
  /** Of each port, for its connections. */
  readonly places: { readonly grpc: ConnectionPlaces; readonly web: ConnectionPlaces };
  readonly state: ServerState;
  /** What the web port serves at `/metrics`; undefined: nothing. */
  readonly scraper: Scraper | undefined;
}

export interface LocalFront extends Front {
  /** `isShared`: other threads listen on the same ports. */
  listen(at: FrontListeners, isShared?: boolean): Promise<FrontAddresses>;
}

export function createLocalFront(options: LocalFrontOptions): LocalFront {
  const { clock, log, engine, boards, secretKey, places, scraper } = options;
  let { state } = options;
  const { limits, liveness, listeners } = state.settings;
  const ids = createIds(secretKey);
  const heartbeat = () => state.settings.liveness.heartbeat;
  const admission = createAdmissionService({ clock, ids, engine, heartbeat });
  const board = createBoardService({ clock, ids, boards, heartbeat });
  const calls = createCallsUnderWay({ clock, bound: () => state.settings.drainTimeout });
  const heartbeats = createHeartbeats(clock, heartbeat);
  const maxCommands = () => state.settings.maxCommandsPerSession;
  const sessions = createSessionService({ clock, ids, engine, boards, heartbeats, calls, maxCommands });
  const contract = [
    admission.service,
    createLimiterService({ clock, engine }),
    board.service,
    sessions.service,
    createConfigService({ clock, engine, boards, running: () => state.running }),
  ];
  const health = createHealth(contract.map(({ descriptor }) => descriptor.typeName));
  const services = [
    ...contract,
    health.service,
    ...createReflection(
      [...contract, health.service].map(({ descriptor }) => descriptor),
      clock,
    ),
  ].map(calls.watch);
  const times = createCallTimes(clock);
  const transport = { services, limits, liveness, times, tls: state.tls, log, clock };
  const grpc = createGrpcTransport({ ...transport, places: places.grpc });
  const cors = { origins: listeners.corsOrigins, headers: listeners.corsHeaders };
  const dashboard = createPages(readPageFiles());
  const metrics = scraper === undefined ? undefined : createMetricsPage({ scraper, clock, log });
  const pages: Pages = (request, response) => metrics?.(request, response) || dashboard(request, response);
  const web = createWebTransport({ ...transport, places: places.web, cors, pages });
  health.set(state.serving);

  return {
    workers: 0,
    listen: async (at, isShared) => ({
      grpc: await grpc.listen(at.grpc, isShared),
      web: await web.listen(at.web, isShared),
    }),
    show(next) {
      const { tls } = next;
      if (tls !== undefined && tls.generation !== state.tls?.generation) {
        grpc.renew(tls);
        web.renew(tls);
      }
      state = next;
      health.set(state.serving);
    },
    drain(endTime, waiterLeaves) {
      admission.drain(endTime, waiterLeaves);
      board.drain(endTime);
      sessions.drain(endTime, waiterLeaves);
    },
    callsUnderWay: async () => calls.count,
    figures: async () => ({
      calls: times.read(),
      connections: { grpc: places.grpc.open, web: places.web.open },
      threads: [],
    }),
    sendAway: async () => calls.sendAway(),
    closePorts() {
      grpc.drain();
      web.drain();
    },
    async close() {
      await Promise.all([grpc.close(), web.close()]);
    },
    async abandon() {
      await Promise.all([grpc.destroy(), web.destroy()]);
    },
  };
}
