/** Counts holders at work, from outside the server and its clients. */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export type WorkerNews =
  | { readonly kind: "enter"; readonly id: string; readonly slot: number; readonly fencingToken: string }
  | { readonly kind: "leave"; readonly id: string };

export interface WorkCount {
  /** The most that were at work at once. */
  readonly most: number;
  /** All fencing tokens, in the order in which work began. */
  readonly fencingTokens: readonly bigint[];
  /** Slots on which a holder began while another was at work there. */
  readonly doubleSlots: readonly number[];
  /** All slots that were seen. */
  readonly slots: ReadonlySet<number>;
}

export interface WorkOptions {
  readonly address: string;
  readonly limiter: string;
  readonly processes: number;
  /** In each process. */
  readonly workers: number;
  /** Of each worker. */
  readonly rounds: number;
}

const SCRIPT = fileURLToPath(new URL("workers-process.ts", import.meta.url));

/** Starts processes with workers, and counts until all have done their rounds. */
export async function countWork({ address, limiter, processes, workers, rounds }: WorkOptions): Promise<WorkCount> {
  const atWork = new Map<string, number>();
  const fencingTokens: bigint[] = [];
  const doubleSlots: number[] = [];
  const slots = new Set<number>();
  let most = 0;

  function hear(child: ChildProcess, process: number, news: WorkerNews): void {
    const worker = `${process}:${news.id}`;
    if (news.kind === "leave") {
      atWork.delete(worker);
    } else {
      if ([...atWork.values()].includes(news.slot)) doubleSlots.push(news.slot);
      atWork.set(worker, news.slot);
      slots.add(news.slot);
      fencingTokens.push(BigInt(news.fencingToken));
      most = Math.max(most, atWork.size);
    }
    child.send(news.id);
  }

  const children = Array.from({ length: processes }, (_, index) => {
    const child = fork(SCRIPT, [address, limiter, String(workers), String(rounds)], { execArgv: [] });
    child.on("message", (news: WorkerNews) => hear(child, index, news));
    return child;
  });
  try {
    const codes = await Promise.all(children.map((child) => once(child, "exit")));
    for (const [code] of codes) if (code !== 0) throw new Error(`workers ended with ${code}`);
  } finally {
    for (const child of children) child.kill("SIGKILL");
  }
  return { most, fencingTokens, doubleSlots, slots };
}
