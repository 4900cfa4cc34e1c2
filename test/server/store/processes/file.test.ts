/** The data folder on a real disk: what was committed is found again, and what is not sound is refused in words. */

import { fork } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { LeaseDurability, RowChange } from "../../../../src/server/store/row.ts";
import { headChecksum } from "../../../../src/server/store/sqlite/checksum.ts";
import type { StoreFile } from "../../../../src/server/store/sqlite/file.ts";
import { FORMAT } from "../../../../src/server/store/sqlite/migrations.ts";
import { contentsOf, createFolder, type Folder, openAt, refusalOf } from "../support/folder.ts";

const put = (key: string, body: string): RowChange => ({ key, body });
const gone = (key: string): RowChange => ({ key, body: undefined });

describe("what is committed", () => {
  it("is there after a close, and after a crash", () => {
    using folder = createFolder();
    let file = folder.open();
    file.commit([put("a", "1"), put("b", "ü\0\ud83d\ude00")], "process");
    file.close();
    file = folder.open();
    expect(contentsOf(file)).toEqual({ a: "1", b: "ü\0\ud83d\ude00" });
    file.commit([put("a", "2"), gone("b"), put("c", "3"), put("c", "4")], "disk");
    const crashed = openAt(folder.crashed());
    expect([contentsOf(crashed), crashed.incomplete]).toEqual([{ a: "2", c: "4" }, "no"]);
    crashed.close();
    file.close();
  });

  it("adds up however keys are written, written again and removed, within a commit and across failed ones", () => {
    const change = fc.record({
      key: fc.constantFrom("a", "b", "c", "d"),
      body: fc.option(fc.string(), { nil: undefined }),
    });
    const commits = fc.array(fc.record({ changes: fc.array(change, { maxLength: 6 }), fails: fc.boolean() }), {
      maxLength: 12,
    });
    using folder = createFolder();
    let file = folder.open();
    const expected = new Map<string, string>();
    fc.assert(
      fc.property(commits, (all) => {
        for (const { changes, fails } of all) {
          // A body that is no text is refused by SQLite, in the midst of the transaction.
          const bad = { key: "e", body: Symbol("no text") as unknown as string };
          if (fails) {
            expect(() => file.commit([...changes, bad], "process")).toThrow();
            continue;
          }
          file.commit(changes, "process");
          for (const { key, body } of changes) body === undefined ? expected.delete(key) : expected.set(key, body);
        }
        // Opening refuses what does not add up.
        file.close();
        file = folder.open();
        expect(contentsOf(file)).toEqual(Object.fromEntries(expected));
      }),
      { numRuns: 60 },
    );
    file.close();
  });

  it("is all or nothing when there is no room, and there is room again for less", () => {
    using folder = createFolder();
    const file = folder.open({ maxMegabytes: 1 });
    const large = "x".repeat(100_000);
    const keys = Array.from({ length: 8 }, (_, index) => `large-${index}`);
    file.commit([put("a", "1"), ...keys.map((key) => put(key, large))], "process");
    const problem = caught(() =>
      file.commit([put("a", "2"), put("m", large), put("n", large), put("o", large)], "disk"),
    );
    expect((problem as { errcode?: number }).errcode).toBe(13);
    const full = openAt(folder.crashed("full"));
    expect(contentsOf(full)).toEqual({ a: "1", ...Object.fromEntries(keys.map((key) => [key, large])) });
    full.close();
    file.commit(keys.map(gone), "process");
    file.commit([put("a", "3"), put("m", large)], "disk");
    const crashed = openAt(folder.crashed("later"));
    expect(contentsOf(crashed)).toEqual({ a: "3", m: large });
    crashed.close();
    file.close();
  });

  it("is written into the database when the log has grown long, and the log begins anew", () => {
    using folder = createFolder();
    const file = folder.open();
    const large = "x".repeat(1_000_000);
    const log = join(folder.path, "data.db-wal");
    for (let n = 0; n < 40; n += 1) expect(file.commit([put("a", `${n}${large}`)], "process")).toBeUndefined();
    // 2,000 pages, and one commit more.
    expect(statSync(log).size).toBeLessThan(10_500_000);
    file.close();
    const reopened = folder.open();
    expect(contentsOf(reopened)).toEqual({ a: `39${large}` });
    reopened.close();
  });

  it("can be read by no other user of this machine", () => {
    using folder = createFolder();
    const file = folder.open();
    file.commit([put("a", "1")], "disk");
    const open = readdirSync(folder.path).filter((name) => (statSync(join(folder.path, name)).mode & 0o077) !== 0);
    expect(open).toEqual([]);
    expect(statSync(folder.path).mode & 0o077).toBe(0);
    file.close();
  });
});

describe("a folder that another process has", () => {
  it("is refused with the process that has it, and is free when that is killed", async () => {
    using folder = createFolder();
    const holder = fork(new URL("../support/holder-process.ts", import.meta.url), [folder.path]);
    try {
      await once(holder, "message");
      const before = Date.now();
      const { kind, message } = refusalOf(() => folder.open());
      expect(Date.now() - before).toBeLessThan(5_000);
      expect(kind).toBe("held");
      expect(message).toContain(`in use by process ${holder.pid} on ${hostname()}, since 2`);
      expect(message).toContain(folder.path);
      // Not even damage that is accepted gives it to a second one.
      expect(refusalOf(() => folder.open({ acceptLoss: true })).kind).toBe("held");
    } finally {
      const exit = once(holder, "exit");
      holder.kill("SIGKILL");
      await exit;
    }
    const file = folder.open();
    expect([contentsOf(file), file.incomplete]).toEqual([{ a: "by another process" }, "no"]);
    file.close();
  });
});

describe("what may be missing", () => {
  const cases: readonly [LeaseDurability, string, "closed" | "crashed", string][] = [
    ["process", "same", "crashed", "no"],
    ["process", "another", "crashed", "by-power"],
    ["process", "", "crashed", "by-power"],
    ["process", "another", "closed", "no"],
    ["disk", "another", "crashed", "no"],
    ["none", "same", "crashed", "by-power"],
    ["none", "same", "closed", "by-power"],
  ];
  it.each(cases)("with leases kept by %s, on %s boot, %s: %s", (leases, boot, how, expected) => {
    using folder = createFolder();
    const file = folder.open({ leases, boot: boot === "" ? "" : "same" });
    file.commit([put("a", "1")], "process");
    if (how === "closed") file.close();
    const again = openAt(how === "closed" ? folder.path : folder.crashed(), { boot });
    expect(again.incomplete).toBe(expected);
    again.close();
    if (how !== "closed") file.close();
  });

  it("may still be missing at the next start, until it is declared complete", () => {
    using folder = createFolder();
    folder.open().commit([put("a", "1")], "process");
    const crashed = folder.crashed();
    for (let start = 0; start < 3; start += 1) {
      const file = openAt(crashed, { boot: "another" });
      expect(file.incomplete).toBe("by-power");
      file.close();
    }
    const file = openAt(crashed, { boot: "another" });
    file.commit([gone("store:incomplete")], "process");
    file.close();
    const last = openAt(crashed, { boot: "another" });
    expect(last.incomplete).toBe("no");
    last.close();
  });
});

describe("a folder that is not sound", () => {
  const kept = (folder: Folder, change?: (file: StoreFile) => void) => {
    const file = folder.open();
    file.commit([put("a", "1"), put("b", "2")], "process");
    change?.(file);
    file.close();
  };
  const inDatabase = (folder: Folder, act: (database: DatabaseSync) => void) => {
    const database = new DatabaseSync(join(folder.path, "data.db"));
    act(database);
    database.close();
  };

  it("of a newer version: says so, and changes nothing", () => {
    using folder = createFolder();
    kept(folder);
    inDatabase(folder, (database) => {
      const [head] = database.prepare("SELECT number AS 'commit', rows, sum FROM head").all();
      const { commit, rows, sum } = head as { commit: number; rows: number; sum: number };
      database.prepare("UPDATE head SET format = 7, checksum = ?").run(headChecksum({ format: 7, commit, rows, sum }));
    });
    const before = filesOf(folder.path);
    const { kind, message } = refusalOf(() => folder.open({ acceptLoss: true }));
    expect([kind, message]).toEqual(["newer", expect.stringMatching(/newer version \(format 7, .*start that version/)]);
    expect(filesOf(folder.path)).toEqual(before);
  });

  const damages: readonly [string, (folder: Folder) => void, RegExp][] = [
    [
      "a record was changed",
      (f) => inDatabase(f, (db) => db.exec(`UPDATE record SET body = '9' WHERE key = 'a'`)),
      /the record a does not match/,
    ],
    [
      "a record was removed",
      (f) => inDatabase(f, (db) => db.exec(`DELETE FROM record WHERE key = 'a'`)),
      /do not add up/,
    ],
    [
      "the head was changed",
      (f) => inDatabase(f, (db) => db.exec("UPDATE head SET number = 1")),
      /its head does not match/,
    ],
    [
      "the format was changed",
      (f) => inDatabase(f, (db) => db.exec("UPDATE head SET format = 9")),
      /its head does not match/,
    ],
    ["the head is gone", (f) => inDatabase(f, (db) => db.exec("DELETE FROM head")), /its head does not match/],
    ["another program's", (f) => inDatabase(f, (db) => db.exec("DROP TABLE head")), /none of this program/],
    [
      "no database",
      (f) => writeFileSync(join(f.path, "data.db"), "x".repeat(9_000)),
      /cannot be read \(file is not a database\)/,
    ],
    ["a short database", (f) => truncateSync(join(f.path, "data.db"), 5_000), /cannot be read|unsound|do not add up/],
    ["an empty database", (f) => truncateSync(join(f.path, "data.db"), 0), /its database is empty/],
    ["the database is gone", (f) => rmSync(join(f.path, "data.db")), /its database \(data.db\) is gone/],
    ["the mark is gone", (f) => rmSync(join(f.path, "mark")), /its high-water mark \(mark\) is gone/],
    ["the mark is noise", (f) => writeFileSync(join(f.path, "mark"), "y".repeat(512)), /mark\) cannot be read/],
  ];
  it.each(damages)("%s: says so, changes nothing, and says what to do", (_, damage, words) => {
    using folder = createFolder();
    kept(folder);
    damage(folder);
    const before = filesOf(folder.path);
    const { kind, message } = refusalOf(() => folder.open());
    expect([kind, message]).toEqual(["damaged", expect.stringMatching(words)]);
    expect(message).toContain(folder.path);
    expect(message).toMatch(/Put a backup of the whole folder in its place; or start once with --accept-loss/);
    expect(filesOf(folder.path)).toEqual(before);
    const file = folder.open({ acceptLoss: true });
    expect(file.incomplete).toBe("by-damage");
    for (const [key, body] of Object.entries(contentsOf(file))) expect({ a: "1", b: "2" }).toHaveProperty(key, body);
    file.close();
    for (const name of Object.keys(before).filter((each) => each === "data.db" || each === "mark")) {
      expect(hashOf(readFileSync(join(folder.path, `${name}.damaged-1`)))).toBe(before[name]);
    }
    const again = folder.open();
    expect(again.incomplete).toBe("by-damage");
    again.close();
  });

  const needed: readonly [string, (database: Buffer) => void, RegExp][] = [
    [
      "a definition was changed",
      (database) => database.write("q", database.indexOf("CHECK (id = 1)") + "CHECK (id = ".length),
      /its tables are not as they were defined/,
    ],
    ["the version that may write was changed", (database) => database.writeUInt8(3, 18), /another SQLite/],
  ];
  it.each(needed)("%s, which only a write would find: its log stays a log", (_, damage, words) => {
    using folder = createFolder();
    kept(folder);
    const file = folder.open();
    file.commit([put("a", "2")], "disk");
    const crashed = folder.crashed();
    file.close();
    const bytes = readFileSync(join(crashed, "data.db"));
    damage(bytes);
    writeFileSync(join(crashed, "data.db"), bytes);
    const before = filesOf(crashed);
    expect(refusalOf(() => openAt(crashed)).message).toMatch(words);
    expect(filesOf(crashed)).toEqual(before);
  });

  it("of which only the log is left keeps that", () => {
    using folder = createFolder();
    const file = folder.open();
    file.commit([put("a", "1")], "disk");
    const crashed = folder.crashed();
    file.close();
    truncateSync(join(crashed, "data.db"), 0);
    for (const mark of [true, false]) {
      if (!mark) rmSync(join(crashed, "mark"));
      const before = filesOf(crashed);
      expect(refusalOf(() => openAt(crashed)).message).toMatch(/its database is empty/);
      expect(filesOf(crashed)).toEqual(before);
    }
  });

  it("keeps every record that is as it was written, of which another is not", () => {
    using folder = createFolder();
    kept(folder);
    inDatabase(folder, (database) => database.exec(`UPDATE record SET body = '9' WHERE key = 'a'`));
    const file = folder.open({ acceptLoss: true });
    expect(contentsOf(file)).toEqual({ b: "2" });
    file.close();
  });

  it("sets aside as often as it has to, and loses nothing of the times before", () => {
    using folder = createFolder();
    kept(folder);
    for (let time = 1; time <= 3; time += 1) {
      writeFileSync(join(folder.path, "mark"), `${time}`.repeat(512));
      folder.open({ acceptLoss: true }).close();
      expect(readFileSync(join(folder.path, `mark.damaged-${time}`), "utf8")).toBe(`${time}`.repeat(512));
    }
  });

  const unusables: readonly [string, (path: string) => string][] = [
    ["a file", (path) => made(path, () => writeFileSync(path, ""))],
    [
      "below a file",
      (path) =>
        join(
          made(path, () => writeFileSync(path, "")),
          "data",
        ),
    ],
    ["where no file can be made", () => "/sys/backpressure"],
    ["one in which no file can be made", () => "/sys/kernel"],
    [
      "one whose database is a folder",
      (path) => made(path, () => mkdirSync(join(path, "data.db"), { recursive: true })),
    ],
  ];
  it.each(unusables)("%s: says that it cannot be used, and never calls that damage", (_, make) => {
    using folder = createFolder();
    const path = make(folder.path);
    for (const acceptLoss of [false, true]) {
      const { kind, message } = refusalOf(() => openAt(path, { acceptLoss }));
      expect([kind, message]).toEqual([
        "unusable",
        expect.stringContaining(`the data folder ${path} cannot be used: E`),
      ]);
    }
  });
});

describe("the mark", () => {
  it("is as good as before when one of its slots is torn, and damaged when both are", () => {
    using folder = createFolder();
    const file = folder.open();
    for (let n = 0; n < 5; n += 1) file.commit([put("a", `${n}`)], "process");
    for (const torn of [[0], [1], [0, 1]]) {
      const copy = folder.crashed();
      const mark = readFileSync(join(copy, "mark"));
      for (const slot of torn) mark.fill("?", slot * 256 + 100, slot * 256 + 200);
      writeFileSync(join(copy, "mark"), mark);
      if (torn.length === 2) {
        expect(refusalOf(() => openAt(copy)).message).toMatch(/its high-water mark \(mark\) cannot be read/);
        continue;
      }
      let again = openAt(copy);
      expect(contentsOf(again)).toEqual({ a: "4" });
      again.commit([put("a", "5")], "process");
      again.close();
      again = openAt(copy);
      expect(contentsOf(again)).toEqual({ a: "5" });
      again.close();
    }
    file.close();
  });

  it("tells when the log has lost its end, unless the machine has been booted anew and it need not have been on disk", () => {
    using folder = createFolder();
    // At a later start, too.
    for (let start = 0; start < 3; start += 1) folder.open().close();
    const file = folder.open();
    file.commit([put("a", "1")], "disk");
    const before = readFileSync(join(folder.path, "data.db-wal")).length;
    file.commit([put("a", "2")], "process");
    const cut = (at: number) => {
      const copy = folder.crashed();
      truncateSync(join(copy, "data.db-wal"), at);
      return copy;
    };
    expect(refusalOf(() => openAt(cut(before))).message).toMatch(/the last 1 of its 6 commits are missing/);
    const booted = openAt(cut(before), { boot: "another" });
    expect([contentsOf(booted), booted.incomplete]).toEqual([{ a: "1" }, "by-power"]);
    booted.close();
    const lost = refusalOf(() => openAt(cut(before - 1), { boot: "another" }));
    expect(lost.message).toMatch(/the last 2 of its 6 commits are missing/);
    file.close();
  });

  it("is the latest from the first commit of a start on", () => {
    using folder = createFolder();
    folder.open().close();
    const file = folder.open();
    const crashed = folder.crashed();
    truncateSync(join(crashed, "data.db-wal"), 0);
    expect(refusalOf(() => openAt(crashed)).message).toMatch(/the last 1 of its 2 commits are missing/);
    file.close();
  });

  it("is on disk before anything is committed: a first start that is cut short is one that never was", () => {
    using folder = createFolder();
    folder.open().close();
    // As it stands after the tables are made, and before the first commit.
    inFresh(folder.path, 0);
    const file = folder.open();
    expect([contentsOf(file), file.incomplete]).toEqual([{}, "no"]);
    file.close();
  });

  it("is missed even where a first start seems to have been cut short", () => {
    using folder = createFolder();
    const kept = folder.open();
    kept.commit([put("a", "1")], "disk");
    kept.close();
    rmSync(join(folder.path, "mark"));
    writeFileSync(join(folder.path, "data.db-journal"), "");
    for (const _ of [1, 2])
      expect(refusalOf(() => folder.open()).message).toMatch(/its high-water mark \(mark\) is gone/);
  });

  it("may be cut short before the database has its log: what SQLite has begun is taken back", () => {
    using folder = createFolder();
    mkdirSync(folder.path);
    const database = new DatabaseSync(join(folder.path, "data.db"));
    // So small a cache writes before the end.
    database.exec("PRAGMA cache_size = 2; BEGIN; CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(100000))");
    const crashed = folder.crashed();
    database.close();
    expect(readFileSync(join(crashed, "data.db-journal")).length).toBeGreaterThan(0);
    expect(readFileSync(join(crashed, "data.db")).length).toBeGreaterThan(0);
    const file = openAt(crashed);
    expect([contentsOf(file), file.incomplete]).toEqual([{}, "no"]);
    file.close();
  });
});

/** A database that was begun and has no commit, with the mark that goes before that. */
function inFresh(path: string, commit: number): void {
  rmSync(join(path, "mark"));
  const database = new DatabaseSync(join(path, "data.db"));
  const checksum = headChecksum({ format: FORMAT, commit, rows: 0, sum: 0 });
  database.prepare("UPDATE head SET number = ?, rows = 0, sum = 0, checksum = ?").run(commit, checksum);
  database.close();
}

function made(path: string, make: () => void): string {
  make();
  return path;
}

function caught(act: () => void): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

/** What all files hold, but the lock's note; an empty log is none. */
function filesOf(path: string): Record<string, string> {
  const files: Record<string, string> = {};
  for (const name of readdirSync(path)) {
    const bytes = readFileSync(join(path, name));
    if (name !== "owner.json" && bytes.length > 0) files[name] = hashOf(bytes);
  }
  return files;
}

function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
