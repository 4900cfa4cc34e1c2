import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Slots } from "../../../../src/server/machine/structures/slots.ts";

const operation = fc.oneof(
  fc.record({ kind: fc.constant("take" as const), count: fc.integer({ min: 1, max: 12 }) }),
  fc.record({ kind: fc.constant("give back" as const), which: fc.nat() }),
);

describe("slots", () => {
  it("are the lowest that are free, and no two holders have the same", () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
        const slots = new Slots();
        const taken: (readonly number[])[] = [];
        for (const op of operations) {
          if (op.kind === "take") {
            const used = new Set(taken.flat());
            const expected: number[] = [];
            for (let slot = 0; expected.length < op.count; slot++) if (!used.has(slot)) expected.push(slot);
            const got = slots.take(op.count);
            expect(got).toEqual(expected);
            taken.push(got);
          } else if (taken.length > 0) {
            const [back] = taken.splice(op.which % taken.length, 1);
            slots.giveBack(back ?? []);
          }
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("stay below the limit, though holders without slots come and go beside them and the limit moves", () => {
    const operations = fc.array(
      fc.record({
        kind: fc.constantFrom("hold", "hold with slots", "end", "limit"),
        permits: fc.integer({ min: 1, max: 5 }),
        which: fc.nat(),
      }),
      { maxLength: 200 },
    );
    fc.assert(
      fc.property(operations, (sequence) => {
        const slots = new Slots();
        const holders: { permits: number; slots: number[] }[] = [];
        let limit = 10;
        for (const { kind, permits, which } of sequence) {
          const inUse = holders.reduce((sum, holder) => sum + holder.permits, 0);
          if (kind === "limit") limit = 1 + (which % 20);
          else if (kind === "end" && holders.length > 0) {
            const [holder] = holders.splice(which % holders.length, 1);
            slots.giveBack(holder?.slots ?? []);
          } else if (kind.startsWith("hold") && inUse + permits <= limit) {
            const taken = kind === "hold" ? [] : slots.take(permits);
            expect(taken.every((slot) => slot >= 0 && slot < limit)).toBe(true);
            holders.push({ permits, slots: taken });
          }
        }
      }),
      { numRuns: 1000 },
    );
  });
});
