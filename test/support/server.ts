/** The real server, in this process, on free ports. */

import { type Clock, createSystemClock } from "../../src/server/clock.ts";
import { parseConfig } from "../../src/server/config/config.ts";
import { type Server, startServer } from "../../src/server/server.ts";
import { createMemoryLog, type MemoryLog } from "../server/transport/support/memory-log.ts";
import { type ConnectClientOptions, createConnectClient } from "./connect-client.ts";
import type { ContractClient } from "./contract-client.ts";
import { createGrpcClient } from "./grpc-client.ts";
import { WORKERS_YAML } from "./workers.ts";

export interface TestServer extends Pick<Server, "stop" | "stopNow">, AsyncDisposable {
  /** Where gRPC is served: host:port. */
  readonly address: string;
  /** Where Connect and gRPC-Web are served: http://host:port. */
  readonly url: string;
  readonly log: MemoryLog;
  /** A gRPC client on a connection of its own, which ends with the server at the latest. */
  grpc(): ContractClient;
  /** The same over Connect and its kin. */
  connect(options: ConnectClientOptions): ContractClient;
}

/** Free ports, wherever else a configuration may say. */
export const FREE_LISTENERS = { grpc: "127.0.0.1:0", web: "127.0.0.1:0" };
export const FREE_PORTS = `listeners: ${JSON.stringify(FREE_LISTENERS)}\n`;

export interface TestServerOptions {
  /** Pages of these may call it. Unset: none. */
  readonly corsOrigins?: readonly string[];
  /** Unset: the system's. Another is of this thread, so the server has no workers then. */
  readonly clock?: Clock;
}

/** `yaml` is the configuration but for the listeners. */
export async function startTestServer(
  yaml: string,
  { corsOrigins = [], clock }: TestServerOptions = {},
): Promise<TestServer> {
  const listeners = { ...FREE_LISTENERS, cors_origins: corsOrigins };
  const config = parseConfig(
    `listeners: ${JSON.stringify(listeners)}\n${clock === undefined ? WORKERS_YAML : "workers: 0\n"}${yaml}`,
    {
      path: undefined,
      overrides: [],
    },
  );
  if (config.kind === "invalid") throw new Error(JSON.stringify(config.problems));
  const log = createMemoryLog();
  const server = await startServer({ config, log, clock: clock ?? createSystemClock() });
  const address = `${server.grpc.host}:${server.grpc.port}`;
  const url = `http://${server.web.host}:${server.web.port}`;
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => server.stopNow());
  const own = cleanup.move();
  return {
    address,
    url,
    log,
    stop: () => server.stop(),
    stopNow: () => server.stopNow(),
    grpc: () => own.use(createGrpcClient(address)),
    connect: (options) => own.use(createConnectClient(url, options)),
    [Symbol.asyncDispose]: () => own.disposeAsync(),
  };
}
