/** The process: configuration in, signals heard, an exit code out. */

import { type LoadedConfig, loadConfig } from "./config/config.ts";
import { readEnvironment } from "./config/environment.ts";
import { formatProblem } from "./config/problem.ts";
import { watchConfig } from "./config/watch-config.ts";
import { createLog, type Log } from "./log.ts";
import { type Server, startServer } from "./server.ts";

export interface RunOptions {
  /** The configuration file; undefined: BACKPRESSURE_CONFIG, or else the default. */
  readonly configPath: string | undefined;
  /** Takes up what can be read of a data folder that is damaged. */
  readonly acceptLoss: boolean;
}

/** 0: stopped as asked. 1: it could not start, or not keep what it grants. 2: the configuration is wrong. */
export type ExitCode = 0 | 1 | 2;

/** How the command line is called where this runs: from its sources, or as a package. */
const PROGRAM = import.meta.url.endsWith(".ts") ? "npm run -s backpressure --" : "npx backpressure";

/** Serves until SIGTERM or SIGINT has drained it; a second signal ends it at once. */
export async function runServer({ configPath, acceptLoss }: RunOptions): Promise<ExitCode> {
  const environment = readEnvironment();
  const { overrides, variables } = environment;
  const origin = { path: configPath ?? environment.configPath, overrides, variables };
  const config = loadConfig(origin);
  if (config.kind === "invalid") {
    for (const problem of config.problems) process.stderr.write(`${formatProblem(problem)}\n`);
    return 2;
  }
  const log = createLog(config.settings.logLevel);
  let server: Server;
  try {
    server = await startServer({ config, log, acceptLoss, onFatal: endNow });
  } catch (error) {
    process.stderr.write(`backpressure: ${(error as Error).message}\n`);
    return 1;
  }
  const watch = watchConfig({
    running: config,
    log,
    onChange: (next) => server.reconfigure(next),
    isInForce: () => !server.hasRefused,
  });
  process.on("SIGHUP", () => watch.reload());
  const stopped = untilStopped(server, log);
  // Whoever has read this may send signals.
  process.stdout.write(greeting(server, config));
  await stopped;
  watch.close();
  return 0;
}

/** A server that can keep nothing must not go on; whoever watches over it starts it again. */
function endNow(message: string): void {
  process.stderr.write(`backpressure: ${message}\n`);
  process.exit(1);
}

function untilStopped(server: Server, log: Log): Promise<void> {
  return new Promise((resolve, reject) => {
    let signals = 0;
    const onSignal = (signal: NodeJS.Signals) => {
      signals += 1;
      log.info({ signal }, signals === 1 ? "draining; a second signal stops at once" : "stopping at once");
      (signals === 1 ? server.stop() : server.stopNow()).then(resolve, reject);
    };
    process.on("SIGTERM", onSignal);
    process.on("SIGINT", onSignal);
  });
}

function greeting({ grpc, web }: Server, { origin, limiters, settings }: LoadedConfig): string {
  const [first] = limiters;
  const address = `${grpc.host}:${grpc.port}`;
  const name = first?.name ?? "NAME";
  return [
    `backpressure serves gRPC on ${address}, Connect and gRPC-Web on http://${web.host}:${web.port}`,
    `keeps what it grants in ${settings.store?.folder ?? "memory alone: store.folder names a folder that outlives it"}`,
    `configuration: ${origin.path ?? "the default (one limiter, sample); name a file with --config"}`,
    "try:",
    `  grpcurl -plaintext -d '{"claims":[{"limiter":"${name}"}]}' ${address} ggen.backpressure.v1.AdmissionService/Acquire`,
    `  ${PROGRAM} --address ${address} limiters`,
    "",
  ].join("\n");
}
