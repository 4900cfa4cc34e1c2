/** Older data folders are brought up to this version's format, step by step. */

import type { DatabaseSync } from "node:sqlite";
import { StoreError } from "./damage.ts";

/** The format that this version writes. */
export const FORMAT = 1;

/** From the format of its index to the next; each runs in a transaction with its new number. */
const STEPS: readonly ((database: DatabaseSync) => void)[] = [];

export function migrate(database: DatabaseSync, folder: string): void {
  const [head] = database.prepare("SELECT format FROM head").all();
  let format = Number(head?.format);
  if (format > FORMAT) {
    throw new StoreError(
      "newer",
      `the data folder ${folder} was written by a newer version (format ${format}, this one knows ${FORMAT}); start that version`,
    );
  }
  for (; format < FORMAT; format += 1) {
    database.exec("BEGIN IMMEDIATE");
    STEPS[format]?.(database);
    database.prepare("UPDATE head SET format = ?").run(format + 1);
    database.exec("COMMIT");
  }
}
