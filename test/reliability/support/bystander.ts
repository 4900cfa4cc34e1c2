/** What an attack on a server does to another of its clients. */

import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** ms of pairs of calls, each one after the other. */
export interface Sight {
  readonly pairs: number;
  readonly median: number;
  readonly p99: number;
  readonly worst: number;
  /** Why pairs have failed, one by one. */
  readonly failures: readonly string[];
}

export interface Bystander extends Disposable {
  /** What it has seen since the last time, or since the start. */
  take(): Promise<Sight>;
}

/** The limiter that it needs. */
export const BYSTANDER_LIMITER = "{ name: bystander, max_concurrent: 1000, ttl: 1s, max_ttl: 1s }";

/** `address`: host:port for gRPC, http://host:port for Connect. */
export async function startBystander(address: string): Promise<Bystander> {
  const child = fork(fileURLToPath(new URL("bystander-process.ts", import.meta.url)), [address]);
  const ended = once(child, "exit").then(() => {
    throw new Error("the bystander has ended");
  });
  ended.catch(() => {});
  await Promise.race([once(child, "message"), ended]);
  return {
    async take() {
      const answered = once(child, "message");
      child.send("take");
      const [sight] = (await Promise.race([answered, ended])) as [Sight];
      return sight;
    },
    [Symbol.dispose]() {
      child.kill("SIGKILL");
    },
  };
}
