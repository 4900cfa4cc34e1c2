/** The composition root: joins store, owner and front, and leads them from their start to their end. */

import { openAuditFile } from "./audit/audit-file.ts";
import { type AuditLog, createAuditLog } from "./audit/audit-log.ts";
import { type Clock, createSystemClock } from "./clock.ts";
import type { LoadedConfig } from "./config/config.ts";
import { formatProblem, type Problem } from "./config/problem.ts";
import { type RefusedFile, runningConfigMessage } from "./config/running-config.ts";
import { addressText, restartFields, type ServerSettings, settingsInForce } from "./config/settings.ts";
import type { Front, FrontAddresses, ServerState } from "./front/front.ts";
import { openFront } from "./front/open-front.ts";
import { createInstanceId, createSecretKey } from "./ids.ts";
import type { Log } from "./log.ts";
import { createMetrics } from "./metrics.ts";
import { openStore } from "./open-store.ts";
import { resourceOf } from "./otlp/resource.ts";
import { createOwner } from "./owner.ts";
import type { Store } from "./store/store.ts";
import { openTlsFiles, type TlsFilesWatch } from "./tls/tls-files.ts";
import type { Random } from "./tracing/random.ts";
import { openTracing } from "./tracing/tracing.ts";
import { watchDescriptors } from "./transport/port/descriptors.ts";
import type { BoundAddress } from "./transport/port/options.ts";
import { VERSION } from "./version.ts";

/** What runs, and where it listens. */
export interface Server extends FrontAddresses {
  /** Threads that carry the connections; 0: the main thread does. */
  readonly workers: number;
  /** Where metrics alone are served; undefined: the web port serves them. */
  readonly metrics: BoundAddress | undefined;
  /** Takes up another configuration; what needs a restart is logged and left as it is. */
  reconfigure(config: LoadedConfig): void;
  /** The configuration file was read again: what is wrong with it; nothing where it is taken up, or in force already. */
  noteRead(problems: readonly Problem[]): void;
  /** Whether all that the configuration declares is taken up. What was refused may be taken up later. */
  readonly isInForce: boolean;
  /** Reads the files of TLS at once, where there are any. */
  reloadTls(): void;
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
  /** Chance, for which calls are sampled; unset: the system's. */
  readonly random?: Random | undefined;
  /** Aborts a start that is under way, which then rejects with the signal's reason. */
  readonly ending?: AbortSignal;
}

interface ServeOptions extends ServerOptions {
  readonly clock: Clock;
  readonly onFatal: (message: string) => void;
  readonly onFront: (front: Front) => void;
  /** Undefined: nothing is written down. */
  readonly audit: AuditLog | undefined;
  /** Undefined: both ports speak plain text. */
  readonly tls: TlsFilesWatch | undefined;
}

/** µs between two looks at whether the last call is answered, and the last lease has finished. */
const DRAIN_LOOK = 50_000;

/** Starts a server; rejects, with nothing left open, if a port cannot be had. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { config, log, clock = createSystemClock(), acceptLoss = false, onFatal: say = () => {} } = options;
  let front: Front | undefined;
  // Node may abort a process that ends while its threads read: they end first.
  const onFatal = (message: string) => {
    if (front === undefined || front.workers === 0) say(message);
    else void front.abandon().then(() => say(message));
  };
  const onFront = (opened: Front) => {
    front = opened;
  };
  const store = await openStore({ settings: config.settings, clock, log, acceptLoss, onFatal });
  let tls: TlsFilesWatch | undefined;
  let audit: AuditLog | undefined;
  try {
    options.ending?.throwIfAborted();
    const { tls: files } = config.settings;
    tls = files && (await openTlsFiles({ files, clock, log }));
    audit = await openAudit(config.settings, clock, log);
    return await serve({ ...options, clock, onFatal, onFront, tls, audit }, store);
  } catch (error) {
    tls?.close();
    await store.close();
    await audit?.close();
    throw error;
  }
}

async function serve(options: ServeOptions, store: Store): Promise<Server> {
  const { config, log, clock, ending, onFatal, onFront, tls, audit } = options;
  let { settings } = config;
  let latest = config;
  const startedAt = clock.wallTime(clock.now());
  let loadedAt = startedAt;
  const { incompleteFor } = store;
  const learningEnds = incompleteFor > 0 ? clock.wallTime(clock.now() + incompleteFor) : undefined;
  let serving = false;
  let draining = false;
  let problem: string | undefined;
  let reloadFailures = 0;
  let refusedFile: RefusedFile | undefined;

  function state(): ServerState {
    const status = { draining, learningEnds, storeProblem: problem, refusedFile };
    const running = { started: config, latest, settings, startedAt, loadedAt, version: VERSION, status };
    return {
      serving: serving && problem === undefined,
      settings,
      running: runningConfigMessage(running),
      tls: tls?.material,
    };
  }

  sayNotes(config, log);
  const resource = resourceOf(createInstanceId());
  const tracing = await openTracing({ clock, log, settings: () => settings, random: options.random, resource });
  const owner = await createOwner({ config, clock, store, log, tracer: tracing?.tracer, audit });
  const { engines } = owner;
  const secretKey = store.secretKey ?? createSecretKey();
  const metrics = await createMetrics({
    ...{ clock, log, owner, store, resource },
    front: () => front.figures(),
    settings: () => settings.metrics,
    webHosts: settings.listeners.webHosts,
    server: () => ({
      serving: serving && problem === undefined,
      draining,
      learningFor: learningEnds === undefined ? 0 : Math.max(0, (learningEnds - clock.wallTime(clock.now())) * 1_000),
      storeFailed: problem !== undefined,
      loadedAt,
      lastReadTaken: refusedFile === undefined,
      reloadFailures,
      tls: tls?.figures,
    }),
  });
  const scraper = settings.metrics.listen === undefined ? metrics.scraper : undefined;
  const opening = openFront({
    clock,
    log,
    engines,
    secretKey,
    state: state(),
    scraper,
    load: metrics.load,
    tracing,
    onFatal,
  });
  const front = await opening.catch(async (error) => {
    await metrics.close();
    await owner.close();
    throw error;
  });
  onFront(front);
  const show = () => front.show(state());
  const stopWatchingDescriptors = watchDescriptors({ clock, log, maxConnections: settings.limits.maxConnections });
  let stopping: Promise<void> | undefined;
  let ended: Promise<void> | undefined;

  async function end(): Promise<void> {
    stopWatchingDescriptors();
    tls?.close();
    await metrics.sendLast();
    await front.sendAway();
    // Before the streams end: else each stream's end would free a place, and the next step could grant it to another.
    await owner.close();
    await front.close();
    await metrics.close();
    await tracing?.close();
    await store.close();
    await audit?.close();
    log.info({ event: "stopped" }, "the server has ended");
  }

  function stopNow(): Promise<void> {
    ended ??= end();
    return ended;
  }

  const leasesOutlive = settings.store !== undefined && settings.store.leases !== "none";
  store.onHealth((current) => {
    problem = current;
    show();
  });
  tls?.onChange(show);

  async function drain(): Promise<void> {
    serving = false;
    draining = true;
    show();
    const deadline = clock.now() + settings.drainTimeout;
    owner.stopGranting();
    front.drain(clock.wallTime(deadline), leasesOutlive ? "lost" : "cancelled");
    // Holders go on renewing and releasing, over new connections too: the ports stay open until they are done. Leases that
    // are kept need not be: the next start takes them up.
    const isIdle = async () => (await front.callsUnderWay()) === 0 && (leasesOutlive || (await owner.hasNoHolders()));
    await untilIdle(isIdle, clock, () => ended !== undefined || clock.now() >= deadline);
    if (ended === undefined) {
      const left = await front.callsUnderWay();
      log.info({ event: "drained", callsUnderWay: left }, left === 0 ? "drained" : "the drain's time is over");
    }
    front.closePorts();
    await stopNow();
  }

  try {
    ending?.throwIfAborted();
    const { grpc, web } = settings.listeners;
    const addresses = await front.listen({ grpc: addressText(grpc), web: addressText(web) });
    const metricsAddress = await metrics.listen();
    serving = true;
    show();
    return {
      ...addresses,
      workers: front.workers,
      metrics: metricsAddress,
      reconfigure(next) {
        const fields = restartFields(settings, next.settings);
        if (fields.length > 0)
          log.warn({ event: "restart-needed", fields }, "these fields have changed and need a restart to take effect");
        log.setLevel(next.settings.logLevel);
        sayNotes(next, log);
        settings = settingsInForce(settings, next.settings);
        latest = next;
        loadedAt = clock.wallTime(clock.now());
        show();
        owner.takeUp(next);
      },
      noteRead(problems) {
        const isRefused = problems.length > 0;
        if (isRefused) reloadFailures += 1;
        refusedFile = isRefused ? { problems, at: clock.wallTime(clock.now()) } : undefined;
        show();
      },
      get isInForce() {
        return owner.isInForce;
      },
      reloadTls: () => tls?.reload(),
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

/** Opens the file that operators' acts are written to, if one is named. */
async function openAudit({ auditFile }: ServerSettings, clock: Clock, log: Log): Promise<AuditLog | undefined> {
  if (auditFile === undefined) return undefined;
  const wallTime = () => clock.wallTime(clock.now());
  return createAuditLog({ file: await openAuditFile({ path: auditFile, wallTime }), log, wallTime });
}

/** Logs what `check` says of a file that is valid. */
function sayNotes({ notes }: LoadedConfig, log: Log): void {
  for (const note of notes) log.warn({ event: "config-note", field: note.field }, formatProblem(note));
}

/** Resolves when `isIdle` or `isInVain`. */
async function untilIdle(isIdle: () => Promise<boolean>, clock: Clock, isInVain: () => boolean): Promise<void> {
  while (!isInVain() && !(await isIdle())) {
    await new Promise<void>((resolve) => {
      clock.schedule(clock.now() + DRAIN_LOOK, false, resolve);
    });
  }
}
