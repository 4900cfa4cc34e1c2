/** Starts the control (see `stock-server.ts`). */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export interface Stock extends AsyncDisposable {
  readonly process: ChildProcess;
  readonly port: number;
  isAlive(): boolean;
}

const SCRIPT = fileURLToPath(new URL("stock-server.ts", import.meta.url));

export async function startStock(
  library: "grpc-js" | "connect-node" | "http2",
  nodeArguments: string[] = [],
): Promise<Stock> {
  // What it says of its end is no news here.
  const child = fork(SCRIPT, [library], { execArgv: nodeArguments, stdio: ["ignore", "ignore", "ignore", "ipc"] });
  const [port] = (await once(child, "message")) as [number];
  const isAlive = () => child.exitCode === null && child.signalCode === null;
  return {
    process: child,
    port,
    isAlive,
    async [Symbol.asyncDispose]() {
      if (!isAlive()) return;
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
  };
}
