/** The thread that writes, so that only calls with changes to keep wait for the disk. */

import { parentPort, workerData } from "node:worker_threads";
import type { RowTaker } from "../row.ts";
import { StoreError } from "./damage.ts";
import { openStoreFile, type StoreFile, type StoreFileOptions } from "./file.ts";
import type { FromWorker, ToWorker } from "./messages.ts";

const SQLITE_FULL = 13;

const say = (message: FromWorker) => parentPort?.postMessage(message);

/** Answers with the outcome, or with what was thrown. */
function attempt(act: () => FromWorker): void {
  let outcome: FromWorker;
  try {
    outcome = act();
  } catch (error) {
    const { errcode, message } = error as Error & { errcode?: number };
    outcome = { kind: "failed", full: ((errcode ?? 0) & 0xff) === SQLITE_FULL, message };
  }
  say(outcome);
}

/** Rows of a message: the other thread reads them while this one goes on. */
const ROWS_AT_ONCE = 2_000;

/** Sends rows on, many at a time. */
function createSender(): RowTaker & { flush(): void } {
  let rows: string[] = [];
  let again = true;
  const flush = () => {
    if (rows.length > 0) say({ kind: "rows", again, rows });
    if (rows.length > 0) again = false;
    rows = [];
  };
  return {
    take({ key, body }) {
      rows.push(key, body);
      if (rows.length >= 2 * ROWS_AT_ONCE) flush();
    },
    again() {
      rows = [];
      again = true;
    },
    flush,
  };
}

function open(options: StoreFileOptions): StoreFile | undefined {
  try {
    return openStoreFile(options, sender);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    say({ kind: "not-opened", reason: error.kind, message: error.message });
    return undefined;
  }
}

const sender = createSender();
const file = open(workerData as StoreFileOptions);
if (file !== undefined) {
  sender.flush();
  say({ kind: "open", incomplete: file.incomplete });
  parentPort?.on("message", (message: ToWorker) => {
    switch (message.kind) {
      case "commit":
        attempt(() => {
          const logGrows = file.commit(message.changes, message.durability);
          return { kind: "committed", logGrows };
        });
        return;
      case "close":
        attempt(() => {
          file.close();
          return { kind: "closed" };
        });
        parentPort?.close();
        return;
    }
  });
}
