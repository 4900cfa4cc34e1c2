/** The control of `power-loss.test.ts`: with any one of its guards taken out the same harness must fail. */

import { beforeEach, expect, it, vi } from "vitest";
import { createDice } from "../server/machine/dice.ts";
import { anyHarm, createWard, everyBitOfSchema, everyBoundary } from "./support/power-loss/harm.ts";
import { buildScenes } from "./support/power-loss/scenes.ts";

const without = vi.hoisted(() => ({ rowChecksums: false, sums: false, schema: false, mark: false }));

vi.mock("../../src/server/store/sqlite/checksum.ts", async (importOriginal) => {
  const original = await importOriginal<typeof import("../../src/server/store/sqlite/checksum.ts")>();
  return {
    headChecksum: original.headChecksum,
    rowChecksum: (...row: Parameters<typeof original.rowChecksum>) =>
      without.rowChecksums ? 1 : original.rowChecksum(...row),
  };
});

vi.mock("../../src/server/store/sqlite/contents.ts", async (importOriginal) => {
  const original = await importOriginal<typeof import("../../src/server/store/sqlite/contents.ts")>();
  return {
    ...original,
    readContents(...[database, folder, head, taker]: Parameters<typeof original.readContents>) {
      if (!without.sums) return original.readContents(database, folder, head, taker);
      // As many and as much as happen to be there.
      const rows = database.prepare("SELECT checksum FROM record").all() as { checksum: number }[];
      const sum = rows.reduce((all, { checksum }) => all + checksum, 0);
      const contents = original.readContents(
        database,
        folder,
        { ...head, commit: Infinity, rows: rows.length, sum },
        taker,
      );
      return { ...contents, head };
    },
  };
});

vi.mock("../../src/server/store/sqlite/schema.ts", async (importOriginal) => {
  const original = await importOriginal<typeof import("../../src/server/store/sqlite/schema.ts")>();
  return {
    ...original,
    assertSchema(...given: Parameters<typeof original.assertSchema>) {
      if (!without.schema) original.assertSchema(...given);
    },
  };
});

vi.mock("../../src/server/store/sqlite/mark.ts", async (importOriginal) => {
  const original = await importOriginal<typeof import("../../src/server/store/sqlite/mark.ts")>();
  return {
    openMark(...given: Parameters<typeof original.openMark>) {
      const file = original.openMark(...given);
      const read = () => {
        const mark = file.read();
        return mark && without.mark ? { ...mark, commit: 1, onDisk: 1 } : mark;
      };
      return { ...file, read };
    },
  };
});

const SEED = 20_261_125;

beforeEach(() => {
  Object.assign(without, { rowChecksums: false, sums: false, schema: false, mark: false });
});

/** What the harness finds, if anything. */
function breach(): string | undefined {
  const dice = createDice(SEED);
  const scenes = buildScenes(SEED);
  using ward = createWard();
  const flips = Array.from({ length: 2_000 }, () => anyHarm(scenes, "flip", dice));
  for (const harm of [...everyBoundary(scenes), ...flips, ...everyBitOfSchema(scenes)]) {
    try {
      ward.tryOut(harm, { thorough: false });
    } catch (error) {
      return (error as Error).message;
    }
  }
  return undefined;
}

it("finds nothing where nothing is taken out", { timeout: 120_000 }, () => {
  expect(breach()).toBeUndefined();
});

it("finds a record that was never so, without the records' checksums", { timeout: 120_000 }, () => {
  without.rowChecksums = true;
  expect(breach()).toMatch(/flip data.db.*never was so/);
});

it("finds a mixture of old and new records, without the head's sums", { timeout: 120_000 }, () => {
  without.sums = true;
  expect(breach()).toMatch(/data.db-wal at .*never was so/);
});

it("finds a refused folder that was changed, where the definitions are not looked at", { timeout: 120_000 }, () => {
  without.schema = true;
  expect(breach()).toMatch(/flip data.db at .*data.db was changed/);
});

it("finds a lost end that is taken for the end, without the mark", { timeout: 120_000 }, () => {
  without.mark = true;
  expect(breach()).toMatch(/cut data.db-wal.*taken for the last one/);
});
