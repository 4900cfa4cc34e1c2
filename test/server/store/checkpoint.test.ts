/** When the log is written into the database, and what comes of it. */

import type { DatabaseSync } from "node:sqlite";
import { expect, it } from "vitest";
import { createCheckpoint } from "../../../src/server/store/sqlite/checkpoint.ts";

/** A database whose log has so many pages, and that cannot be written for this reason. */
function createDatabase(log: number, errcode?: number) {
  let written = 0;
  const write = () => {
    if (errcode !== undefined) throw Object.assign(new Error("disk trouble"), { errcode });
    written += 1;
  };
  const prepare = (sql: string) => ({
    get: () => (sql.includes("NOOP") ? { busy: 0, log, checkpointed: 0 } : write()),
  });
  return { checkpoint: createCheckpoint({ prepare } as unknown as DatabaseSync), written: () => written };
}

/** Small ones. */
const rows = (count: number) => Array.from({ length: count }, (_, index) => ({ key: `${index}`, body: undefined }));

it.each([
  [1_999, 0],
  [2_000, 1],
])("a log of %i pages is written %i times", (pages, times) => {
  const { checkpoint, written } = createDatabase(pages);
  expect([checkpoint(rows(500)), written()]).toEqual([undefined, times]);
});

it.each([
  ["there is no room for the database", 13],
  ["a write of the database fails", 778],
])("loses nothing and is reported: %s", (_, errcode) => {
  expect(createDatabase(2_000, errcode).checkpoint(rows(500))).toBe("disk trouble");
});

it.each([
  ["an fsync fails, maybe that of the log", 1_034],
  ["the log cannot be read", 266],
  ["the database is no database any more", 11],
])("is not gone on from: %s", (_, errcode) => {
  const { checkpoint } = createDatabase(2_000, errcode);
  expect(() => checkpoint(rows(500))).toThrow("disk trouble");
});

it("is looked after once in a megabyte or so, and what was wrong is wrong until it is tried again", () => {
  const database = createDatabase(2_000);
  expect([database.checkpoint(rows(499)), database.written()]).toEqual([undefined, 0]);
  expect([database.checkpoint(rows(1)), database.written()]).toEqual([undefined, 1]);
  expect([database.checkpoint(rows(499)), database.written()]).toEqual([undefined, 1]);
  const large = createDatabase(2_000);
  expect([large.checkpoint([{ key: "a", body: "x".repeat(1_000_000) }]), large.written()]).toEqual([undefined, 1]);
  const { checkpoint } = createDatabase(2_000, 13);
  expect([checkpoint(rows(499)), checkpoint(rows(1)), checkpoint(rows(499))]).toEqual([
    undefined,
    "disk trouble",
    "disk trouble",
  ]);
});
