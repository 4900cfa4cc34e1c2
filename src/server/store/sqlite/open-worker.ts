/** Starts the thread that writes, and exchanges messages with it. */

import { Worker } from "node:worker_threads";
import { WriteError, type Writer } from "../keeper.ts";
import type { Incomplete, RowTaker } from "../row.ts";
import { StoreError } from "./damage.ts";
import type { StoreFileOptions } from "./file.ts";
import type { FromWorker, ToWorker } from "./messages.ts";

export interface StoreWorker extends Writer {
  readonly incomplete: Incomplete;
  /** Rejects with a `WriteError` if not everything may be on the disk; the thread has ended even then. */
  close(): Promise<void>;
}

/** The sources run as they are, the package is compiled. */
const WORKER = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url);

/** MB: rows come and go while a folder is read, and the small young generation of `npm start` would copy them again and again. */
const YOUNG_GENERATION = 64;

/**
 * Opens the data folder, and hands out its rows meanwhile. Rejects with a `StoreError` if it cannot be taken up,
 * perhaps after some rows were handed out. `onCommitted` is called with each commit: why the log cannot be written into
 * the database; undefined: it can.
 */
export async function openStoreWorker(
  options: StoreFileOptions,
  { taker, onCommitted }: { readonly taker: RowTaker; readonly onCommitted: (logGrows: string | undefined) => void },
): Promise<StoreWorker> {
  const worker = new Worker(WORKER, {
    workerData: options,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION },
  });
  // It is asked one thing at a time, and answers each.
  let answered: (message: FromWorker) => void = () => {};
  let broke: (error: Error) => void = () => {};
  worker.on("message", (message: FromWorker) => {
    if (message.kind === "rows") handOut(message, taker);
    else answered(message);
  });
  let dead: Error | undefined;
  const die = (error: Error) => {
    dead ??= error;
    broke(dead);
  };
  worker.on("error", (error) => die(error as Error));
  worker.on("exit", () => die(new Error("the thread that writes the data folder has ended")));
  const answer = (): Promise<FromWorker> =>
    new Promise((resolve, reject) => {
      answered = resolve;
      broke = reject;
      if (dead !== undefined) reject(dead);
    });

  async function ask(question: ToWorker): Promise<FromWorker> {
    const reply = answer();
    worker.postMessage(question);
    const message = await reply.catch((error: Error) => {
      throw new WriteError(error.message, false);
    });
    if (message.kind === "failed") throw new WriteError(message.message, message.full);
    return message;
  }

  const first = await answer();
  if (first.kind === "not-opened") {
    await worker.terminate();
    throw new StoreError(first.reason, first.message);
  }
  if (first.kind !== "open") throw new Error(`the store's thread said ${first.kind} at first`);
  broke = () => {};
  return {
    incomplete: first.incomplete,
    async commit(changes, durability) {
      const message = await ask({ kind: "commit", changes, durability });
      if (message.kind === "committed") onCommitted(message.logGrows);
    },
    async close() {
      try {
        await ask({ kind: "close" });
      } finally {
        await worker.terminate();
      }
    },
  };
}

function handOut({ again, rows }: Extract<FromWorker, { kind: "rows" }>, taker: RowTaker): void {
  if (again) taker.again();
  for (let i = 0; i < rows.length; i += 2) taker.take({ key: rows[i] as string, body: rows[i + 1] as string });
}
