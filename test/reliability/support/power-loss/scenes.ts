/**
 * Data folders as a loss of power or of a process finds them, each with everything that was ever committed to it: so that
 * of whatever is found in it later can be said whether it once was so.
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Durability, RowChange } from "../../../../src/server/store/row.ts";
import { createDice, type Dice } from "../../../server/machine/dice.ts";
import { openAndRead, type ReadFile } from "../../../server/store/support/folder.ts";
import { SCRATCH } from "./scratch.ts";

export const FILES = ["data.db", "data.db-wal", "mark"] as const;
export type FileName = (typeof FILES)[number];

export interface Scene {
  readonly name: string;
  readonly files: Readonly<Record<FileName, Buffer>>;
  /** By the fingerprint of a state the last commit after which it stood so. */
  readonly states: ReadonlyMap<string, number>;
  /** Every `key body` that was ever committed. */
  readonly written: ReadonlySet<string>;
  readonly last: number;
  /** The last commit that was on disk before it was confirmed. */
  readonly onDisk: number;
}

export const BOOT = "the start that wrote it";
/** So many that most pages are older than the log. */
const KEYS = 500;
const WAL_HEADER = 32;
const FRAME = 24 + 4_096;

/** Where a frame of the log ends, or the header of one, in its last 64 KiB, and in those before the old frames behind it. */
export function boundaries(log: Buffer): number[] {
  const found: number[] = [];
  for (let at = WAL_HEADER; at <= log.length; at += FRAME) found.push(at, at + 24);
  return found.filter((at) => at <= log.length && at >= endOf(log) - 65_536);
}

/** Where the frames end that were written since the log was begun. */
function endOf(log: Buffer): number {
  const salt = log.subarray(16, 24);
  let end = WAL_HEADER;
  while (end + FRAME <= log.length && log.subarray(end + 8, end + 16).equals(salt)) end += FRAME;
  return end;
}

export function fingerprint(rows: Iterable<readonly [string, string]>): string {
  return JSON.stringify([...rows].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * `log`: all since the last orderly end stands in the log alone. `checkpointed`: also in the database, so that what the
 * log has may be older than what that has. `restarted`: the log has been begun anew, with old frames behind the new.
 */
export function buildScenes(seed: number): Scene[] {
  const base = mkdtempSync(join(SCRATCH, "backpressure-power-"));
  try {
    const history = createHistory(join(base, "data"), createDice(seed));
    history.commit(250);
    history.reopen();
    history.commit(16);
    const log = history.look("log");
    // Some two thousand pages later SQLite writes the log into the database by itself, and then begins it anew.
    const salt = () => readFileSync(join(base, "data", "data.db-wal")).toString("hex", 16, 24);
    const before = salt();
    while (salt() === before) history.commit(1);
    history.commit(14);
    const restarted = history.look("restarted");
    history.end();
    return [log, checkpointed(base, log), withoutOldFrames(restarted)];
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}

/** Most of what stands behind the log's end, from before it was begun anew, goes: ten frames of it are as good as many. */
function withoutOldFrames(scene: Scene): Scene {
  const log = scene.files["data.db-wal"];
  return { ...scene, files: { ...scene.files, "data.db-wal": log.subarray(0, endOf(log) + 10 * FRAME) } };
}

/** The log's end is in the database, too, and the log has not been begun anew yet. */
function checkpointed(base: string, scene: Scene): Scene {
  const path = join(base, "checkpointed.db");
  writeFileSync(path, scene.files["data.db"]);
  writeFileSync(`${path}-wal`, scene.files["data.db-wal"]);
  const database = new DatabaseSync(path);
  try {
    database.exec("PRAGMA wal_checkpoint(PASSIVE)");
    return { ...scene, name: "checkpointed", files: { ...scene.files, "data.db": readFileSync(path) } };
  } finally {
    database.close();
  }
}

interface History {
  commit(count: number): void;
  reopen(): void;
  /** What is in the folder now. */
  look(name: string): Scene;
  end(): void;
}

function createHistory(folder: string, dice: Dice): History {
  const rows = new Map<string, string>();
  const states = new Map<string, number>();
  const written = new Set<string>();
  let last = 0;
  let onDisk = 0;
  let serial = 0;
  const note = (durability: Durability) => {
    last += 1;
    if (durability === "disk") onDisk = last;
    states.set(fingerprint(rows), last);
  };
  const open = (): ReadFile => {
    const file = openAndRead({ folder, boot: BOOT, leases: "process", acceptLoss: false, maxMegabytes: 64 });
    note("disk");
    return file;
  };
  let file = open();

  function change(): RowChange {
    const key = `lease:${dice.roll(KEYS)}`;
    if (dice.chance(30)) return { key, body: undefined };
    serial += 1;
    return { key, body: JSON.stringify({ serial, words: "w".repeat(dice.roll(300)) }) };
  }

  return {
    commit(count) {
      for (let n = 0; n < count; n += 1) {
        const changes = Array.from({ length: 1 + dice.roll(5) }, change);
        const durability = dice.chance(15) ? "disk" : "process";
        file.commit(changes, durability);
        for (const { key, body } of changes) {
          if (body === undefined) rows.delete(key);
          else {
            rows.set(key, body);
            written.add(`${key} ${body}`);
          }
        }
        note(durability);
      }
    },
    reopen() {
      file.close();
      file = open();
    },
    look(name) {
      const files = Object.fromEntries(FILES.map((each) => [each, readFileSync(join(folder, each))])) as Scene["files"];
      return { name, files, states: new Map(states), written: new Set(written), last, onDisk };
    },
    end: () => file.close(),
  };
}
