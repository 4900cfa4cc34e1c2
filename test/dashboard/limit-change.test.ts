import { expect, test } from "vitest";
import type { Limiter } from "../../src/client/api/limiter.ts";
import { changesOf, fieldsOf, type LimitFields, previewOf } from "../../src/dashboard/model/limit-change.ts";
import { limiterOf } from "./support/limiter.ts";

function preview(limiter: Limiter, typed: Partial<LimitFields>): readonly string[] {
  return previewOf(limiter, changesOf(limiter, { ...fieldsOf(limiter), ...typed }));
}

const BUSY = limiterOf(
  { maxConcurrent: 10, burstSize: 5, rate: { tokens: 10, per: 60_000 } },
  { permitsInUse: 8, waiters: 3 },
);

test.each<[string, Partial<LimitFields>, readonly string[]]>([
  ["nothing", {}, []],
  [
    "a limit below what is in use",
    { maxConcurrent: "6" },
    [
      "8 permits in use stay so, and nothing is granted until 3 have come back.",
      "Waiters that ask for more than 6 permits at once are refused.",
    ],
  ],
  [
    "a limit with room",
    { maxConcurrent: "12" },
    ["8 of 12 permits will be in use, and up to 3 of 3 waiters are granted at once."],
  ],
  ["just what is in use", { maxConcurrent: "8" }, ["8 of 8 permits will be in use."]],
  [
    "no concurrency limit",
    { maxConcurrent: "" },
    ["There is no concurrency limit any more: the 3 that wait are granted as the rate allows."],
  ],
  ["another rate", { rate: "50/s" }, ["From the next grant on tokens come in at 50/s."]],
  [
    "another rate and burst",
    { rate: "50/s", burstSize: "9" },
    ["From the next grant on tokens come in at 50/s, with bursts of 9 tokens."],
  ],
  ["no rate", { rate: "" }, ["There is no rate limit any more: the 3 that wait are granted as permits allow."]],
  ["a burst", { burstSize: "" }, ["Bursts are what 50 ms bring, at least one token."]],
  [
    "a shorter queue",
    { maxWaiters: "2" },
    ["At most 2 wait at once: those 3 that wait stay, and no other joins them."],
  ],
  ["no queue", { maxWaiters: "0" }, ["Requests do not wait any more."]],
])("says before what will come of a change: %s", (_what, typed, words) => {
  const all = preview(BUSY, typed);
  expect(all).toEqual(words);
});

test("of a keyed limiter it speaks of each key", () => {
  const keyed = limiterOf({ keyed: true, maxConcurrent: 3 }, { permitsInUse: 30, permitsLimit: 45 });
  expect(preview(keyed, { maxConcurrent: "2" })).toEqual(["Each key has 2 permits instead of 3; what runs stays."]);
});

test.each<[Partial<LimitFields>, RegExp]>([
  [{ rate: "50" }, /^The rate must be an amount per period.*write 50\/s/],
  [{ maxConcurrent: "0" }, /^The concurrency limit must be a whole number, 1 or more; it is 0\.$/],
  [{ burstSize: "2.5" }, /^The burst must be a whole number/],
  [{ maxWaiters: "-1" }, /^The bound of the queue must be a whole number, 0 or more/],
])("refuses what cannot be read: %j", (typed, words) => {
  expect(() => preview(BUSY, typed)).toThrow(words);
});

test("only what was typed anew is sent, and an emptied field goes back to its default", () => {
  expect(changesOf(BUSY, { ...fieldsOf(BUSY), rate: " 5/s ", burstSize: "" })).toEqual({
    rate: "5/s",
    burstSize: null,
  });
});
