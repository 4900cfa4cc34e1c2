import { afterEach, describe, expect, it, vi } from "vitest";
import { createSystemClock } from "../../src/server/clock.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

/** Each look at the clock finds the next of these (ms), and at last the last one again and again. */
function lookAt(times: readonly number[]): void {
  let next = 0;
  vi.spyOn(performance, "now").mockImplementation(() => {
    const time = times[Math.min(next, times.length - 1)] as number;
    next += 1;
    return time;
  });
}

describe("schedule", () => {
  it.each([
    { when: "is due", times: [2, 2] },
    { when: "falls due between two looks at the clock", times: [1.4, 2] },
  ])("never calls back from inside the call, not even what $when", async ({ times }) => {
    for (const precise of [true, false]) {
      const clock = createSystemClock();
      lookAt(times);
      let inside = true;
      await new Promise<void>((resolve) => {
        clock.schedule(1_500, precise, () => {
          expect(inside).toBe(false);
          resolve();
        });
        inside = false;
      });
    }
  });

  it.each([true, false])("calls back at its time or later, never before (precise: %s)", async (precise) => {
    const clock = createSystemClock();
    for (const delay of [0, 300, 1_999, 2_000, 3_500]) {
      const at = clock.now() + delay;
      await new Promise<void>((resolve) => {
        clock.schedule(at, precise, resolve);
      });
      expect(clock.now()).toBeGreaterThanOrEqual(at);
    }
  });

  it("does not call back what was called off", async () => {
    const clock = createSystemClock();
    const called: string[] = [];
    for (const precise of [true, false]) {
      for (const delay of [0, 500, 3_000]) clock.schedule(clock.now() + delay, precise, () => called.push("off"))();
    }
    await new Promise<void>((resolve) => {
      clock.schedule(clock.now() + 5_000, false, resolve);
    });
    expect(called).toEqual([]);
  });
});
