/** Processes of holders that are stopped and go on, and what they are seen to do. */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { PausesNews } from "./pauses-process.ts";
import type { Write } from "./pauses-resource.ts";

export interface PausedHolders extends AsyncDisposable {
  /** The most that were at work at once. */
  readonly most: number;
  readonly holds: number;
  readonly failures: readonly string[];
  /** Stops one that is at work for so many ms (SIGSTOP, SIGCONT); resolves when it has worked on. */
  pause(ms: number): Promise<void>;
}

const SCRIPT = fileURLToPath(new URL("pauses-process.ts", import.meta.url));

export function startPausedHolders(options: {
  readonly address: string;
  readonly limiter: string;
  readonly manners: "naive" | "careful";
  readonly processes: number;
  readonly onWrite?: (write: Write) => void;
}): PausedHolders {
  const { address, limiter, manners, processes, onWrite = () => {} } = options;
  const atWork = new Set<ChildProcess>();
  const failures: string[] = [];
  let most = 0;
  let holds = 0;
  let onNews: (child: ChildProcess) => void = () => {};

  function hear(child: ChildProcess, news: PausesNews): void {
    switch (news.kind) {
      case "enter":
        atWork.add(child);
        most = Math.max(most, atWork.size);
        holds += 1;
        break;
      case "leave":
        atWork.delete(child);
        break;
      case "write":
        onWrite({ slot: news.slot, fencingToken: BigInt(news.fencingToken), valid: news.valid });
        break;
      case "failed":
        failures.push(news.error);
        break;
    }
    onNews(child);
    if (child.connected) child.send("acknowledged");
  }

  /** Resolves with the process of the next news that fits. */
  function next(fits: (child: ChildProcess) => boolean): Promise<ChildProcess> {
    return new Promise((resolve) => {
      onNews = (child) => {
        if (fits(child)) resolve(child);
      };
    });
  }

  const children = Array.from({ length: processes }, () => {
    const child = fork(SCRIPT, [address, limiter, manners], { execArgv: [] });
    child.on("message", (news: PausesNews) => hear(child, news));
    return child;
  });
  const exits = children.map((child) => once(child, "exit"));

  return {
    get most() {
      return most;
    },
    get holds() {
      return holds;
    },
    failures,
    async pause(ms) {
      const stopped = await next((child) => atWork.has(child));
      stopped.kill("SIGSTOP");
      await sleep(ms);
      const wakes = next((child) => child === stopped);
      stopped.kill("SIGCONT");
      await wakes;
    },
    async [Symbol.asyncDispose]() {
      for (const child of children) child.kill("SIGKILL");
      await Promise.all(exits);
    },
  };
}
