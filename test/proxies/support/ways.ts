/** The client of this package, by each way through a proxy. */

import { Agent } from "node:https";
import type { Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { onTestFinished } from "vitest";
import { type Client, type ClientEvent, type ClientOptions, createClient } from "../../../src/client/index.ts";
import { createMailbox, type Mailbox } from "../../client/support/mailbox.ts";
import { connectForTest } from "../../client/support/real-server.ts";
import type { RunningProxy } from "./proxy.ts";

/** What `connect()` does in Node. */
export const NODE_WAYS = ["gRPC", "gRPC in a session"] as const;

export const WAYS = [
  ...NODE_WAYS,
  "Connect over HTTP/2",
  "Connect over HTTP/1.1",
  "gRPC-Web over HTTP/2",
  "gRPC-Web over HTTP/1.1",
] as const;
export type Way = (typeof WAYS)[number];

export interface Traveller {
  readonly client: Client;
  readonly events: Mailbox<ClientEvent>;
}

/** Connects through the proxy; the client ends with the test. The proxy's certificate is believed. */
export function connectThrough(
  way: Way,
  { grpc, web }: Pick<RunningProxy, "grpc" | "web">,
  options: ClientOptions = {},
): Traveller {
  const events = createMailbox<ClientEvent>();
  if (isNodeWay(way)) {
    const sessions = way === "gRPC in a session";
    return { client: connectForTest(grpc, { ...options, sessions, onEvent: events.put }), events };
  }
  const { transport, disconnect } = createWebTransport(way, web);
  const client = createClient({ ...options, transport, address: web, onEvent: events.put });
  onTestFinished(async () => {
    await client.close();
    disconnect();
  });
  return { client, events };
}

/** Whether it goes to the gRPC port. */
export function isNodeWay(way: Way): way is (typeof NODE_WAYS)[number] {
  return NODE_WAYS.some((each) => each === way);
}

function createWebTransport(
  way: Exclude<Way, (typeof NODE_WAYS)[number]>,
  baseUrl: string,
): { readonly transport: Transport; disconnect(): void } {
  const create = way.startsWith("Connect") ? createConnectTransport : createGrpcWebTransport;
  const isSecure = baseUrl.startsWith("https:");
  if (way.endsWith("HTTP/1.1")) {
    const agent = isSecure ? new Agent({ keepAlive: true, rejectUnauthorized: false }) : undefined;
    const transport = create({ baseUrl, httpVersion: "1.1", ...(agent && { nodeOptions: { agent } }) });
    return { transport, disconnect: () => agent?.destroy() };
  }
  const sessionManager = new Http2SessionManager(baseUrl, undefined, isSecure ? { rejectUnauthorized: false } : {});
  return {
    transport: create({ baseUrl, httpVersion: "2", sessionManager }),
    disconnect: () => sessionManager.abort(),
  };
}
