/** The thread that writes, so that nobody waits for the disk but those whose changes they are. */

import { parentPort, workerData } from "node:worker_threads";
import { StoreError } from "./damage.ts";
import { openStoreFile, type StoreFile, type StoreFileOptions } from "./file.ts";
import type { FromWorker, ToWorker } from "./messages.ts";

const SQLITE_FULL = 13;

const say = (message: FromWorker) => parentPort?.postMessage(message);

function open(options: StoreFileOptions): StoreFile | undefined {
  try {
    return openStoreFile(options);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    say({ kind: "not-opened", reason: error.kind, message: error.message });
    return undefined;
  }
}

const file = open(workerData as StoreFileOptions);
if (file !== undefined) {
  say({ kind: "open", rows: file.rows, incomplete: file.incomplete });
  parentPort?.on("message", (message: ToWorker) => {
    switch (message.kind) {
      case "commit":
        try {
          file.commit(message.changes, message.durability);
        } catch (error) {
          const { errcode, message: text } = error as Error & { errcode?: number };
          say({ kind: "failed", full: ((errcode ?? 0) & 0xff) === SQLITE_FULL, message: text });
          return;
        }
        say({ kind: "committed" });
        return;
      case "close":
        file.close();
        say({ kind: "closed" });
        parentPort?.close();
        return;
    }
  });
}
