import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Due, IndexedHeap } from "../../../../src/server/machine/structures/indexed-heap.ts";

interface Item extends Due {
  readonly id: number;
}

const ITEMS = 24;
const item = fc.integer({ min: 0, max: ITEMS - 1 });
const dueAt = fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 1e15 }));
const operation = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("set" as const), item, dueAt }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("clear" as const), item }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("take" as const), now: dueAt }) },
);

describe("deadlines", () => {
  it("give the earliest first, like a sorted array, whatever is set, moved, cleared and taken", () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
        const items = Array.from({ length: ITEMS }, (_, id): Item => ({ id, dueAt: 0, heapIndex: -1 }));
        const deadlines = new IndexedHeap<Item>();
        const model = new Map<Item, number>();
        const earliest = () => Math.min(Number.POSITIVE_INFINITY, ...model.values());
        for (const op of operations) {
          if (op.kind === "set") {
            deadlines.set(items[op.item] as Item, op.dueAt);
            model.set(items[op.item] as Item, op.dueAt);
          } else if (op.kind === "clear") {
            deadlines.clear(items[op.item] as Item);
            model.delete(items[op.item] as Item);
          } else {
            const expected = earliest();
            const taken = deadlines.takeDue(op.now);
            // Which of several that fall due at once comes first is left open.
            expect(taken && model.get(taken)).toBe(expected <= op.now ? expected : undefined);
            if (taken) model.delete(taken);
          }
          expect(deadlines.size).toBe(model.size);
          expect(deadlines.earliest).toBe(earliest());
          expect(deadlines.first?.dueAt ?? Number.POSITIVE_INFINITY).toBe(earliest());
          expect(new Set(deadlines.items())).toEqual(new Set(model.keys()));
          for (const each of items) {
            expect(each.heapIndex !== -1).toBe(model.has(each));
            if (model.has(each)) expect(each.dueAt).toBe(model.get(each));
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it("cost O(log n): no operation looks at more than a few of 100,000", () => {
    let looks = 0;
    class Counted implements Due {
      heapIndex = -1;
      #dueAt = 0;
      get dueAt() {
        looks += 1;
        return this.#dueAt;
      }
      set dueAt(value: number) {
        this.#dueAt = value;
      }
    }
    const size = 100_000;
    const deadlines = new IndexedHeap<Counted>();
    const items = Array.from({ length: size }, () => new Counted());
    for (const [index, each] of items.entries()) deadlines.set(each, (index * 7919) % size);
    const most = 4 * Math.ceil(Math.log2(size));
    const costOf = (act: () => void) => {
      looks = 0;
      act();
      return looks;
    };
    for (const [index, each] of items.entries()) {
      if (index % 97 !== 0) continue;
      // To the front, to the back, out and in: the farthest ways.
      expect(costOf(() => deadlines.set(each, -1))).toBeLessThan(most);
      expect(costOf(() => deadlines.set(each, size))).toBeLessThan(most);
      expect(costOf(() => deadlines.clear(each))).toBeLessThan(most);
      expect(costOf(() => deadlines.set(each, -1))).toBeLessThan(most);
      expect(costOf(() => deadlines.takeDue(0))).toBeLessThan(most);
      expect(costOf(() => deadlines.earliest)).toBeLessThan(3);
    }
  });
});
