/** The front in this thread: services over the engines' ports, and the transports that carry them. */

import type { Clock } from "../clock.ts";
import { addressText, type ServerSettings } from "../config/settings.ts";
import type { BoardEngine } from "../engine/board-engine.ts";
import type { Engine } from "../engine/engine.ts";
import type { GetConfigResponse } from "../gen/ggen/backpressure/config/v1/config_service_pb.ts";
import { createIds } from "../ids.ts";
import type { Log } from "../log.ts";
import { createAdmissionService } from "../service/admission-service.ts";
import { createBoardService } from "../service/board-service.ts";
import { createCallsUnderWay } from "../service/calls-under-way.ts";
import { createConfigService } from "../service/config-service.ts";
import { createHealth } from "../service/health.ts";
import { createLimiterService } from "../service/limiter-service.ts";
import { createReflection } from "../service/reflection.ts";
import { createGrpcTransport } from "../transport/grpc/transport.ts";
import type { TransportOptions } from "../transport/port/options.ts";
import { readPageFiles } from "../transport/web/pages/files.ts";
import { createPages } from "../transport/web/pages/pages.ts";
import { createWebTransport } from "../transport/web/transport.ts";
import type { Front } from "./front.ts";

export interface LocalFrontOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly engine: Engine;
  readonly boards: BoardEngine;
  /** 32 bytes under which the secrets of leases are made. */
  readonly secretKey: Uint8Array;
  /** The settings in force; asked for anew where they may change while the server runs. */
  readonly settings: () => ServerSettings;
  /** The same as clients are shown them. */
  readonly running: () => GetConfigResponse;
}

export function createLocalFront(options: LocalFrontOptions): Front {
  const { clock, log, engine, boards, secretKey, settings, running } = options;
  const { limits, liveness, listeners } = settings();
  const ids = createIds(secretKey);
  const heartbeat = () => settings().liveness.heartbeat;
  const admission = createAdmissionService({ clock, ids, engine, heartbeat });
  const board = createBoardService({ clock, ids, boards, heartbeat });
  const contract = [
    admission.service,
    createLimiterService({ clock, engine }),
    board.service,
    createConfigService({ clock, engine, boards, running }),
  ];
  const health = createHealth(contract.map(({ descriptor }) => descriptor.typeName));
  const calls = createCallsUnderWay({ clock, bound: () => settings().drainTimeout });
  const services = [
    ...contract,
    health.service,
    ...createReflection(
      [...contract, health.service].map(({ descriptor }) => descriptor),
      clock,
    ),
  ].map(calls.watch);
  const transport: TransportOptions = { services, limits, liveness, log, clock };
  const grpc = createGrpcTransport(transport);
  const cors = { origins: listeners.corsOrigins, headers: listeners.corsHeaders };
  const web = createWebTransport({ ...transport, cors, pages: createPages(readPageFiles()) });

  return {
    listen: async () => ({
      grpc: await grpc.listen(addressText(listeners.grpc)),
      web: await web.listen(addressText(listeners.web)),
    }),
    setServing: (serving) => health.set(serving),
    drain(endTime, waiterLeaves) {
      admission.drain(endTime, waiterLeaves);
      board.drain(endTime);
    },
    callsUnderWay: async () => calls.count,
    sendAway: async () => calls.sendAway(),
    closePorts() {
      grpc.drain();
      web.drain();
    },
    async close() {
      await Promise.all([grpc.close(), web.close()]);
    },
  };
}
