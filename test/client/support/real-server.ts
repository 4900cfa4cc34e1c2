/** The real server, in this process, on ports of its own. */

import { onTestFinished } from "vitest";
import type { Client } from "../../../src/client/api/client.ts";
import { parseConfig } from "../../../src/server/config/config.ts";
import { createLog } from "../../../src/server/log.ts";
import { type Server, startServer } from "../../../src/server/server.ts";
import { connect } from "../../support/connect.ts";
import { WORKERS_YAML } from "../../support/workers.ts";

export interface RealServer extends Server {
  /** Where gRPC is served: host:port. */
  readonly address: string;
  /** Where Connect is served: http://host:port. */
  readonly url: string;
}

/** Starts a server that ends with the test; `yaml` is added to its configuration, `corsOrigins` may call it. */
export async function startRealServer(yaml = "", corsOrigins: readonly string[] = []): Promise<RealServer> {
  const listeners = { grpc: "127.0.0.1:0", web: "127.0.0.1:0", cors_origins: corsOrigins };
  const text = `listeners: ${JSON.stringify(listeners)}\n${WORKERS_YAML}${yaml}`;
  const config = parseConfig(text, { path: undefined, overrides: [] });
  if (config.kind === "invalid") throw new Error(JSON.stringify(config.problems));
  const server = await startServer({ config, log: createLog("silent") });
  onTestFinished(() => server.stopNow());
  return {
    ...server,
    address: `${server.grpc.host}:${server.grpc.port}`,
    url: `http://${server.web.host}:${server.web.port}`,
  };
}

/** A client that is closed when the test ends. */
export function connectForTest(address: string, options: Parameters<typeof connect>[1] = {}): Client {
  const client = connect(address, options);
  onTestFinished(() => client.close());
  return client;
}
