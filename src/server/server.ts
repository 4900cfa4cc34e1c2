/** The composition root: joins clock, engine, services and transports, and decides nothing. */

import { type Clock, createSystemClock } from "./clock.ts";
import type { LoadedConfig } from "./config/config.ts";
import { type Address, restartFields } from "./config/settings.ts";
import type { BoardEngine } from "./engine/board-engine.ts";
import { createEmbeddedBoardEngine } from "./engine/embedded/embedded-board-engine.ts";
import { createEmbeddedEngine, type EmbeddedEngine } from "./engine/embedded/embedded-engine.ts";
import { createIds } from "./ids.ts";
import type { Log } from "./log.ts";
import { createAdmissionService } from "./service/admission-service.ts";
import { createBoardService } from "./service/board-service.ts";
import { createLimiterService } from "./service/limiter-service.ts";
import { createMemoryStore } from "./store/store.ts";
import { createGrpcTransport } from "./transport/grpc.ts";
import { createHealth } from "./transport/health.ts";
import type { BoundAddress, TransportOptions } from "./transport/options.ts";
import { createReflection } from "./transport/reflection.ts";
import { createWebTransport } from "./transport/web.ts";

export interface Server {
  /** Where it listens. */
  readonly grpc: BoundAddress;
  readonly web: BoundAddress;
  /** Takes up another configuration; what needs a restart is logged and left as it is. */
  reconfigure(config: LoadedConfig): void;
  /** Takes nothing new, lets leases finish within the drain's time, then ends. Calling it twice is harmless. */
  stop(): Promise<void>;
  /** Ends at once, leases or not. */
  stopNow(): Promise<void>;
}

export interface ServerOptions {
  readonly config: LoadedConfig;
  readonly log: Log;
  readonly clock?: Clock;
}

/** µs between two looks at whether the last lease has finished. */
const DRAIN_LOOK = 50_000;
const MICROS = 1_000;

/** Starts a server; rejects, with nothing left open, if a port cannot be had. */
export async function startServer({ config, log, clock = createSystemClock() }: ServerOptions): Promise<Server> {
  let { settings } = config;
  const ids = createIds();
  const store = createMemoryStore();
  const engine = createEmbeddedEngine({
    clock,
    store,
    // Tokens go on rising after a restart as long as the wall clock is not set back.
    machine: { maxWaiters: settings.maxWaiters, fencingEpoch: Math.floor(clock.wallTime(0) * MICROS) },
  });
  const boards = createEmbeddedBoardEngine({ clock, store, limiters: engine });
  declare({ engine, boards }, config, log);

  const admission = createAdmissionService({ clock, ids, engine, heartbeat: () => settings.liveness.heartbeat });
  const board = createBoardService({ clock, ids, boards, heartbeat: () => settings.liveness.heartbeat });
  const contract = [admission.service, createLimiterService({ clock, engine }), board.service];
  const health = createHealth(contract.map(({ descriptor }) => descriptor.typeName));
  const services = [
    ...contract,
    health.service,
    ...createReflection([...contract, health.service].map(({ descriptor }) => descriptor)),
  ];
  const options: TransportOptions = {
    services,
    limits: settings.limits,
    liveness: settings.liveness,
    log,
    clock,
  };
  const grpcTransport = createGrpcTransport(options);
  const webTransport = createWebTransport({ ...options, corsOrigins: settings.listeners.corsOrigins });
  let stopping: Promise<void> | undefined;
  let ended: Promise<void> | undefined;

  async function end(): Promise<void> {
    await Promise.all([grpcTransport.close(), webTransport.close()]);
    await boards.close();
    await engine.close();
    await store.close();
  }

  function stopNow(): Promise<void> {
    ended ??= end();
    return ended;
  }

  async function drain(): Promise<void> {
    health.set(false);
    const { drainTimeout } = settings;
    const deadline = clock.now() + drainTimeout;
    admission.drain(clock.wallTime(deadline));
    board.drain(clock.wallTime(deadline));
    // Holders go on renewing and releasing, over new connections too: the ports stay open until they are done.
    await untilIdle({ engine, boards }, clock, () => ended !== undefined || clock.now() >= deadline);
    grpcTransport.drain();
    webTransport.drain();
    await stopNow();
  }

  try {
    const grpc = await grpcTransport.listen(addressText(settings.listeners.grpc));
    const web = await webTransport.listen(addressText(settings.listeners.web));
    health.set(true);
    return {
      grpc,
      web,
      reconfigure(next) {
        const fields = restartFields(settings, next.settings);
        if (fields.length > 0) log.warn({ fields }, "these fields have changed and need a restart to take effect");
        log.setLevel(next.settings.logLevel);
        engine.setMaxWaiters(next.settings.maxWaiters);
        // What needs a restart stays as it is in force.
        settings = { ...settings, drainTimeout: next.settings.drainTimeout, maxWaiters: next.settings.maxWaiters };
        declare({ engine, boards }, next, log);
      },
      stop() {
        stopping ??= drain();
        return stopping;
      },
      stopNow,
    };
  } catch (error) {
    await stopNow();
    throw error;
  }
}

interface Engines {
  readonly engine: EmbeddedEngine;
  readonly boards: BoardEngine;
}

function declare({ engine, boards }: Engines, config: LoadedConfig, log: Log): void {
  engine.submit([{ kind: "declare", configs: config.limiters }], ([{ created, changed, deleted, refused }]) => {
    log.info({ created, changed, deleted }, "limiters declared");
    if (refused.length > 0) {
      log.error({ limiters: refused }, "keyed cannot be changed: declare these limiters under another name");
    }
  });
  boards.submit([{ kind: "declare-boards", configs: config.boards }], ([{ created, changed, deleted, refused }]) => {
    log.info({ created, changed, deleted }, "boards declared");
    if (refused.length > 0) {
      log.error(
        { boards: refused },
        "cards stand where the file has no place for them: these boards stay as they were",
      );
    }
  });
}

/** Resolves when no lease and no work is left, or nobody waits for that any more. */
async function untilIdle({ engine, boards }: Engines, clock: Clock, isInVain: () => boolean): Promise<void> {
  while (!isInVain()) {
    const { items } = await engine.leases({ limiter: "", key: "", after: "", limit: 1 });
    if (items.length === 0 && (await boards.working()) === 0) return;
    await new Promise<void>((resolve) => {
      clock.schedule(clock.now() + DRAIN_LOOK, false, resolve);
    });
  }
}

function addressText({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
