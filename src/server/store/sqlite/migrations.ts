/** Older data folders are brought up to this version's format, step by step. */

import type { DatabaseSync } from "node:sqlite";
import { type Head, headChecksum } from "./checksum.ts";
import { StoreError } from "./damage.ts";

/** The format that this version writes. */
export const FORMAT = 2;

/** From the format of its index to the next; each runs in a transaction with its new number. */
const STEPS: readonly (((database: DatabaseSync) => void) | undefined)[] = [
  undefined,
  // Format 2 has other buckets and rates in its rows, which are read in either form (`records.ts`).
  undefined,
];

export function refuseNewer({ format }: Head, folder: string): void {
  if (format <= FORMAT) return;
  throw new StoreError(
    "newer",
    `the data folder ${folder} was written by a newer version (format ${format}, this one knows ${FORMAT}); start that version`,
  );
}

export function migrate(database: DatabaseSync, head: Head): void {
  for (let { format } = head; format < FORMAT; format += 1) {
    database.exec("BEGIN IMMEDIATE");
    STEPS[format]?.(database);
    const next = { ...head, format: format + 1 };
    database.prepare("UPDATE head SET format = ?, checksum = ?").run(next.format, headChecksum(next));
    database.exec("COMMIT");
  }
}
