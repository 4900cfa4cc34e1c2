import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GenerationMap } from "../../../../src/server/machine/structures/generation-map.ts";

const KEEP_FOR = 100;
const MAX_ENTRIES = 8;

const operation = fc.record({
  wait: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: 500 })),
  id: fc.integer({ min: 0, max: 30 }),
});

describe.each([{ askedInVain: false }, { askedInVain: true }])(
  "recall, asked in vain: $askedInVain",
  ({ askedInVain }) => {
    it("keeps an entry for its time, unless too many come after it, and never says what is outdated", () => {
      fc.assert(
        fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
          const recall = new GenerationMap<number>({ keepFor: KEEP_FOR, maxEntries: MAX_ENTRIES, askedInVain });
          const log: { id: string; value: number; at: number }[] = [];
          let now = 0;
          for (const [value, { wait, id }] of operations.entries()) {
            now += wait;
            recall.set(`${id}`, value, now);
            log.push({ id: `${id}`, value, at: now });
            for (let each = 0; each <= 30; each++) {
              const last = log.findLastIndex((entry) => entry.id === `${each}`);
              const entry = log[last];
              const got = recall.get(`${each}`);
              if (got !== undefined) expect(got).toBe(entry?.value);
              const owed = entry && now - entry.at < KEEP_FOR && log.length - 1 - last < MAX_ENTRIES;
              if (owed) expect(got).toBe(entry.value);
            }
          }
        }),
        { numRuns: 500 },
      );
    });

    it("keeps at most twice as many as configured", () => {
      fc.assert(
        fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 300 }), (waits) => {
          const recall = new GenerationMap<true>({ keepFor: KEEP_FOR, maxEntries: MAX_ENTRIES, askedInVain });
          let now = 0;
          for (const [id, wait] of waits.entries()) {
            now += wait;
            recall.set(`${id}`, true, now);
          }
          const kept = waits.filter((_, id) => recall.get(`${id}`) !== undefined).length;
          expect(kept).toBeLessThanOrEqual(2 * MAX_ENTRIES);
        }),
      );
    });

    it("forgets what is older than twice its time, once there is something new", () => {
      const recall = new GenerationMap<string>({ keepFor: KEEP_FOR, maxEntries: MAX_ENTRIES, askedInVain });
      recall.set("old", "ended", 0);
      recall.set("middle", "ended", KEEP_FOR);
      recall.set("new", "ended", 2 * KEEP_FOR);
      expect(recall.get("old")).toBeUndefined();
      expect(recall.get("middle")).toBe("ended");
    });
  },
);
