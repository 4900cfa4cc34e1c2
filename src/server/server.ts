/** The composition root: joins clock, engine, services and transports, and decides nothing. */

import { type Clock, createSystemClock } from "./clock.ts";
import type { LoadedConfig } from "./config/config.ts";
import { formatProblem } from "./config/problem.ts";
import { runningConfigMessage } from "./config/running-config.ts";
import { addressText, restartFields, settingsInForce } from "./config/settings.ts";
import { createDeclarations } from "./declarations.ts";
import type { BoardEngine } from "./engine/board-engine.ts";
import { createEmbeddedBoardEngine } from "./engine/embedded/embedded-board-engine.ts";
import { createEmbeddedEngine, type EmbeddedEngine } from "./engine/embedded/embedded-engine.ts";
import { EngineUnavailable } from "./engine/engine.ts";
import { createIds } from "./ids.ts";
import type { Log } from "./log.ts";
import { createAdmissionService } from "./service/admission-service.ts";
import { createBoardService } from "./service/board-service.ts";
import { createCallsUnderWay } from "./service/calls-under-way.ts";
import { createConfigService } from "./service/config-service.ts";
import { createHealth } from "./service/health.ts";
import { createLimiterService } from "./service/limiter-service.ts";
import { createReflection } from "./service/reflection.ts";
import { openDurableStore } from "./store/durable-store.ts";
import { createMemoryStore } from "./store/memory-store.ts";
import type { Store } from "./store/store.ts";
import { reserveTokens } from "./store/token-reserve.ts";
import { createGrpcTransport } from "./transport/grpc/transport.ts";
import { watchDescriptors } from "./transport/port/descriptors.ts";
import type { BoundAddress, TransportOptions } from "./transport/port/options.ts";
import { createWebTransport } from "./transport/web/transport.ts";

export interface Server {
  /** Where it listens. */
  readonly grpc: BoundAddress;
  readonly web: BoundAddress;
  /** Takes up another configuration; what needs a restart is logged and left as it is. */
  reconfigure(config: LoadedConfig): void;
  /** Whether all that the configuration declares is taken up. What was refused may be taken up later. */
  readonly isInForce: boolean;
  /** Refuses new work, lets calls and leases finish within the drain's time, then ends. Harmless to call twice. */
  stop(): Promise<void>;
  /** Ends at once, leases or not. */
  stopNow(): Promise<void>;
}

export interface ServerOptions {
  readonly config: LoadedConfig;
  readonly log: Log;
  readonly clock?: Clock;
  /** Takes up what can be read of a data folder that is damaged. */
  readonly acceptLoss?: boolean;
  /** Called when the server can no longer keep what it grants and must not go on; the message says why. */
  readonly onFatal?: (message: string) => void;
  /** Aborts a start that is under way, which then rejects with the signal's reason. */
  readonly ending?: AbortSignal;
}

type TimedOptions = ServerOptions & { readonly clock: Clock };

/** µs between two looks at whether the last call is answered, and the last lease has finished. */
const DRAIN_LOOK = 50_000;
const MICROS = 1_000;

/** Starts a server; rejects, with nothing left open, if a port cannot be had. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { clock = createSystemClock() } = options;
  const store = await openStore({ ...options, clock });
  try {
    options.ending?.throwIfAborted();
    return await serve({ ...options, clock }, store);
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function serve({ config, log, clock, ending }: TimedOptions, store: Store): Promise<Server> {
  let { settings } = config;
  let latest = config;
  const startedAt = clock.wallTime(clock.now());
  let loadedAt = startedAt;
  const ids = createIds(store.secretKey);
  const fencingEpoch = Math.max(Math.floor(clock.wallTime(0) * MICROS), store.reserved);
  const stopReserving = await reserveTokens({ clock, store, fencingEpoch });
  const { maxWaiters, maxLimiters, maxBoards } = settings;
  const engine = createEmbeddedEngine({ clock, store, machine: { maxWaiters, maxLimiters, fencingEpoch } });
  const boards = createEmbeddedBoardEngine({ clock, store, limiters: engine, maxBoards });
  store.forgetFound();
  const declarations = createDeclarations({ engine, boards, log });
  sayNotes(config, log);
  declarations.takeUpAtStart(config);

  const admission = createAdmissionService({ clock, ids, engine, heartbeat: () => settings.liveness.heartbeat });
  const board = createBoardService({ clock, ids, boards, heartbeat: () => settings.liveness.heartbeat });
  const running = () => runningConfigMessage({ started: config, latest, settings, startedAt, loadedAt });
  const contract = [
    admission.service,
    createLimiterService({ clock, engine }),
    board.service,
    createConfigService({ engine, boards, running }),
  ];
  const health = createHealth(contract.map(({ descriptor }) => descriptor.typeName));
  const calls = createCallsUnderWay({ clock, bound: () => settings.drainTimeout });
  const services = [
    ...contract,
    health.service,
    ...createReflection(
      [...contract, health.service].map(({ descriptor }) => descriptor),
      clock,
    ),
  ].map(calls.watch);
  const transport: TransportOptions = {
    services,
    limits: settings.limits,
    liveness: settings.liveness,
    log,
    clock,
  };
  const grpcTransport = createGrpcTransport(transport);
  const { corsOrigins, corsHeaders } = settings.listeners;
  const webTransport = createWebTransport({ ...transport, cors: { origins: corsOrigins, headers: corsHeaders } });
  let stopping: Promise<void> | undefined;
  let ended: Promise<void> | undefined;

  const stopWatchingDescriptors = watchDescriptors({ clock, log, maxConnections: settings.limits.maxConnections });

  async function end(): Promise<void> {
    stopReserving();
    stopWatchingDescriptors();
    calls.sendAway();
    // Before the streams end: else each stream's end would free a place, and the next step could grant it to another.
    await boards.close();
    await engine.close();
    await Promise.all([grpcTransport.close(), webTransport.close()]);
    await store.close();
  }

  function stopNow(): Promise<void> {
    ended ??= end();
    return ended;
  }

  const leasesOutlive = settings.store !== undefined && settings.store.leases !== "none";
  let serving = false;
  let problem: string | undefined;
  const sayHealth = () => health.set(serving && problem === undefined);
  store.onHealth((current) => {
    problem = current;
    sayHealth();
  });

  async function drain(): Promise<void> {
    serving = false;
    sayHealth();
    const { drainTimeout } = settings;
    const deadline = clock.now() + drainTimeout;
    engine.stopGranting();
    admission.drain(clock.wallTime(deadline), leasesOutlive ? "lost" : "cancelled");
    board.drain(clock.wallTime(deadline));
    // Holders go on renewing and releasing, over new connections too: the ports stay open until they are done. Leases that
    // are kept need not be: the next start takes them up.
    const isIdle = async () => calls.count === 0 && (leasesOutlive || (await hasNoHolders({ engine, boards })));
    await untilIdle(isIdle, clock, () => ended !== undefined || clock.now() >= deadline);
    grpcTransport.drain();
    webTransport.drain();
    await stopNow();
  }

  try {
    ending?.throwIfAborted();
    const grpc = await grpcTransport.listen(addressText(settings.listeners.grpc));
    const web = await webTransport.listen(addressText(settings.listeners.web));
    serving = true;
    sayHealth();
    return {
      grpc,
      web,
      reconfigure(next) {
        const fields = restartFields(settings, next.settings);
        if (fields.length > 0) log.warn({ fields }, "these fields have changed and need a restart to take effect");
        log.setLevel(next.settings.logLevel);
        sayNotes(next, log);
        engine.setMaxWaiters(next.settings.maxWaiters);
        engine.setMaxLimiters(next.settings.maxLimiters);
        boards.setMaxBoards(next.settings.maxBoards);
        settings = settingsInForce(settings, next.settings);
        latest = next;
        loadedAt = clock.wallTime(clock.now());
        declarations.takeUp(next);
      },
      get isInForce() {
        return declarations.isInForce;
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

/** Logs what `check` says of a file that is valid. */
function sayNotes({ notes }: LoadedConfig, log: Log): void {
  for (const note of notes) log.warn({ field: note.field }, formatProblem(note));
}

async function openStore(options: TimedOptions): Promise<Store> {
  const { config, log, clock, acceptLoss = false, onFatal = () => {} } = options;
  const { store, listeners } = config.settings;
  if (store === undefined) return createMemoryStore();
  const serves = `gRPC on ${addressText(listeners.grpc)}`;
  const epoch = Math.floor(clock.wallTime(0) * MICROS);
  const opened = await openDurableStore({ ...store, serves, clock, log, epoch, acceptLoss, onFatal });
  const { limiters, boards } = opened.found;
  log.info(
    { folder: store.folder, leases: limiters.leases.length, cards: boards.cards.length },
    "the data folder is taken up",
  );
  if (opened.incompleteFor > 0) {
    log.warn(
      { seconds: opened.incompleteFor / 1e6 },
      "some leases from before the restart may be unknown: no new ones are granted until the longest ttl has passed; " +
        "known ones can be resumed",
    );
  }
  return opened;
}

interface Engines {
  readonly engine: EmbeddedEngine;
  readonly boards: BoardEngine;
}

/** Resolves when `isIdle` or `isInVain`. */
async function untilIdle(isIdle: () => Promise<boolean>, clock: Clock, isInVain: () => boolean): Promise<void> {
  while (!isInVain() && !(await isIdle())) {
    await new Promise<void>((resolve) => {
      clock.schedule(clock.now() + DRAIN_LOOK, false, resolve);
    });
  }
}

/** Whether no lease and no work is left. */
async function hasNoHolders({ engine, boards }: Engines): Promise<boolean> {
  try {
    const { items } = await engine.leases({ limiter: "", key: "", after: "", limit: 1 });
    return items.length === 0 && (await boards.working()) === 0;
  } catch (error) {
    // The server was ended at once (`stopNow`) meanwhile.
    if (error instanceof EngineUnavailable) return true;
    throw error;
  }
}
