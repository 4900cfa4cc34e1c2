/** The client of this package, by each way to a server. */

import { Agent } from "node:http";
import type { Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { type Client, type ClientEvent, createClient } from "../../../../src/client/index.ts";
import { createSystemClock } from "../../../../src/client/rpc/clock.ts";
import { createConnectionPool } from "../../../../src/client/transport/connection-pool.ts";

export const WAYS = ["gRPC", "Connect over h2c", "Connect over HTTP/1.1"] as const;
export type Way = (typeof WAYS)[number];

/** ms: a dead connection is found sooner than a validity of half a second runs out. */
const LIVENESS = { pingInterval: 100, pingTimeout: 200 };
/** Patient, since a fault may last for seconds. */
const ANSWER_WITHIN = 60_000;
const RETRY = { maxAttempts: 1_000, initialDelay: 50, maxDelay: 200 };

export interface ConnectedClient extends AsyncDisposable {
  readonly client: Client;
}

/** `address`: host:port of the port that speaks it. */
export function connectBy(way: Way, address: string, onEvent?: (event: ClientEvent) => void): ConnectedClient {
  const { transport, disconnect } = createTransport(way, `http://${address}`);
  const client = createClient({ transport, address, holder: way, retry: RETRY, answerWithin: ANSWER_WITHIN, onEvent });
  return {
    client,
    async [Symbol.asyncDispose]() {
      await client.close();
      disconnect();
    },
  };
}

function createTransport(way: Way, origin: string): { readonly transport: Transport; disconnect(): void } {
  if (way === "Connect over HTTP/1.1") {
    const agent = new Agent({ keepAlive: true });
    const transport = createConnectTransport({ baseUrl: origin, httpVersion: "1.1", nodeOptions: { agent } });
    return { transport, disconnect: () => agent.destroy() };
  }
  const pool = createConnectionPool({ clock: createSystemClock(), origin, ...LIVENESS, maxStreams: 100 });
  const create = way === "gRPC" ? createGrpcTransport : createConnectTransport;
  const transport = create({ baseUrl: origin, httpVersion: "2", sessionManager: pool });
  return { transport, disconnect: pool.close };
}
