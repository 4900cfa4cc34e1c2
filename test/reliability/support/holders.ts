/** Processes with holders, and the count of those at work, from outside the server and its clients. */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { HolderClient, HolderNews } from "./holders-process.ts";

export interface Holders extends AsyncDisposable {
  /** The most that were at work at once. */
  readonly most: number;
  readonly holds: number;
  /** Every fencing token, in the order in which work began. */
  readonly fencingTokens: readonly bigint[];
  /** Why leases were lost while they were held. */
  readonly losses: readonly string[];
  /** What came of an acquire that was not granted. */
  readonly failures: readonly string[];
  /** Resolves when so many more holds have begun. */
  more(count: number): Promise<void>;
  /** Lets all finish what they hold. */
  finish(): Promise<void>;
}

const SCRIPT = fileURLToPath(new URL("holders-process.ts", import.meta.url));

export function startHolders(options: {
  readonly address: string;
  readonly limiter: string;
  readonly processes: number;
  /** In each process. */
  readonly holders: number;
  /** Unset: what users have who say nothing. */
  readonly client?: HolderClient;
  /** ms, at least 1,000, of the one hold in five that is long. */
  readonly longestWork?: number;
}): Holders {
  const { address, limiter, processes, holders, client = "sessions", longestWork = 2_500 } = options;
  const atWork = new Set<string>();
  const fencingTokens: bigint[] = [];
  const losses: string[] = [];
  const failures: string[] = [];
  let most = 0;
  let onHold = () => {};

  function hear(child: ChildProcess, process: number, news: HolderNews): void {
    const worker = `${process}:${news.id}`;
    switch (news.kind) {
      case "enter":
        atWork.add(worker);
        most = Math.max(most, atWork.size);
        fencingTokens.push(BigInt(news.fencingToken));
        onHold();
        break;
      case "leave":
        atWork.delete(worker);
        if (news.lost !== "") losses.push(news.lost);
        break;
      case "failed":
        atWork.delete(worker);
        failures.push(news.error);
        break;
    }
    child.send({ counted: news.id });
  }

  const children = Array.from({ length: processes }, (_, index) => {
    const child = fork(SCRIPT, [address, limiter, String(holders), client, String(longestWork)], { execArgv: [] });
    child.on("message", (news: HolderNews) => hear(child, index, news));
    return child;
  });
  const exits = children.map((child) => once(child, "exit") as Promise<[number | null]>);

  return {
    get most() {
      return most;
    },
    get holds() {
      return fencingTokens.length;
    },
    fencingTokens,
    losses,
    failures,
    more(count) {
      const wanted = fencingTokens.length + count;
      return new Promise((resolve) => {
        onHold = () => {
          if (fencingTokens.length >= wanted) resolve();
        };
      });
    },
    async finish() {
      for (const child of children) child.send("enough");
      for (const [code] of await Promise.all(exits)) if (code !== 0) throw new Error(`holders ended with ${code}`);
    },
    async [Symbol.asyncDispose]() {
      for (const child of children) child.kill("SIGKILL");
      await Promise.all(exits);
    },
  };
}
