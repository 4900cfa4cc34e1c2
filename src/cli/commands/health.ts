/** `backpressure health`: whether the server serves, as probes ask it. */

import { Option } from "commander";
import {
  Health,
  HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as Status,
} from "../../client/gen/grpc/health/v1/health_pb.ts";
import { openCalls } from "../session/connection.ts";
import type { Context, DefineCommand } from "../session/context.ts";
import { trustCertificate } from "../session/credentials.ts";
import { EXIT } from "../session/exit-codes.ts";
import { UsageError } from "../session/failure.ts";
import { jsonLine } from "../text/json-line.ts";

interface HealthFlags {
  readonly config?: string;
}

const HELP = `
Without --address it asks where the server's own configuration says: BACKPRESSURE_GRPC_LISTEN, else the file that --config
or BACKPRESSURE_CONFIG names, else localhost:50051. So a probe beside the server needs no address of its own.

Exits with 0 while it serves, 1 while it does not, as when it drains, and 3 if it cannot be reached.

Examples:
  backpressure health
  backpressure health --config backpressure.yaml
  HEALTHCHECK CMD ["backpressure", "health"]`;

export const defineHealth: DefineCommand = (command, handle) => {
  command
    .argument("[service]", "one service of the server, by its full name (default: the server itself)")
    .addOption(
      new Option(
        "-c, --config <file>",
        "the server's configuration (default: the file that BACKPRESSURE_CONFIG names)",
      ),
    )
    .addHelpText("after", HELP)
    .action(handle(check));
};

async function check(context: Context, service: string | undefined, { config }: HealthFlags): Promise<number> {
  const { terminal, json } = context;
  const address = context.isAddressGiven ? context.address : await configuredAddress(context, config);
  using calls = await openCalls(Health, address);
  const response = await calls.unary((rpc, options) => rpc.check({ service }, options));
  const isServing = response.status === Status.SERVING;
  if (json) terminal.print(jsonLine(HealthCheckResponseSchema, response));
  else terminal.print(`${address}: ${isServing ? "serving" : "not serving"}`);
  return isServing ? EXIT.ok : EXIT.refused;
}

/** Where the server listens by its configuration, as this machine reaches it. */
async function configuredAddress({ address, terminal }: Context, path: string | undefined): Promise<string> {
  const { loadConfig } = await import("../../server/config/config.ts");
  const { readEnvironment } = await import("../../server/config/environment.ts");
  const { configPath, overrides, variables } = readEnvironment();
  const file = path ?? configPath;
  const origin = { path: file, overrides, variables };
  const reading = loadConfig(origin);
  // A file that was spoilt while the server runs is not taken up and must not make it look ill: without it, what is left.
  const usable = reading.kind === "loaded" ? reading : loadConfig({ ...origin, path: undefined });
  if (reading.kind !== "loaded")
    terminal.warn(`${file ?? "the configuration"} is not valid; \`backpressure check\` says why`);
  if (usable.kind !== "loaded" || (file === undefined && overrides.length === 0)) return address;
  const { listeners, tls } = usable.settings;
  const { host, port } = listeners.grpc;
  if (port === 0) {
    throw new UsageError(
      "the configuration has the server take any port that is free (port 0): name it with --address",
    );
  }
  const reached = `${REACHED_BY[host] ?? (host.includes(":") ? `[${host}]` : host)}:${port}`;
  if (tls === undefined) return reached;
  trustCertificate(tls.certFile);
  return `https://${reached}`;
}

/** A server that listens on all interfaces is asked over the loopback. */
const REACHED_BY: Readonly<Record<string, string>> = {
  "0.0.0.0": "127.0.0.1",
  "::": "[::1]",
  "0:0:0:0:0:0:0:0": "[::1]",
};
