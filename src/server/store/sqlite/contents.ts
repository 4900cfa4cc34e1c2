/** Reads a database and checks it against its checksums. */

import type { DatabaseSync } from "node:sqlite";
import { INCOMPLETE_KEY, type RowTaker } from "../row.ts";
import { type Head, headChecksum, rowChecksum } from "./checksum.ts";
import { damaged } from "./damage.ts";
import { assertSchema } from "./schema.ts";

export interface Contents {
  readonly head: Head;
  /** The body of the row that says what may be missing, if it is there. */
  readonly incomplete: string | undefined;
  /** The checksum of each row, by its key. */
  readonly sums: Map<string, number>;
}

/** Returns the head; undefined: the database has no tables yet. Throws `damaged` if it is not as it was written. */
export function readHead(database: DatabaseSync, folder: string): Head | undefined {
  const [any] = database.prepare("SELECT name FROM sqlite_schema LIMIT 1").all();
  if (any === undefined) return undefined;
  const [table] = database.prepare("SELECT name FROM sqlite_schema WHERE name = 'head'").all();
  if (table === undefined) throw damaged(folder, "its database (data.db) is none of this program");
  const [found] = database.prepare("SELECT format, number AS 'commit', rows, sum, checksum FROM head").all();
  const { checksum, ...head } = { ...found } as unknown as Head & { checksum: number };
  if (found === undefined || checksum !== headChecksum(head)) {
    throw damaged(folder, "its head does not match its checksum");
  }
  return head;
}

/**
 * Hands out every row, checked against its own checksum. Throws at the end if their sum is not the head's, or if the
 * database could not be written any more.
 */
export function readContents(database: DatabaseSync, folder: string, head: Head, taker: RowTaker): Contents {
  assertSchema(database, folder);
  taker.again();
  const sums = new Map<string, number>();
  let incomplete: string | undefined;
  let sum = 0;
  let rows = 0;
  const select = database.prepare("SELECT key, number, checksum, body FROM record");
  select.setReturnArrays(true);
  for (const row of select.iterate() as unknown as Iterable<readonly [string, number, number, string]>) {
    const [key, number, checksum, body] = row;
    if (checksum !== rowChecksum(key, number, body))
      throw damaged(folder, `the record ${key} does not match its checksum`);
    if (number > head.commit) throw damaged(folder, `the record ${key} is of a commit that never was`);
    rows += 1;
    sum += checksum;
    sums.set(key, checksum);
    if (key === INCOMPLETE_KEY) incomplete = body;
    taker.take({ key, body });
  }
  if (rows !== head.rows || sum !== head.sum) {
    throw damaged(folder, `${head.rows} records should be there, and the ${rows} that are do not add up`);
  }
  // All rows are there; the free pages must be sound, too, or the next write would overwrite something.
  const [verdict] = database.prepare("PRAGMA quick_check(1)").all() as { quick_check?: string }[];
  if (verdict?.quick_check !== "ok") throw damaged(folder, `its database is unsound (${verdict?.quick_check})`);
  return { head, incomplete, sums };
}
