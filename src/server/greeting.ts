/** What the server says when it begins to serve: lines to read on a terminal, one JSON object anywhere else. */

import { resolve } from "node:path";
import type { LoadedConfig } from "./config/config.ts";
import { addressText, urlText } from "./config/settings.ts";
import type { Server } from "./server.ts";

export interface GreetingOptions {
  readonly server: Pick<Server, "grpc" | "web" | "workers">;
  readonly config: Pick<LoadedConfig, "limiters" | "origin" | "settings">;
  readonly isTerminal: boolean;
  /** How the command line is called. */
  readonly program: string;
  /** ms since 1970. */
  readonly now: number;
}

export function greeting(options: GreetingOptions): string {
  const { server, config, isTerminal, now } = options;
  const grpc = addressText(server.grpc);
  const web = urlText(server.web, config.settings.tls && "https");
  const msg = `backpressure serves gRPC on ${grpc}, Connect and gRPC-Web on ${web}`;
  if (isTerminal) return [msg, ...restOf(options), ""].join("\n");
  const { origin, settings } = config;
  const data = settings.store === undefined ? null : resolve(settings.store.folder);
  const file = origin.path === undefined ? null : resolve(origin.path);
  // The number of the level is the log's.
  const { workers } = server;
  return `${JSON.stringify({ level: 30, time: now, event: "serving", grpc, web, workers, data, config: file, msg })}\n`;
}

function restOf({ server, config, program }: GreetingOptions): readonly string[] {
  const { limiters, origin, settings } = config;
  const address = `${settings.tls === undefined ? "" : "https://"}${addressText(server.grpc)}`;
  const command = `${program} --address ${address}`;
  const name = limiters.find(({ keyed }) => !keyed)?.name ?? "NAME";
  const acquire = `-d '{"claims":[{"limiter":"${name}"}]}' ${addressText(server.grpc)} ggen.backpressure.v1.AdmissionService/Acquire`;
  return [
    `threads: ${workersText(server.workers)}`,
    `data: ${dataText(settings.store?.folder, origin.data?.by === "default")}`,
    `configuration: ${origin.path ?? "the default (limiter sample, board default); --config FILE for one of your own"}`,
    "try, in another terminal:",
    `  ${command} run ${name} -- echo "one at a time"`,
    `  ${command} limiters watch`,
    `  grpcurl ${settings.tls === undefined ? "-plaintext " : ""}${acquire}`,
    "Ctrl-C drains the server and ends it",
  ];
}

function workersText(workers: number): string {
  if (workers === 0) return "one, which decides and carries the connections";
  return `one that decides, ${workers} that ${workers === 1 ? "carries" : "carry"} the connections (workers in the configuration)`;
}

function dataText(folder: string | undefined, isDefault: boolean): string {
  if (folder === undefined) return "memory alone, which ends with the server; --data DIR keeps it across restarts";
  return `${resolve(folder)}${isDefault ? " (--data DIR for another folder, --data none for memory alone)" : ""}`;
}
