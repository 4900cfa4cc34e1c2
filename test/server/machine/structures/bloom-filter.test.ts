import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BloomFilter } from "../../../../src/server/machine/structures/bloom-filter.ts";
import { GenerationMap } from "../../../../src/server/machine/structures/generation-map.ts";

const operation = fc.oneof(
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("open" as const), ids: fc.integer({ min: 0, max: 2_000 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("close" as const), which: fc.nat() }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("add" as const), which: fc.nat(), id: fc.string() }) },
);

describe("traces", () => {
  it("name every set that has an id, and none that is gone", () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
        const traces = new BloomFilter();
        const sets = new Map<number, Set<string>>();
        const seen = new Set<string>();
        for (const op of operations) {
          if (op.kind === "open") {
            if (sets.size < 32) sets.set(traces.open(op.ids), new Set());
            continue;
          }
          const bit = [...sets.keys()][op.which % Math.max(1, sets.size)];
          if (bit === undefined) continue;
          if (op.kind === "close") {
            traces.close(bit);
            sets.delete(bit);
            continue;
          }
          traces.add(op.id, bit);
          sets.get(bit)?.add(op.id);
          seen.add(op.id);
        }
        for (const id of seen) {
          const named = traces.of(id);
          let open = 0;
          for (const [bit, ids] of sets) {
            if (ids.has(id)) expect(named & bit).not.toBe(0);
            open |= bit;
          }
          expect(named & ~open).toBe(0);
        }
      }),
    );
  });

  it("name few sets for an id that is in none of them, the fewer the longer there are so many", () => {
    const traces = new BloomFilter();
    const bits: number[] = [];
    const fill = (set: number) => {
      const bit = traces.open(12_500 * Math.min(set, 16));
      bits.push(bit);
      for (let i = 0; i < 12_500; i++) traces.add(`request-${set}-${i}`, bit);
    };
    const namedInVain = () => {
      let named = 0;
      for (let i = 0; i < 10_000; i++) named += bitsOf(traces.of(`another-${i}`));
      return named / 10_000;
    };
    for (let set = 0; set < 16; set++) fill(set);
    expect(namedInVain()).toBeLessThan(4);
    for (let set = 16; set < 32; set++) {
      fill(set);
      traces.close(bits.shift() as number);
    }
    expect(namedInVain()).toBeLessThan(1);
  });

  it("tell 32 sets apart, and no more", () => {
    const traces = new BloomFilter();
    const bits = Array.from({ length: 32 }, () => traces.open(0));
    expect(new Set(bits).size).toBe(32);
    expect(() => traces.open(0)).toThrow("32");
    for (const [index, bit] of bits.entries()) traces.add(`${index}`, bit);
    traces.close(bits[31] as number);
    expect(traces.of("31") & (bits[31] as number)).toBe(0);
    expect(traces.open(0)).toBe(bits[31]);
  });

  it.each([1, 14, 15, 16, 29, 450, 3_000])("suffice for all generations of %i that are remembered", (maxEntries) => {
    const keepFor = 1_500;
    const recall = new GenerationMap<number>({ keepFor, maxEntries, askedInVain: true });
    let last = 0;
    let now = 0;
    const set = (count: number) => {
      for (let i = 0; i < count; i++) recall.set(`${++last}`, last, now);
      expect(recall.get(`${last}`)).toBe(last);
    };
    for (let lap = 0; lap < 3; lap++) {
      // As many as age alone closes, then as many as are closed for being full.
      for (let i = 0; i < 30; i++) {
        set(1);
        now += keepFor / 15;
      }
      set(2 * maxEntries);
    }
  });
});

function bitsOf(word: number): number {
  let bits = 0;
  for (let rest = word; rest !== 0; rest &= rest - 1) bits += 1;
  return bits;
}
