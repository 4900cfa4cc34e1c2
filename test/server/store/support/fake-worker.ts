/** The thread that writes, without a thread or a file: what it has kept is there for the next that is opened. */

import { WriteError } from "../../../../src/server/store/keeper.ts";
import { type Durability, INCOMPLETE_KEY, type Incomplete, type RowChange } from "../../../../src/server/store/row.ts";
import type { openStoreWorker } from "../../../../src/server/store/sqlite/open-worker.ts";

export interface FakeFolder {
  /** By their keys. */
  readonly rows: Map<string, string>;
  /** What was committed by the one that was opened last, in order. */
  readonly commits: readonly { readonly changes: readonly RowChange[]; readonly durability: Durability }[];
  /** What the next that is opened is to find missing. */
  incomplete: Incomplete;
  /** What comes of commits, and of the close: kept, or why not. */
  fault: "full" | "broken" | undefined;
  /** Why its log cannot be written into its database. */
  logGrows: string | undefined;
  /** How many are open. */
  readonly open: number;
  readonly openWorker: typeof openStoreWorker;
}

export function createFakeFolder(): FakeFolder {
  const rows = new Map<string, string>();
  let commits: { changes: readonly RowChange[]; durability: Durability }[] = [];
  let open = 0;
  const folder: FakeFolder = {
    rows,
    get commits() {
      return commits;
    },
    incomplete: "no",
    fault: undefined,
    logGrows: undefined,
    get open() {
      return open;
    },
    async openWorker(_file, { taker, onCommitted }) {
      commits = [];
      open += 1;
      let closed = false;
      if (folder.incomplete !== "no") rows.set(INCOMPLETE_KEY, folder.incomplete);
      // As of a folder that another has written to meanwhile: it is read once more.
      taker.take({ key: "lease:of before", body: "{}" });
      taker.again();
      for (const [key, body] of rows) taker.take({ key, body });
      return {
        incomplete: folder.incomplete,
        async commit(changes, durability) {
          if (closed) throw new Error("it is closed");
          if (folder.fault !== undefined) throw new WriteError(`it is ${folder.fault}`, folder.fault === "full");
          commits.push({ changes, durability });
          for (const { key, body } of changes) body === undefined ? rows.delete(key) : rows.set(key, body);
          onCommitted(folder.logGrows);
        },
        async close() {
          closed = true;
          open -= 1;
          if (folder.fault !== undefined) throw new WriteError(`it is ${folder.fault}`, folder.fault === "full");
        },
      };
    },
  };
  return folder;
}
