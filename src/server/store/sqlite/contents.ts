/** What stands in a database, read and held against what it should be. */

import type { DatabaseSync } from "node:sqlite";
import type { Row } from "../row.ts";
import { type Head, headChecksum, rowChecksum, type StoredRow } from "./checksum.ts";
import { damaged } from "./damage.ts";
import { assertSchema } from "./schema.ts";

export interface Contents {
  readonly head: Head;
  readonly rows: readonly Row[];
  /** The checksum of each row, by its key. */
  readonly sums: Map<string, number>;
}

/** The head, which is as it was written; undefined: the database has yet to be begun. */
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

/** Every row, held against its own checksum and all of them against the head; and whether more could be written. */
export function readContents(database: DatabaseSync, folder: string, head: Head): Contents {
  assertSchema(database, folder);
  const rows: Row[] = [];
  const sums = new Map<string, number>();
  let sum = 0;
  for (const row of database.prepare("SELECT key, number, checksum, body FROM record").iterate()) {
    const { key, number, checksum, body } = row as unknown as StoredRow;
    if (checksum !== rowChecksum(key, number, body))
      throw damaged(folder, `the record ${key} does not match its checksum`);
    if (number > head.commit) throw damaged(folder, `the record ${key} is of a commit that never was`);
    sum += checksum;
    sums.set(key, checksum);
    rows.push({ key, body });
  }
  if (rows.length !== head.rows || sum !== head.sum) {
    throw damaged(folder, `${head.rows} records should be there, and the ${rows.length} that are do not add up`);
  }
  // All that is kept is there; what is free must be, too, or the next write would go over something.
  const [verdict] = database.prepare("PRAGMA quick_check(1)").all() as { quick_check?: string }[];
  if (verdict?.quick_check !== "ok") throw damaged(folder, `its database is unsound (${verdict?.quick_check})`);
  return { head, rows, sums };
}
