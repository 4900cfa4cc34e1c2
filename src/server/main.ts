/** The process: configuration in, signals heard, an exit code out. */

import { createSystemClock } from "./clock.ts";
import { type ConfigOrigin, loadConfig } from "./config/config.ts";
import { type DataChoice, defaultDataChoice, readDataChoice } from "./config/data-choice.ts";
import { readEnvironment } from "./config/environment.ts";
import { formatProblem } from "./config/problem.ts";
import { watchConfig } from "./config/watch/watch-config.ts";
import { greeting } from "./greeting.ts";
import { createLog, type Log } from "./log.ts";
import { watchNpmParent } from "./npm-parent.ts";
import { reasonNotToServe } from "./one-process.ts";
import { type Server, startServer } from "./server.ts";
import type { ServerSignals } from "./signals.ts";
import { StoreError } from "./store/sqlite/damage.ts";

export interface RunOptions {
  /** The configuration file; undefined: BACKPRESSURE_CONFIG, or else the default. */
  readonly configPath: string | undefined;
  /** A folder for the data, or `none`; undefined: BACKPRESSURE_DATA, what the file says, or without a file the default. */
  readonly data: string | undefined;
  /** Takes up what can be read of a data folder that is damaged. */
  readonly acceptLoss: boolean;
  /** Whether the log and the greeting are lines to read; undefined: on a terminal. */
  readonly pretty: boolean | undefined;
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
export async function runServer(options: RunOptions): Promise<ExitCode> {
  const no = reasonNotToServe();
  // The primary's channel would keep the worker alive.
  if (no !== undefined) endNow(no);
  const clock = createSystemClock();
  const stopWatching = watchNpmParent({
    clock,
    script: process.env.npm_lifecycle_script,
    onGone: () => options.signals.end("parent"),
  });
  try {
    return await serveUntilEnd(options);
  } finally {
    stopWatching();
  }
}

async function serveUntilEnd({ configPath, data, acceptLoss, pretty, signals }: RunOptions): Promise<ExitCode> {
  const origin = originOf(configPath, data);
  if (origin === undefined) {
    process.stderr.write(`backpressure: ${NO_HOME}\n`);
    return 1;
  }
  const config = loadConfig(origin);
  if (config.kind === "invalid") {
    for (const problem of config.problems) process.stderr.write(`${formatProblem(problem)}\n`);
    return 2;
  }
  const { isTTY } = process.stderr;
  const log = createLog(config.settings.logLevel, { isReadable: pretty ?? isTTY, isTerminal: isTTY });
  signals.onEnd((cause, count) => {
    if (count > 1) endNow(`${CAUSES[cause]} came a second time during the start, which is broken off`);
    log.info(
      { event: "start-ended", cause },
      `${CAUSES[cause]} came during the start: the server does not begin to serve`,
    );
  });
  let server: Server;
  try {
    server = await startServer({ config, log, acceptLoss, onFatal: endNow, ending: signals.ending });
  } catch (error) {
    if (signals.ending.aborted && error === signals.ending.reason) return 0;
    process.stderr.write(`backpressure: ${(error as Error).message}${remedyOf(error, origin.data)}\n`);
    return 1;
  }
  const watch = watchConfig({
    running: config,
    log,
    onChange: (next) => server.reconfigure(next),
    isInForce: () => server.isInForce,
    onRead: (problems) => server.noteRead(problems),
  });
  signals.onReload(() => {
    watch.reload();
    server.reloadTls();
  });
  const stopped = untilStopped(server, signals, log);
  // A reader of these lines may send signals.
  const isTerminal = pretty ?? process.stdout.isTTY;
  process.stdout.write(greeting({ server, config, isTerminal, program: PROGRAM, now: Date.now() }));
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
      const by = cause === "parent" ? { cause: CAUSES.parent } : { signal: cause };
      log.info({ event: "stopping", ...by }, words);
      (count === 1 ? server.stop() : server.stopNow()).then(resolve, reject);
    });
  });
}

/** Where the configuration comes from; undefined: data is to be kept in the user's folder for state, and there is none. */
function originOf(configPath: string | undefined, data: string | undefined): ConfigOrigin | undefined {
  const { overrides, variables, ...environment } = readEnvironment();
  const path = configPath ?? environment.configPath;
  const choice = data === undefined ? environment.data : readDataChoice(data, "option");
  if (choice !== undefined || path !== undefined || overrides.some(({ field }) => field === "folder")) {
    return { path, overrides, variables, data: choice };
  }
  const byDefault = defaultDataChoice(variables);
  return byDefault && { path, overrides, variables, data: byDefault };
}

const CHOOSE =
  "name a folder with --data DIR or BACKPRESSURE_DATA, or keep nothing beyond the server's end with --data none";
const NO_HOME = `there is no folder to keep data in by default, since neither XDG_STATE_HOME nor HOME is set: ${CHOOSE}`;

/** What to do, where no configuration has named the folder that stands in the way. */
function remedyOf(error: unknown, data: DataChoice | undefined): string {
  if (!(error instanceof StoreError) || data?.by !== "default") return "";
  return `. It is the default folder: ${CHOOSE}`;
}
