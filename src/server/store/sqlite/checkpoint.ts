/**
 * Writes the log into the database, whenever it has grown long.
 *
 * SQLite would do that by itself, but it does not report what goes wrong then: the log would grow unnoticed, and a
 * failed fsync of the log would be forgotten, so that the next commit would count as on disk behind a hole.
 */

import type { DatabaseSync } from "node:sqlite";
import type { RowChange } from "../row.ts";

/** Error codes of a write of the database; the log is only read and synced here. */
const SQLITE_FULL = 13;
const SQLITE_IOERR_WRITE = 778;
/** Pages of the log after which it is written into the database. */
const LONG = 2_000;
/** Bytes of rows after which its length is looked at: a look costs as much as a small commit. */
const LOOK_AFTER = 1_000_000;
/** What a row takes of the log beside its body: a page, or its part of a page that other rows changed, too. */
const ROW_BYTES = 2_000;

/**
 * Writes the log if it is time, after these rows were committed. Returns why the database could not be written the last
 * time, which loses nothing: all is in the log, and it is tried again. Throws any other fault: a failed fsync may have
 * been that of the log, and what is not on disk then never will be.
 */
export type Checkpoint = (rows: readonly RowChange[]) => string | undefined;

export function createCheckpoint(database: DatabaseSync): Checkpoint {
  // Only counts the pages. SQLite before 3.51 takes it for the other, which is as right, and slower.
  const look = database.prepare("PRAGMA wal_checkpoint(NOOP)");
  const write = database.prepare("PRAGMA wal_checkpoint(PASSIVE)");
  let unseen = 0;
  let problem: string | undefined;
  return (rows) => {
    for (const { body = "" } of rows) unseen += ROW_BYTES + body.length;
    if (unseen < LOOK_AFTER) return problem;
    unseen = 0;
    problem = undefined;
    try {
      const { log } = look.get() as { readonly log: number };
      if (log >= LONG) write.get();
    } catch (error) {
      const { errcode, message } = error as Error & { readonly errcode?: number };
      if (errcode !== SQLITE_FULL && errcode !== SQLITE_IOERR_WRITE) throw error;
      problem = message;
    }
    return problem;
  };
}
