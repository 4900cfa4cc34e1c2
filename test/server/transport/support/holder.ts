/** Starts and orders `holder-process.ts`. */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

export interface Holder {
  readonly process: ChildProcess;
  order(what: "cancel" | "close" | "exit" | "close-and-exit" | "cancel-and-close" | "cancel-and-exit"): void;
}

/** Resolves when all its streams are held. */
export async function startHolder(address: string, count: number): Promise<Holder> {
  const script = fileURLToPath(new URL("holder-process.ts", import.meta.url));
  const child = fork(script, [address, String(count)], { execArgv: [] });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  await once(child, "message");
  return { process: child, order: (what) => child.send(what) };
}
