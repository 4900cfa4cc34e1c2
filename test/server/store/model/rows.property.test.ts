/** What a row, the head and the mark are held against: whatever is flipped or torn is found. */

import { mkdtempDisposableSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { headChecksum, rowChecksum } from "../../../../src/server/store/sqlite/checksum.ts";
import { type Mark, openMark } from "../../../../src/server/store/sqlite/mark.ts";
import { createFolder, openAt, refusalOf } from "../support/folder.ts";

const count = fc.maxSafeNat();
/** Without the letter that parts key, number and body. */
const key = fc.string({ minLength: 1, maxLength: 40 }).map((text) => text.replaceAll("\0", " "));
const body = fc.string({ unit: "grapheme", maxLength: 200 });

/** The text with one bit of one of its bytes the other way round. */
function flipped(text: string, where: number): string {
  const bytes = Buffer.from(text, "latin1");
  const at = where % (bytes.length * 8);
  bytes.writeUInt8(bytes.readUInt8(at >> 3) ^ (1 << (at & 7)), at >> 3);
  return bytes.toString("latin1");
}

describe("a checksum", () => {
  it("of a row tells any bit that is flipped in its body, its key or its number", () => {
    const ascii = fc.string({ minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(key, count, ascii, fc.nat(), (name, number, text, where) => {
        const checksum = rowChecksum(name, number, text);
        expect(rowChecksum(name, number, flipped(text, where))).not.toBe(checksum);
        expect(rowChecksum(flipped(name, where), number, text)).not.toBe(checksum);
        expect(rowChecksum(name, number + 1, text)).not.toBe(checksum);
        expect(rowChecksum(name, number, text)).toBe(checksum);
      }),
      { numRuns: 1_000 },
    );
  });

  it("of the head tells any of its numbers that is another by one", () => {
    const head = fc.record({ format: fc.nat({ max: 100 }), commit: count, rows: fc.nat(), sum: count });
    fc.assert(
      fc.property(head, fc.constantFrom("format", "commit", "rows", "sum"), (whole, field) => {
        const other = { ...whole, [field]: whole[field as keyof typeof whole] + 1 };
        expect(headChecksum(other)).not.toBe(headChecksum(whole));
      }),
      { numRuns: 1_000 },
    );
  });
});

it("a row of which any byte is changed in the database is refused, by its key", () => {
  using folder = createFolder();
  const rows = fc.uniqueArray(fc.record({ key, body }), { minLength: 1, maxLength: 5, selector: (row) => row.key });
  fc.assert(
    fc.property(rows, fc.nat(), fc.constantFrom("body", "number", "checksum"), (kept, which, column) => {
      const file = folder.open();
      file.commit(kept, "process");
      const path = folder.crashed();
      file.commit(
        kept.map((row) => ({ key: row.key, body: undefined })),
        "process",
      );
      file.close();
      const { key: name } = kept[which % kept.length] as { key: string };
      const database = new DatabaseSync(join(path, "data.db"));
      const change = column === "body" ? "body || 'x'" : `${column} + 1`;
      database.prepare(`UPDATE record SET ${column} = ${change} WHERE key = ?`).run(name);
      database.close();
      const { kind, message } = refusalOf(() => openAt(path));
      expect(kind).toBe("damaged");
      expect(message).toContain("does not match its checksum");
    }),
    { numRuns: 40 },
  );
});

describe("the mark", () => {
  const mark: fc.Arbitrary<Mark> = fc.record({
    commit: count,
    onDisk: count,
    boot: fc.constantFrom("", "8fd9a0ac-6cd0-45ae-a86b-6e4d6e5e2d4b"),
    leases: fc.constantFrom("none", "process", "disk"),
    closed: fc.boolean(),
  });
  const marks = fc.array(mark, { minLength: 1, maxLength: 6 });
  const open = (path: string) => openMark(path, (what) => new Error(what));

  function readAt(path: string): Mark | undefined {
    const file = open(path);
    try {
      const found = file.read();
      if (found === undefined) return undefined;
      const { commit, onDisk, boot, leases, closed } = found;
      return { commit, onDisk, boot, leases, closed };
    } finally {
      file.close();
    }
  }

  function writeAll(path: string, all: readonly Mark[]): void {
    const file = open(path);
    file.read();
    for (const one of all) file.write(one);
    file.close();
  }

  it("is the last that was written, in whatever number of runs", () => {
    using scratch = mkdtempDisposableSync(join(tmpdir(), "backpressure-mark-"));
    let runs = 0;
    fc.assert(
      fc.property(fc.array(marks, { minLength: 1, maxLength: 4 }), (all) => {
        const path = join(scratch.path, `mark-${runs++}`);
        for (const run of all) {
          writeAll(path, run);
          expect(readAt(path)).toEqual(run.at(-1));
        }
      }),
    );
  });

  it("whose last write is torn at any byte is that one or the one before", () => {
    using scratch = mkdtempDisposableSync(join(tmpdir(), "backpressure-mark-"));
    let runs = 0;
    fc.assert(
      fc.property(fc.array(mark, { minLength: 2, maxLength: 5 }), fc.nat({ max: 256 }), (all, torn) => {
        const path = join(scratch.path, `mark-${runs++}`);
        writeAll(path, all.slice(0, -1));
        const before = readFileSync(path);
        writeAll(path, all.slice(-1));
        const after = readFileSync(path);
        // The one slot in which they differ, up to where it was torn.
        const slot = (all.length % 2) * 256;
        const half = Buffer.alloc(Math.max(before.length, after.length));
        before.copy(half);
        after.copy(half, slot, slot, slot + torn);
        writeFileSync(path, half);
        expect([all.at(-1), all.at(-2)]).toContainEqual(readAt(path));
      }),
    );
  });
});
