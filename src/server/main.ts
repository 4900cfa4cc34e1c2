/** The process: configuration in, signals heard, an exit code out. */

import { createSystemClock } from "./clock.ts";
import { type LoadedConfig, loadConfig } from "./config/config.ts";
import { readEnvironment } from "./config/environment.ts";
import { formatProblem } from "./config/problem.ts";
import { addressText, urlText } from "./config/settings.ts";
import { watchConfig } from "./config/watch/watch-config.ts";
import { createLog, type Log } from "./log.ts";
import { watchNpmParent } from "./npm-parent.ts";
import { reasonNotToServe } from "./one-process.ts";
import { type Server, startServer } from "./server.ts";
import type { ServerSignals } from "./signals.ts";

export interface RunOptions {
  /** The configuration file; undefined: BACKPRESSURE_CONFIG, or else the default. */
  readonly configPath: string | undefined;
  /** Takes up what can be read of a data folder that is damaged. */
  readonly acceptLoss: boolean;
  readonly signals: ServerSignals;
}

/** 0: stopped as asked. 1: it could not start, or not keep what it grants. 2: the configuration is wrong. */
export type ExitCode = 0 | 1 | 2;

/** How the command line is called where this runs: from its sources, or as a package. */
const PROGRAM = import.meta.url.endsWith(".ts") ? "npm run -s backpressure --" : "npx backpressure";

/**
 * Serves until SIGTERM or SIGINT has drained it; a second signal ends it at once. During the
 * start the first SIGTERM or SIGINT ends the start, with the store closed, and a second ends the process at once.
 */
export async function runServer({ configPath, acceptLoss, signals }: RunOptions): Promise<ExitCode> {
  const no = reasonNotToServe();
  // The primary's channel would keep the worker alive.
  if (no !== undefined) endNow(no);
  const clock = createSystemClock();
  const stopWatching = watchNpmParent({
    clock,
    script: process.env.npm_lifecycle_script,
    onGone: () => signals.end("parent"),
  });
  try {
    return await serveUntilEnd({ configPath, acceptLoss, signals });
  } finally {
    stopWatching();
  }
}

async function serveUntilEnd({ configPath, acceptLoss, signals }: RunOptions): Promise<ExitCode> {
  const environment = readEnvironment();
  const { overrides, variables } = environment;
  const origin = { path: configPath ?? environment.configPath, overrides, variables };
  const config = loadConfig(origin);
  if (config.kind === "invalid") {
    for (const problem of config.problems) process.stderr.write(`${formatProblem(problem)}\n`);
    return 2;
  }
  const log = createLog(config.settings.logLevel);
  signals.onEnd((cause, count) => {
    if (count > 1) endNow(`${CAUSES[cause]} came a second time during the start, which is broken off`);
    log.info({ cause }, `${CAUSES[cause]} came during the start: the server does not begin to serve`);
  });
  let server: Server;
  try {
    server = await startServer({ config, log, acceptLoss, onFatal: endNow, ending: signals.ending });
  } catch (error) {
    if (signals.ending.aborted && error === signals.ending.reason) return 0;
    process.stderr.write(`backpressure: ${(error as Error).message}\n`);
    return 1;
  }
  const watch = watchConfig({
    running: config,
    log,
    onChange: (next) => server.reconfigure(next),
    isInForce: () => server.isInForce,
  });
  signals.onReload(() => watch.reload());
  const stopped = untilStopped(server, signals, log);
  // A reader of these lines may send signals.
  process.stdout.write(greeting(server, config));
  await stopped;
  watch.close();
  return 0;
}

const CAUSES = { SIGTERM: "SIGTERM", SIGINT: "SIGINT", parent: "the end of the npm that started the server" } as const;

/** A server that can keep nothing must not go on; its supervisor starts it again. */
function endNow(message: string): never {
  process.stderr.write(`backpressure: ${message}\n`);
  process.exit(1);
}

function untilStopped(server: Server, signals: ServerSignals, log: Log): Promise<void> {
  return new Promise((resolve, reject) => {
    signals.onEnd((cause, count) => {
      const words = count === 1 ? "draining; a second signal stops at once" : "stopping at once";
      log.info(cause === "parent" ? { cause: CAUSES.parent } : { signal: cause }, words);
      (count === 1 ? server.stop() : server.stopNow()).then(resolve, reject);
    });
  });
}

function greeting({ grpc, web }: Server, { origin, limiters, settings }: LoadedConfig): string {
  const [first] = limiters;
  const address = addressText(grpc);
  const name = first?.name ?? "NAME";
  return [
    `backpressure serves gRPC on ${address}, Connect and gRPC-Web on ${urlText(web)}`,
    `keeps what it grants in ${settings.store?.folder ?? "memory alone: store.folder names a folder that outlives it"}`,
    `configuration: ${origin.path ?? "the default (one limiter, sample); name a file with --config"}`,
    "try:",
    `  grpcurl -plaintext -d '{"claims":[{"limiter":"${name}"}]}' ${address} ggen.backpressure.v1.AdmissionService/Acquire`,
    `  ${PROGRAM} --address ${address} limiters`,
    "",
  ].join("\n");
}
