/**
 * The data folder: rows in an SQLite database, which shows whether they are all there and as they were.
 *
 * - Each row has the number of the commit that wrote it and a checksum over key, number and body; the head has how many
 *   rows there are and the sum of their checksums. That finds a row that is changed, lost or of an older state, which
 *   SQLite's own `integrity_check` would let pass.
 * - The head's number of the last commit is compared with a mark beside the database.
 * - All of it is checked before anything is written: a folder that is refused stays as it was.
 */

import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { INCOMPLETE_KEY, type Incomplete, type LeaseDurability, type Row, type RowTaker } from "../row.ts";
import { type Head, headChecksum } from "./checksum.ts";
import { type Commits, createCommits } from "./commits.ts";
import { type Contents, readContents, readHead } from "./contents.ts";
import { damaged } from "./damage.ts";
import { type Mark, type MarkFile, openMark } from "./mark.ts";
import { FORMAT, migrate, refuseNewer } from "./migrations.ts";
import { DATABASE, LOG } from "./names.ts";
import { noteOwner } from "./owner.ts";
import { problemOf } from "./problem.ts";
import { salvage, setAside } from "./salvage.ts";
import { SCHEMA } from "./schema.ts";

export interface StoreFileOptions {
  readonly folder: string;
  /** Where its server is to listen, for people who find the folder in use. */
  readonly serves?: string;
  /** The id of the machine's boot: what was written under another may not have reached the disk. */
  readonly boot: string;
  /** How durable the leases of this run are. */
  readonly leases: LeaseDurability;
  /** Keeps what can be read of a damaged folder. */
  readonly acceptLoss: boolean;
  /** MiB that the database may grow to. */
  readonly maxMegabytes: number;
}

export interface StoreFile extends Commits {
  readonly incomplete: Incomplete;
}

const INDEX = `${DATABASE}-shm`;
const JOURNAL = `${DATABASE}-journal`;
const MARK = "mark";
const PAGE_BYTES = 4_096;
/** In a database's header, the versions that are needed to write and to read it; 2 is with a log. */
const VERSIONS_AT = 18;
const VERSIONS = Buffer.of(2, 2);

/** Takes a folder up and hands out its rows. Throws a `StoreError` if it cannot be, perhaps after some rows. */
export function openStoreFile(options: StoreFileOptions, taker: RowTaker): StoreFile {
  const { folder, acceptLoss } = options;
  const path = join(folder, DATABASE);
  try {
    makeFolder(folder);
    return openWhole(options, undefined, taker);
  } catch (error) {
    const problem = problemOf(error, folder);
    if (problem.kind !== "damaged" || !acceptLoss) throw problem;
    const rows = salvage(path);
    // The mark goes last: until then a start finds a folder that is half set aside damaged.
    for (const name of [LOG, INDEX, DATABASE, MARK]) setAside(folder, name);
    return openWhole(options, rows, taker);
  }
}

/**
 * Makes the folder and what is missing above it, from the top. Node's own recursion never ends where a folder cannot be made for
 * a reason that reads as "a parent is missing", as below /proc.
 */
function makeFolder(folder: string): void {
  const parent = dirname(folder);
  if (parent !== folder && !existsSync(parent)) makeFolder(parent);
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    // Another start may have made it meanwhile.
    if (!isFolder(folder)) throw error;
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** `salvaged`: what is left of a damaged folder, whose files have been set aside. */
function openWhole(options: StoreFileOptions, salvaged: readonly Row[] | undefined, taker: RowTaker): StoreFile {
  const { folder } = options;
  const seen = inspect(options, taker);
  const database = openDatabase(options);
  let mark: MarkFile | undefined;
  try {
    mark = openMark(join(folder, MARK), (what) => damaged(folder, what));
    const marked = mark.read();
    // Another process may have had the folder since it was inspected.
    const before = readHead(database, folder);
    const byPower = before !== undefined && compare(before, marked, options);
    if (marked === undefined) beginMark(mark, options);
    if (before === undefined) begin(database);
    else migrate(database, before);
    const head = readHead(database, folder) as Head;
    const same = seen !== undefined && headChecksum(seen.head) === headChecksum(head);
    const { incomplete: noted, sums } = same ? seen : readContents(database, folder, head, taker);
    const incomplete = incompleteness({ noted, byPower, byDamage: salvaged !== undefined });
    const { boot, leases } = options;
    const file = createCommits({ database, mark, head, sums, onDisk: marked?.onDisk ?? 0, boot, leases });
    const note = incomplete === "no" ? [] : [{ key: INCOMPLETE_KEY, body: incomplete }];
    file.commit([...(salvaged ?? []), ...note], "disk");
    if (salvaged !== undefined) {
      taker.again();
      for (const row of salvaged) taker.take(row);
    }
    return { ...file, incomplete };
  } catch (error) {
    mark?.close();
    database.close();
    throw error;
  }
}

/**
 * Reads the whole folder without writing anything; throws if it is damaged. Returns undefined if there is nothing yet,
 * or if it is in an older format.
 */
function inspect(options: StoreFileOptions, taker: RowTaker): Contents | undefined {
  const { folder } = options;
  const marked = existsSync(join(folder, MARK)) ? lookAtMark(folder) : undefined;
  const used = marked !== undefined && marked.commit > 0;
  if (!existsSync(join(folder, DATABASE))) {
    if (used) throw damaged(folder, `its database (${DATABASE}) is gone`);
    return undefined;
  }
  const versions = readVersions(folder);
  // A journal without a mark: the first start was cut off before SQLite changed to a log, and SQLite takes it back.
  if (!used && existsSync(join(folder, JOURNAL))) return undefined;
  // SQLite would discard the log of an empty database.
  const logged = existsSync(join(folder, LOG)) && statSync(join(folder, LOG)).size > 0;
  if (statSync(join(folder, DATABASE)).size === 0 && (used || logged)) throw damaged(folder, "its database is empty");
  // Read-only: closing a writable database would write its log into it, damaged or not.
  const database = new DatabaseSync(join(folder, DATABASE), { readOnly: true, timeout: 0 });
  const leftIndex = existsSync(join(folder, INDEX));
  try {
    const head = readHead(database, folder);
    if (head === undefined) {
      if (used) throw damaged(folder, "its database is empty");
      return undefined;
    }
    refuseNewer(head, folder);
    if (!versions.equals(VERSIONS)) throw damaged(folder, "its database says that another SQLite has written it");
    compare(head, marked, options);
    return head.format === FORMAT ? readContents(database, folder, head, taker) : undefined;
  } finally {
    database.close();
    // A reader leaves the index behind.
    if (!leftIndex) rmSync(join(folder, INDEX), { force: true });
  }
}

/**
 * Reads what SQLite would check only as it writes, which would leave the folder changed. Throws the file system's
 * error, of which SQLite keeps little, if the database may not be written.
 */
function readVersions(folder: string): Buffer {
  const fd = openSync(join(folder, DATABASE), "r+");
  try {
    const found = Buffer.alloc(VERSIONS.length);
    readSync(fd, found, 0, found.length, VERSIONS_AT);
    return found;
  } finally {
    closeSync(fd);
  }
}

function lookAtMark(folder: string): Mark | undefined {
  const mark = openMark(join(folder, MARK), (what) => damaged(folder, what));
  try {
    return mark.read();
  } finally {
    mark.close();
  }
}

/** Opens it for this process alone: the lock goes with the process, however that ends. */
function openDatabase({ folder, serves, maxMegabytes }: StoreFileOptions): DatabaseSync {
  // Made here, since SQLite would make it readable for other users.
  closeSync(openSync(join(folder, DATABASE), "a", 0o600));
  const database = new DatabaseSync(join(folder, DATABASE), { timeout: 0 });
  try {
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
    database.exec("PRAGMA wal_autocheckpoint = 0; BEGIN IMMEDIATE; COMMIT");
    database.exec(`PRAGMA max_page_count = ${Math.floor((maxMegabytes * 1024 * 1024) / PAGE_BYTES)}`);
    noteOwner(folder, serves);
  } catch (error) {
    database.close();
    throw error;
  }
  return database;
}

/** Writes the first mark. It is on disk before the first commit, which would else look as if its mark was lost. */
function beginMark(mark: MarkFile, { folder, boot, leases }: StoreFileOptions): void {
  mark.write({ commit: 0, onDisk: 0, boot, leases, closed: false });
  mark.sync();
  const fd = openSync(folder, "r");
  fsyncSync(fd);
  closeSync(fd);
}

function begin(database: DatabaseSync): void {
  const head: Head = { format: FORMAT, commit: 0, rows: 0, sum: 0 };
  database.exec(`
    BEGIN;
    ${SCHEMA}
    INSERT INTO head VALUES (1, ${FORMAT}, 0, 0, 0, ${headChecksum(head)});
    COMMIT`);
}

/** Returns whether leases may be missing without a fault; throws if something is missing that must not be. */
function compare(head: Head, mark: Mark | undefined, { folder, boot }: StoreFileOptions): boolean {
  if (mark === undefined) {
    if (head.commit > 0) throw damaged(folder, `its high-water mark (${MARK}) is gone`);
    return false;
  }
  const samePower = mark.boot === boot && boot !== "";
  const missing = mark.commit - head.commit;
  if (missing > 0 && (samePower || mark.closed || head.commit < mark.onDisk)) {
    throw damaged(folder, `the last ${missing} of its ${mark.commit} commits are missing`);
  }
  // No leases were written; or they were written, but may not have reached the disk before the power went.
  return mark.commit > 0 && (mark.leases === "none" || (mark.leases === "process" && !samePower && !mark.closed));
}

/** Adds what was missing at an earlier start: a holder may still rely on it. */
function incompleteness(found: {
  /** What the folder's own row says. */
  readonly noted: string | undefined;
  readonly byPower: boolean;
  readonly byDamage: boolean;
}): Incomplete {
  if (found.byDamage || found.noted === "by-damage") return "by-damage";
  return found.byPower || found.noted !== undefined ? "by-power" : "no";
}
