/**
 * The data folder: rows in an SQLite database, of which it can be told whether they are all there and as they were.
 *
 * - Each row has the number of the commit that wrote it and a checksum over key, number and body; the head has how many
 *   rows there are and the sum of their checksums. A row that is changed, lost or of an older state does not escape that,
 *   which SQLite's own `integrity_check` would let pass.
 * - The head's number of the last commit is held against a mark beside the database.
 */

import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import type { Durability, Incomplete, LeaseDurability, Row, RowChange } from "../row.ts";
import { damaged, StoreError } from "./damage.ts";
import { type Mark, type MarkFile, openMark } from "./mark.ts";
import { FORMAT, migrate } from "./migrations.ts";

export interface StoreFileOptions {
  readonly folder: string;
  /** Which start of the machine this is: what was written under another may not have reached the disk. */
  readonly boot: string;
  /** How safe the leases of this run will be. */
  readonly leases: LeaseDurability;
  /** Keeps what can be read of a damaged folder. */
  readonly acceptLoss: boolean;
  /** MiB that the database may grow to. */
  readonly maxMegabytes: number;
}

export interface StoreFile {
  readonly rows: readonly Row[];
  readonly incomplete: Incomplete;
  /** In one transaction: all or nothing. Throws what SQLite throws. */
  commit(changes: readonly RowChange[], durability: Durability): void;
  /** Leaves everything on disk. */
  close(): void;
}

interface Head {
  commit: number;
  rows: number;
  sum: number;
}

const DATABASE = "data.db";
const MARK = "mark";
const OWNER = "owner.json";
const PAGE_BYTES = 4_096;
/** Pages of the log after which it is written into the database. */
const CHECKPOINT_PAGES = 2_000;

export function openStoreFile(options: StoreFileOptions): StoreFile {
  const { folder, acceptLoss } = options;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new StoreError("unusable", `the data folder ${folder} cannot be made: ${(cause as Error).message}`, {
      cause,
    });
  }
  try {
    return openWhole(options, undefined);
  } catch (error) {
    if (!(error instanceof StoreError) || error.kind !== "damaged" || !acceptLoss) throw error;
    const rows = salvage(folder);
    for (const name of [DATABASE, `${DATABASE}-wal`, MARK]) setAside(folder, name);
    return openWhole(options, rows);
  }
}

/** `salvaged`: what is left of a damaged folder, whose files have been set aside. */
function openWhole(options: StoreFileOptions, salvaged: readonly Row[] | undefined): StoreFile {
  const { folder, boot } = options;
  const path = join(folder, DATABASE);
  const existed = existsSync(path);
  const database = openDatabase(folder, options.maxMegabytes);
  let mark: MarkFile | undefined;
  try {
    mark = openMark(join(folder, MARK), (what) => damaged(folder, what));
    const marked = mark.read();
    if (!existed && marked !== undefined) throw damaged(folder, `its database (${DATABASE}) is gone`);
    const begun = isBegun(database, folder);
    if (begun && marked === undefined) throw damaged(folder, `its high-water mark (${MARK}) is gone`);
    if (!begun && marked !== undefined && marked.commit > 0) throw damaged(folder, "its database is empty");
    if (begun) migrate(database, folder);
    else begin(database);
    const { head, rows, sums } = readAll(database, folder);
    const byPower = compare(head, marked, { folder, boot });
    const incomplete = salvaged !== undefined ? "by-damage" : byPower ? "by-power" : "no";
    const file = keep({ database, mark, head, sums, onDisk: marked?.onDisk ?? 0, options });
    if (salvaged) file.commit(salvaged, "disk");
    else file.commit([], "disk");
    return { ...file, rows: salvaged ?? rows, incomplete };
  } catch (error) {
    mark?.close();
    database.close();
    if (error instanceof StoreError) throw error;
    throw damaged(folder, `its database cannot be read (${(error as Error).message})`, error);
  }
}

/** Opens it for this process alone: the lock goes with the process, whichever way that ends. */
function openDatabase(folder: string, maxMegabytes: number): DatabaseSync {
  const owner = join(folder, OWNER);
  let database: DatabaseSync | undefined;
  try {
    // Made here, since SQLite lets others read what it makes.
    closeSync(openSync(join(folder, DATABASE), "a", 0o600));
    database = new DatabaseSync(join(folder, DATABASE), { timeout: 0 });
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
    database.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}; BEGIN IMMEDIATE; COMMIT`);
    database.exec(`PRAGMA max_page_count = ${Math.floor((maxMegabytes * 1024 * 1024) / PAGE_BYTES)}`);
  } catch (error) {
    database?.close();
    const { errcode, message } = error as Error & { errcode?: number };
    const primary = (errcode ?? 0) & 0xff;
    if (primary === SQLITE_BUSY)
      throw new StoreError(
        "held",
        `the data folder ${folder} is in use${by(owner)}; stop that server, or choose another folder`,
      );
    if (primary === SQLITE_CANTOPEN || primary === SQLITE_READONLY || primary === SQLITE_PERM) {
      throw new StoreError("unusable", `the data folder ${folder} cannot be written to: ${message}`, { cause: error });
    }
    throw damaged(folder, `its database cannot be read (${message})`, error);
  }
  writeFileSync(owner, JSON.stringify({ pid: process.pid, host: hostname(), since: new Date().toISOString() }), {
    mode: 0o600,
  });
  return database;
}

const SQLITE_PERM = 3;
const SQLITE_BUSY = 5;
const SQLITE_READONLY = 8;
const SQLITE_CANTOPEN = 14;

/** Who has it, as far as is known. */
function by(owner: string): string {
  try {
    const { pid, host, since } = JSON.parse(readFileSync(owner, "utf8"));
    return ` by process ${pid} on ${host}, since ${since}`;
  } catch {
    return "";
  }
}

function isBegun(database: DatabaseSync, folder: string): boolean {
  const [table] = database.prepare("SELECT name FROM sqlite_schema WHERE name = 'head'").all();
  const [any] = database.prepare("SELECT name FROM sqlite_schema LIMIT 1").all();
  if (table === undefined && any !== undefined) throw damaged(folder, `${DATABASE} is no database of this program`);
  return table !== undefined;
}

function begin(database: DatabaseSync): void {
  database.exec(`
    BEGIN;
    CREATE TABLE record (key TEXT PRIMARY KEY, number INTEGER NOT NULL, checksum INTEGER NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE head (id INTEGER PRIMARY KEY CHECK (id = 1), format INTEGER NOT NULL, number INTEGER NOT NULL, rows INTEGER NOT NULL, sum INTEGER NOT NULL, checksum INTEGER NOT NULL);
    INSERT INTO head VALUES (1, ${FORMAT}, 0, 0, 0, ${headChecksum({ commit: 0, rows: 0, sum: 0 })});
    COMMIT`);
}

/** Every row, held against its own checksum and all of them against the head. */
function readAll(database: DatabaseSync, folder: string): { head: Head; rows: Row[]; sums: Map<string, number> } {
  const [found] = database.prepare("SELECT number AS 'commit', rows, sum, checksum FROM head").all();
  const { checksum: headSum, ...head } = { ...found } as unknown as Head & { checksum: number };
  if (found === undefined || headSum !== headChecksum(head))
    throw damaged(folder, "its head does not match its checksum");
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
  return { head, rows, sums };
}

interface StoredRow {
  readonly key: string;
  readonly number: number;
  readonly checksum: number;
  readonly body: string;
}

/** Whether something may be missing without anybody's fault; throws where something is missing that must not be. */
function compare(head: Head, mark: Mark | undefined, { folder, boot }: { folder: string; boot: string }): boolean {
  if (mark === undefined) return false;
  const samePower = mark.boot === boot && boot !== "";
  const missing = mark.commit - head.commit;
  if (missing > 0 && (samePower || mark.closed || head.commit < mark.onDisk)) {
    throw damaged(folder, `the last ${missing} of its ${mark.commit} commits are missing`);
  }
  // Nobody has written down who held what; or it was written, but not to the disk before the power went.
  return mark.leases === "none" || (mark.leases === "process" && !samePower && !mark.closed);
}

function keep(context: {
  readonly database: DatabaseSync;
  readonly mark: MarkFile;
  readonly head: Head;
  readonly sums: Map<string, number>;
  readonly onDisk: number;
  readonly options: StoreFileOptions;
}): Omit<StoreFile, "rows" | "incomplete"> {
  const { database, mark, sums } = context;
  const { boot, leases } = context.options;
  let { head, onDisk } = context;
  let synchronous: Durability = "process";
  const put = database.prepare("INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?)");
  const remove = database.prepare("DELETE FROM record WHERE key = ?");
  const setHead = database.prepare("UPDATE head SET number = ?, rows = ?, sum = ?, checksum = ?");
  const begin = database.prepare("BEGIN IMMEDIATE");
  const end = database.prepare("COMMIT");

  function commit(changes: readonly RowChange[], durability: Durability): void {
    if (synchronous !== durability) {
      database.exec(`PRAGMA synchronous = ${durability === "disk" ? "FULL" : "NORMAL"}`);
      synchronous = durability;
    }
    const next: Head = { commit: head.commit + 1, rows: head.rows, sum: head.sum };
    const before = new Map<string, number | undefined>();
    begin.run();
    try {
      for (const { key, body } of changes) {
        const old = sums.get(key);
        if (!before.has(key)) before.set(key, old);
        if (old !== undefined) {
          next.rows -= 1;
          next.sum -= old;
        }
        if (body === undefined) {
          if (old !== undefined) remove.run(key);
          sums.delete(key);
          continue;
        }
        const checksum = rowChecksum(key, next.commit, body);
        put.run(key, next.commit, checksum, body);
        next.rows += 1;
        next.sum += checksum;
        sums.set(key, checksum);
      }
      setHead.run(next.commit, next.rows, next.sum, headChecksum(next));
      end.run();
    } catch (error) {
      if (database.isTransaction) database.exec("ROLLBACK");
      for (const [key, old] of before) {
        if (old === undefined) sums.delete(key);
        else sums.set(key, old);
      }
      throw error;
    }
    head = next;
    if (durability === "disk") onDisk = head.commit;
    mark.write({ commit: head.commit, onDisk, boot, leases, closed: false });
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

function rowChecksum(key: string, number: number, body: string): number {
  return crc32(`${key}\0${number}\0${body}`);
}

function headChecksum({ commit, rows, sum }: Head): number {
  return crc32(`${commit} ${rows} ${sum}`);
}

/** The rows of a damaged database that can be read and are as they were written. */
function salvage(folder: string): Row[] {
  const rows: Row[] = [];
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(join(folder, DATABASE), { timeout: 0 });
    for (const row of database.prepare("SELECT key, number, checksum, body FROM record").iterate()) {
      const { key, number, checksum, body } = row as unknown as StoredRow;
      if (checksum === rowChecksum(key, number, body)) rows.push({ key, body });
    }
  } catch {
    // From here on nothing can be read.
  } finally {
    database?.close();
  }
  return rows;
}

function setAside(folder: string, name: string): void {
  const path = join(folder, name);
  if (!existsSync(path)) return;
  for (let n = 1; ; n += 1) {
    const aside = `${path}.damaged-${n}`;
    if (existsSync(aside)) continue;
    renameSync(path, aside);
    return;
  }
}
