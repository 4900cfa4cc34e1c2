/** Reads what is left of a damaged folder, and sets its files aside. */

import { existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import type { Row } from "../row.ts";
import { rowChecksum, type StoredRow } from "./checksum.ts";

/**
 * Returns the rows that can be read and match their checksums, the latest of each key. The log may be older than the
 * database: so the database is also read without it.
 */
export function salvage(path: string): Row[] {
  const found = new Map<string, StoredRow>();
  const alone = new URL(`${pathToFileURL(path).href}?immutable=1`);
  for (const source of [path, alone]) {
    for (const row of readable(source)) {
      if ((found.get(row.key)?.number ?? -1) < row.number) found.set(row.key, row);
    }
  }
  return Array.from(found.values(), ({ key, body }) => ({ key, body }));
}

function readable(source: string | URL): StoredRow[] {
  const rows: StoredRow[] = [];
  let database: DatabaseSync | undefined;
  try {
    // Read-only: a log that was written into the database cannot be examined any more.
    database = new DatabaseSync(source, { readOnly: true, timeout: 0 });
    for (const found of database.prepare("SELECT key, number, checksum, body FROM record").iterate()) {
      const row = found as unknown as StoredRow;
      if (row.checksum === rowChecksum(row.key, row.number, row.body)) rows.push(row);
    }
  } catch {
    // From here on nothing can be read.
  } finally {
    database?.close();
  }
  return rows;
}

/** Renames a file that is in the way; no older one is overwritten. */
export function setAside(folder: string, name: string): void {
  const path = join(folder, name);
  if (!existsSync(path)) return;
  for (let n = 1; ; n += 1) {
    const aside = `${path}.damaged-${n}`;
    if (existsSync(aside)) continue;
    renameSync(path, aside);
    return;
  }
}
