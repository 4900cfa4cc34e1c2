import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Holders } from "../../../../src/server/machine/limiter/holders.ts";

const permitsOf = (holders: Holders) => holders.groups.reduce((sum, { permits }) => sum + permits, 0);

describe("the holders of an instance", () => {
  it("are as many as were added and not taken out, in groups that are bounded, with ages at most a quarter too short", () => {
    const act = fc.record({ pass: fc.nat({ max: 5_000_000 }), permits: fc.integer({ min: 1, max: 9 }), end: fc.nat() });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 600 }), (acts) => {
        const holders = new Holders();
        const held: { at: number; permits: number }[] = [];
        let now = -1_000_000;
        for (const { pass, permits, end } of acts) {
          now += pass;
          holders.add(now, permits);
          held.push({ at: now, permits });
          if (end % 3 === 0) {
            const [gone] = held.splice(end % held.length, 1);
            if (gone) holders.remove(gone.at, gone.permits);
          }
          expect(permitsOf(holders)).toBe(held.reduce((sum, one) => sum + one.permits, 0));
          expect(holders.groups.length).toBeLessThanOrEqual(129);
        }
        const ends = holders.groups.map(({ to }) => to);
        expect(ends).toEqual(ends.toSorted((a, b) => a - b));
        for (const { at } of held) {
          const group = holders.groups.findLast(({ from }) => from <= at);
          if (group === undefined) throw new Error("a grant is in no group");
          const age = now - at;
          expect(now - group.to).toBeLessThanOrEqual(age);
          expect(now - group.to).toBeGreaterThanOrEqual((age - 250) / 1.25 - 1);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("takes nothing out for permits that were never added", () => {
    const holders = new Holders();
    holders.remove(5, 1);
    holders.add(1_000, 2);
    holders.add(2_000, 1);
    holders.remove(10, 7);
    holders.remove(2_000, 3);
    holders.remove(10, 1);
    expect(permitsOf(holders)).toBe(0);
    holders.add(3_000, 4);
    expect(permitsOf(holders)).toBe(4);
  });
});
