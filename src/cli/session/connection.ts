/**
 * Connections to the server. What they are made of is loaded here, when a command has need of it: gRPC takes a while.
 * Not in the commands themselves: where a function has a `using`, TypeScript leaves the `.ts` of its imports standing.
 */

import type { DescService } from "@bufbuild/protobuf";
import type { Client, ConnectOptions, LimiterService } from "../../client/index.ts";
import type { Calls, Connection } from "./grpc-connection.ts";

/** The typed client, for commands that hold leases. */
export async function openClient(address: string, options?: ConnectOptions): Promise<Client> {
  return (await load()).openClient(address, options);
}

/** Calls to the service that keeps the limiters. */
export async function openLimiterCalls(address: string): Promise<Calls<typeof LimiterService>> {
  return (await load()).openLimiterCalls(address);
}

/** Calls to any service of the server. */
export async function openCalls<S extends DescService>(service: S, address: string): Promise<Calls<S>> {
  return (await load()).openCalls(service, address);
}

/** One connection for calls to several services. */
export async function openConnection(address: string): Promise<Connection> {
  return (await load()).openConnection(address);
}

function load() {
  return import("./grpc-connection.ts");
}
