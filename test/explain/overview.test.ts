import { describe, expect, it } from "vitest";
import type { Limiter } from "../../src/client/api/limiter.ts";
import { byTrouble, totalsOf, totalsSentence } from "../../src/explain/overview.ts";
import { standingOf } from "../../src/explain/standing.ts";
import { limiterOf, MINUTE, SECOND, standing } from "./builders.ts";

const seen = (limiter: Limiter) => ({ limiter, standing: standingOf(limiter) });

const ALL = [
  limiterOf({ name: "calm" }),
  limiterOf({ name: "also-calm" }),
  limiterOf({ name: "draining", state: "deleting" }),
  limiterOf({ name: "paused", paused: true }),
  limiterOf({ name: "forgotten", paused: true }, { waiters: 2, oldestWaitMs: SECOND }),
  limiterOf({ name: "busy" }, standing(SECOND, { sinceLastGrantMs: 0, waiters: 9 })),
  limiterOf({ name: "full" }, { permitsInUse: 2 }),
  limiterOf({ name: "shedding" }, { arrivalRate: 10, refusalRate: 2 }),
  limiterOf({ name: "stuck" }, standing(MINUTE)),
  limiterOf({ name: "longer-stuck" }, standing(2 * MINUTE)),
].map(seen);

describe("many limiters", () => {
  it("are ordered by trouble, then by the oldest wait, then by name", () => {
    expect(ALL.toSorted(byTrouble).map(({ limiter }) => limiter.name)).toEqual([
      "longer-stuck",
      "stuck",
      "shedding",
      "busy",
      "full",
      "forgotten",
      "paused",
      "draining",
      "also-calm",
      "calm",
    ]);
  });

  it("are summed up: those need an operator that stand, refuse, or are paused while requests wait", () => {
    const totals = totalsOf(ALL);
    expect(totals).toEqual({
      limiters: 10,
      needing: 4,
      waiting: 17,
      holding: 6,
      oldestWaitMs: 2 * MINUTE,
      refusedPerMinute: 120,
    });
    expect(totalsSentence(totals)).toBe("4 of 10 limiters need you.");
  });

  it.each([
    [0, 0, "There are no limiters."],
    [214, 0, "None of 214 limiters needs you."],
    [1, 1, "1 of 1 limiters needs you."],
  ])("%d, of which %d need one", (limiters, needing, words) => {
    expect(totalsSentence({ limiters, needing })).toBe(words);
  });
});
