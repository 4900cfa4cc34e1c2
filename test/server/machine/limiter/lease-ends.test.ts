import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EndTable } from "../../../../src/server/machine/limiter/lease-ends.ts";
import type { LeaseEnd } from "../../../../src/server/machine/limiter/outcomes.ts";

const end = fc.constantFrom<LeaseEnd>("released", "cancelled", "expired", "revoked", "deleted");
/** Few enough to come twice, of the kind that callers choose and of the kind that the server makes. */
const id = fc.oneof(
  fc.integer({ min: 0, max: 200 }).map((number) => `lease-${number}`),
  fc.string({ minLength: 20, maxLength: 20 }),
);

describe("the table of ends", () => {
  it("says what a map would say", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(id, end), { maxLength: 400 }), fc.array(id), (pairs, asked) => {
        const table = new EndTable();
        const map = new Map<string, LeaseEnd>();
        for (const [key, value] of pairs) {
          table.set(key, value);
          map.set(key, value);
        }
        expect(table.size).toBe(map.size);
        for (const key of [...map.keys(), ...asked]) expect(table.get(key)).toBe(map.get(key));
      }),
    );
  });

  it("tells 300,000 ids that differ little from one another, and from as many others", () => {
    const table = new EndTable();
    for (let i = 0; i < 300_000; i += 1) table.set(`lease-${i}`, i % 2 === 0 ? "released" : "expired");
    expect(table.size).toBe(300_000);
    let wrong = 0;
    for (let i = 0; i < 300_000; i += 1) {
      if (table.get(`lease-${i}`) !== (i % 2 === 0 ? "released" : "expired")) wrong += 1;
      if (table.get(`lease-${i + 300_000}`) !== undefined) wrong += 1;
    }
    expect(wrong).toBe(0);
  });
});
