/** A board on which two processes work through whatever is added. */

import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { connect } from "../../../../src/client/index.ts";

export interface WorkThrough extends AsyncDisposable {
  add(cards: number): Promise<void>;
  /** Resolves when all is done, with how often each card was, by its id. */
  finish(): Promise<ReadonlyMap<string, number>>;
}

const SCRIPT = fileURLToPath(new URL("../pipeline-process.ts", import.meta.url));

/** `board`: with stages of which `stage` is the one to work in, and the next the last. */
export function startWorkThrough(options: {
  readonly address: string;
  readonly board: string;
  readonly stage: string;
}): WorkThrough {
  const { address, board: name, stage } = options;
  const workers = [1, 2].map(() => fork(SCRIPT, [address, name, stage, "2"], { execArgv: [] }));
  const exits = workers.map((worker) => once(worker, "exit"));
  const client = connect(address);
  const board = client.board(name);
  let added = 0;

  async function untilDone(): Promise<void> {
    for await (const { cards } of board.watch()) {
      if ([...cards.values()].filter(({ state }) => state === "completed").length === added) return;
    }
  }

  return {
    async add(cards) {
      for (let i = 0; i < cards; i += 1) {
        added += 1;
        await board.add({ id: `card-${added}`, title: "work" });
      }
    },
    async finish() {
      await untilDone();
      const done = new Map<string, number>();
      // Its result has the stage once for each time that it was done.
      for await (const { id, result } of board.list()) done.set(id, JSON.parse(result).length);
      return done;
    },
    async [Symbol.asyncDispose]() {
      for (const worker of workers) worker.kill("SIGKILL");
      await Promise.all(exits);
      await client.close();
    },
  };
}
