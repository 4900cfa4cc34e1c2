/** Writes rows, a transaction at a time, and counts them in the head and in the mark beside the database. */

import type { DatabaseSync } from "node:sqlite";
import type { Durability, LeaseDurability, RowChange } from "../row.ts";
import { createCheckpoint } from "./checkpoint.ts";
import { type Head, headChecksum, rowChecksum } from "./checksum.ts";
import type { MarkFile } from "./mark.ts";

export interface Commits {
  /**
   * Commits changes in one transaction: all or nothing. Throws what SQLite throws. Returns why the log cannot be
   * written into the database, if so: nothing is lost by that, but the log grows.
   */
  commit(changes: readonly RowChange[], durability: Durability): string | undefined;
  /** Leaves everything on disk. */
  close(): void;
}

export interface CommitsOptions {
  readonly database: DatabaseSync;
  readonly mark: MarkFile;
  /** As it stands in the database. */
  readonly head: Head;
  /** The checksum of each row, by its key; kept up from here on. */
  readonly sums: Map<string, number>;
  /** The number of the last commit that was to be on disk. */
  readonly onDisk: number;
  readonly boot: string;
  readonly leases: LeaseDurability;
}

export function createCommits(context: CommitsOptions): Commits {
  const { database, mark, sums, boot, leases } = context;
  let { head, onDisk } = context;
  let synchronous: Durability = "process";
  const put = database.prepare("INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?)");
  const remove = database.prepare("DELETE FROM record WHERE key = ?");
  const setHead = database.prepare("UPDATE head SET number = ?, rows = ?, sum = ?, checksum = ?");
  const begin = database.prepare("BEGIN IMMEDIATE");
  const end = database.prepare("COMMIT");
  const checkpoint = createCheckpoint(database);

  function commit(changes: readonly RowChange[], durability: Durability): string | undefined {
    if (synchronous !== durability) {
      database.exec(`PRAGMA synchronous = ${durability === "disk" ? "FULL" : "NORMAL"}`);
      synchronous = durability;
    }
    const number = head.commit + 1;
    let { rows, sum } = head;
    const before = new Map<string, number | undefined>();
    begin.run();
    try {
      for (const { key, body } of changes) {
        const old = sums.get(key);
        if (!before.has(key)) before.set(key, old);
        if (old !== undefined) {
          rows -= 1;
          sum -= old;
        }
        if (body === undefined) {
          if (old !== undefined) remove.run(key);
          sums.delete(key);
          continue;
        }
        const checksum = rowChecksum(key, number, body);
        put.run(key, number, checksum, body);
        rows += 1;
        sum += checksum;
        sums.set(key, checksum);
      }
      const next: Head = { format: head.format, commit: number, rows, sum };
      setHead.run(number, rows, sum, headChecksum(next));
      end.run();
      head = next;
    } catch (error) {
      if (database.isTransaction) database.exec("ROLLBACK");
      for (const [key, old] of before) {
        if (old === undefined) sums.delete(key);
        else sums.set(key, old);
      }
      throw error;
    }
    if (durability === "disk") onDisk = head.commit;
    mark.write({ commit: head.commit, onDisk, boot, leases, closed: false });
    return checkpoint(changes);
  }

  return {
    commit,
    close() {
      database.exec("PRAGMA synchronous = FULL; PRAGMA wal_checkpoint(TRUNCATE)");
      mark.write({ commit: head.commit, onDisk: head.commit, boot, leases, closed: true });
      mark.sync();
      mark.close();
      database.close();
    },
  };
}
