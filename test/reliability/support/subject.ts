/** A server under attack: whether it lives, what it has logged as its own fault, and what memory it has. */

import { once } from "node:events";
import type { Usage } from "../../../bench/servers/probe.ts";
import { type ServerProcess, startServerProcess } from "../../support/server-process.ts";

export interface Subject extends AsyncDisposable {
  readonly server: ServerProcess;
  readonly ports: { readonly grpc: number; readonly web: number };
  isAlive(): boolean;
  /** What it has logged as a fault of its own, so far. */
  readonly faults: readonly object[];
  /** After all has been collected that can be. */
  memory(): Promise<Usage>;
}

/** Loaded into a process whose memory is asked for. */
export const PROBE = new URL("../../../bench/servers/probe.ts", import.meta.url).href;
/** So many collections until the last of what ended with an error is let go (`session-keeper.ts`). */
const COLLECTIONS = 5;

/** Its connections are in the main thread, whose memory is asked for. */
export async function startSubject(
  yaml: string,
  { nodeArguments = [] }: { readonly nodeArguments?: readonly string[] } = {},
): Promise<Subject> {
  const server = await startServerProcess(`workers: 0\n${yaml}`, {
    nodeArguments: ["--import", PROBE, ...nodeArguments],
  });
  const faults: object[] = [];
  const listen = async () => {
    for (;;) faults.push(await server.logged(/for a reason that is no caller's/));
  };
  // Rejects when the server ends.
  listen().catch(() => {});
  const portOf = (address: string) => Number(address.slice(address.lastIndexOf(":") + 1));
  return {
    server,
    ports: { grpc: portOf(server.address), web: portOf(server.url) },
    isAlive: () => server.process.exitCode === null && server.process.signalCode === null,
    faults,
    async memory() {
      let usage: Usage | undefined;
      for (let i = 0; i < COLLECTIONS; i += 1) {
        server.process.send({ kind: "usage-collected" });
        [usage] = (await once(server.process, "message")) as [Usage];
      }
      return usage as Usage;
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
