import { describe, expect, test } from "vitest";
import { clearCounts, createCountMemory, createCounts } from "../../../src/server/shared/counts.ts";
import { SLOTS, slotNameOf, slotOf } from "../../../src/server/shared/named-slots.ts";

describe("counts by name", () => {
  test("hold over all threads in sum, and each by itself", () => {
    const memory = createCountMemory(3);
    const [a, b, c] = [0, 1, 2].map((own) => createCounts(memory, own));
    const [red, blue] = ["red", "blue"].map(slotNameOf) as [
      ReturnType<typeof slotNameOf>,
      ReturnType<typeof slotNameOf>,
    ];
    const taken = [a?.take(red, 3), b?.take(red, 3), c?.take(red, 3)];
    expect(taken.every((one) => one !== undefined)).toBe(true);
    for (const one of [a, b, c]) expect(one?.take(red, 3)).toBeUndefined();
    expect(a?.take(blue, 1)).toBeDefined();
    taken[1]?.();
    expect(c?.take(red, 3)).toBeDefined();
    expect(a?.take(red, 3)).toBeUndefined();
    // The control: threads that share nothing count each for itself.
    const alone = [0, 1].map(() => createCounts(createCountMemory(1), 0));
    expect(alone.map((one) => one.take(red, 1))).toEqual([expect.any(Function), expect.any(Function)]);
  });

  test("of a thread that fails are over, those of others stay", () => {
    const memory = createCountMemory(2);
    const [a, b] = [0, 1].map((own) => createCounts(memory, own));
    const name = slotNameOf("caller");
    const [ofLost] = [a, a, b].map((one) => one?.take(name, 3));
    expect(b?.take(name, 3)).toBeUndefined();
    clearCounts(memory, 0);
    expect(b?.take(name, 2)).toBeDefined();
    expect(b?.take(name, 2)).toBeUndefined();
    // It only hung, and gives back what is counted no more, while another has its place.
    const next = createCounts(memory, 0);
    expect(next.take(name, 3)).toBeDefined();
    ofLost?.();
    expect(next.take(name, 3)).toBeUndefined();
  });

  test("of names at rest make room for others, however many there were", () => {
    const counts = createCounts(createCountMemory(1), 0);
    const kept = slotNameOf("kept");
    counts.take(kept, 1);
    for (let i = 0; i < 3 * SLOTS; i++) counts.take(slotNameOf(`passing ${i}`), 1)?.();
    expect(counts.take(kept, 1)).toBeUndefined();
    expect(counts.take(slotNameOf("new"), 1)).toBeDefined();
  });

  test("share a slot where all slots of a name are busy: never more than one may have", () => {
    const marks = new Int32Array(SLOTS).fill(-1);
    const name = slotNameOf("crowded out");
    expect(slotOf({ ...name, mark: 7 }, marks, () => false)).toBe(name.home);
    expect(marks[name.home]).toBe(-1);
  });
});
