import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hash } from "../../../../src/server/machine/structures/hash.ts";
import { ObjectTable } from "../../../../src/server/machine/structures/object-table.ts";

interface Item {
  readonly key: string;
}

const KEYS = Array.from({ length: 40 }, (_, i) => `key ${i}`);
const operation = fc.record({
  kind: fc.constantFrom("add" as const, "delete" as const),
  key: fc.constantFrom(...KEYS),
});

/** `hashOf`: the fewer values it has, the more objects want the same place. */
function agreesWithAMap(hashOf: (key: string) => number): void {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
      const table = new ObjectTable<Item, string>({ keyOf: ({ key }) => key, hash: hashOf });
      const model = new Map<string, Item>();
      for (const { kind, key } of operations) {
        if (kind === "add") {
          const item = { key };
          table.add(item);
          model.set(key, item);
        } else {
          // Another object of the same key is not the one that is in.
          table.delete({ key });
          const item = model.get(key);
          if (item !== undefined) table.delete(item);
          model.delete(key);
        }
        expect(table.size).toBe(model.size);
        expect(KEYS.filter((each) => table.get(each) !== model.get(each))).toEqual([]);
      }
      expect(new Set(table.values())).toEqual(new Set(model.values()));
    }),
    { numRuns: 300 },
  );
}

describe("the object table", () => {
  it("has each object under its key, however they come and go", () => {
    agreesWithAMap(hash);
  });

  it("keeps apart objects that want the same place", () => {
    agreesWithAMap((key) => key.length);
    agreesWithAMap(() => 7);
  });
});
