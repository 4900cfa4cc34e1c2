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

it.each([
  [1_999, 0],
  [2_000, 1],
])("a log of %i pages is written %i times", (pages, times) => {
  const { checkpoint, written } = createDatabase(pages);
  expect([checkpoint(), written()]).toEqual([undefined, times]);
});

it.each([
  ["there is no room for the database", 13],
  ["a write of the database fails", 778],
])("loses nothing and is told: %s", (_, errcode) => {
  expect(createDatabase(2_000, errcode).checkpoint()).toBe("disk trouble");
});

it.each([
  ["an fsync fails, maybe that of the log", 1_034],
  ["the log cannot be read", 266],
  ["the database is no database any more", 11],
])("is not gone on from: %s", (_, errcode) => {
  expect(createDatabase(2_000, errcode).checkpoint).toThrow("disk trouble");
});
