/** What an operator is told of a queue, and what may be done about it. */

import { describe, expect, it } from "vitest";
import { type Act, actWords } from "../../src/explain/act.ts";
import { type Explanation, explain } from "../../src/explain/explanation.ts";
import type { Sight } from "../../src/explain/sight.ts";
import { leaseOf, limiterOf, MINUTE, NOW, obstacleOf, SECOND, sightOf, standing, waiterOf } from "./builders.ts";

const explained = (of: Sight, ...others: Sight[]): Explanation => explain({ of, others });
const stuckOn = (limiter: string) =>
  limiterOf({ name: "api" }, standing(2 * MINUTE, { obstacles: [obstacleOf(limiter, "CONCURRENCY_EXHAUSTED")] }));

describe("the sentence", () => {
  it.each<[string, Sight, string]>([
    [
      "of a queue behind holders that do not release",
      sightOf(limiterOf({}, standing(12 * MINUTE, { sinceLastGrantMs: 11 * MINUTE }))),
      "Stuck: 3 requests wait, the first for 12m, and nothing has been granted for 11m. db is held back by its holders: 2 of 2 permits are in use, and none is released.",
    ],
    [
      "of one waiter since the server started",
      sightOf(limiterOf({}, standing(12 * MINUTE, { waiters: 1, sinceLastGrantMs: undefined }))),
      "Stuck: 1 request has waited for 12m, and nothing has been granted meanwhile. db is held back by its holders: 2 of 2 permits are in use, and none is released.",
    ],
    [
      "of a key",
      sightOf(
        limiterOf(
          { keyed: true },
          standing(12 * MINUTE, { obstacles: [obstacleOf("db", "CONCURRENCY_EXHAUSTED", "a")] }),
        ),
        { key: "a" },
      ),
      "Stuck: 3 requests wait, the first for 12m, and nothing has been granted for 12m. db[a] is held back by its holders: 2 of 2 permits are in use, and none is released.",
    ],
    [
      "of a queue that moves",
      sightOf(limiterOf({}, standing(5 * SECOND, { sinceLastGrantMs: SECOND, completionRate: 1.5 }))),
      "Full: 3 requests wait, the first for 5s. db is held back by its concurrency limit: 2 of 2 permits are in use, and 1.5 leases a second end.",
    ],
    [
      "of a queue before a rate",
      sightOf(
        limiterOf({}, standing(5 * SECOND, { admissionRate: 10, obstacles: [obstacleOf("db", "RATE_EXHAUSTED")] })),
      ),
      "Full: 3 requests wait, the first for 5s. db is held back by its rate limit, which admits 10 a second.",
    ],
    [
      "of a queue behind another",
      sightOf(stuckOn("gpu")),
      "Stuck: 3 requests wait, the first for 2m, and nothing has been granted for 2m. The first also claims gpu, where no permits are free; it is granted both or neither.",
    ],
    [
      "of permits that are all in use",
      sightOf(limiterOf({}, { permitsInUse: 2 })),
      "Full: all 2 permits of db are in use, and no request waits.",
    ],
    [
      "of refusals",
      sightOf(limiterOf({}, { arrivalRate: 20, refusalRate: 2.5 })),
      "Shedding: db refuses 2.5 of 20 requests a second.",
    ],
    [
      "of refusals and waiters",
      sightOf(limiterOf({}, standing(SECOND, { arrivalRate: 20, refusalRate: 2.5 }))),
      "Shedding: db refuses 2.5 of 20 requests a second. 3 requests wait, the first for 1s. db is held back by its concurrency limit: 2 of 2 permits are in use, and 0 leases a second end.",
    ],
    [
      "of a pause",
      sightOf(limiterOf({ paused: true }, { waiters: 1, leases: 2 })),
      "Paused: an operator has paused db: it grants nothing, and keeps its waiters. 1 waiter, 2 leases held.",
    ],
    [
      "of a server that learns",
      sightOf(limiterOf({}, { waiters: 1, obstacles: [obstacleOf("db", "LEARNING")] })),
      "Paused: the server grants nothing yet: it has been restarted and may not know every lease, so it waits until those must have ended. 1 waiter for db.",
    ],
    [
      "of a deletion",
      sightOf(limiterOf({ state: "deleting" }, { leases: 1 })),
      "Draining: db was deleted: it grants nothing, and goes with the last of its leases (1).",
    ],
    [
      "of nothing",
      sightOf(limiterOf({}, { permitsInUse: 1 })),
      "Calm: no request waits for db, and 1 of 2 permits are in use.",
    ],
    ["of nothing at a rate", sightOf(limiterOf({ maxConcurrent: undefined })), "Calm: no request waits for db."],
  ])("%s", (_, sight, sentence) => {
    expect(explained(sight).sentence).toBe(sentence);
  });
});

describe("a lease that is held unusually long", () => {
  const limiter = (meanHoldTimeMs: number | undefined) => limiterOf({}, standing(2 * MINUTE, { meanHoldTimeMs }));

  it.each([
    ["ten times as long as usual", 2 * SECOND, 20 * SECOND, true],
    ["less than that", 2 * SECOND, 20 * SECOND - 1, false],
    ["for a while that is short, whatever is usual", 10, 10 * SECOND - 1, false],
    ["longer than that", 10, 10 * SECOND, true],
    ["for a minute, where none has ended", undefined, MINUTE, true],
    ["for less, where none has ended", undefined, MINUTE - 1, false],
  ])("is one that is held %s", (_, usual, held, isOverdue) => {
    const { overdue } = explained(sightOf(limiter(usual), { leases: [leaseOf("a", held)] }));
    expect(overdue.map(({ lease }) => lease.id)).toEqual(isOverdue ? ["a"] : []);
  });

  it("is named with its holder, since when, and what is usual; the act is to ask it back", () => {
    const leases = [leaseOf("a", 12 * MINUTE, { holder: "trainer@host-3" }), leaseOf("b", SECOND)];
    const { details, acts } = explained(sightOf(limiter(2_100), { leases }));
    const since = new Date(NOW - 12 * MINUTE).toTimeString().slice(0, 8);
    expect(details).toEqual([
      `trainer@host-3 has held 1 permit for 12m since ${since} (lease a); leases are usually held for 2.1s.`,
    ]);
    expect(acts).toEqual([
      { kind: "revoke", leaseId: "a", holder: "trainer@host-3" },
      { kind: "raise-concurrency", limiter: "db", maxConcurrent: 2 },
    ]);
  });

  it.each([
    [
      "orphaned",
      { state: "orphaned" },
      / Its connection is lost: it ends in 12s unless its holder resumes it\.$/,
      { kind: "wait", ms: 12_000 },
    ],
    [
      "asked back",
      { revoking: true },
      / It was asked back, and ends in 12s at the latest\.$/,
      { kind: "wait", ms: 12_000 },
    ],
    [
      "renewed",
      { state: "detached" },
      / Its holder renews it; without that it ends in 12s\.$/,
      { kind: "revoke", leaseId: "a", holder: "holder of a" },
    ],
  ] as const)("that is %s ends by itself or not", (_, about, words, act) => {
    const expireTime = new Date(NOW + 12 * SECOND);
    const { details, acts } = explained(
      sightOf(limiter(SECOND), { leases: [leaseOf("a", MINUTE, { ...about, expireTime })] }),
    );
    expect(details[0]).toMatch(words);
    expect(acts[0]).toEqual(act);
  });

  it("is none yet where a queue has just come to a standstill: then the longest held is named", () => {
    const limiter = limiterOf({}, standing(15 * SECOND));
    const rate = [{ limiter: "db", key: "", permits: 0, tokens: 1, fencingToken: 1n, slots: [] }];
    const leases = [leaseOf("r", 20 * SECOND, { claims: rate }), leaseOf("a", 15 * SECOND), leaseOf("b", SECOND)];
    const { details } = explained(sightOf(limiter, { leases }));
    expect(details).toEqual(["The longest held is holder of a's, for 15s (lease a)."]);
  });

  it("is named three times at most", () => {
    const leases = ["a", "b", "c", "d", "e"].map((id) => leaseOf(id, 5 * MINUTE));
    const { details, overdue } = explained(sightOf(limiter(SECOND), { leases }));
    expect(overdue).toHaveLength(5);
    expect(details.slice(3)).toEqual(["2 other leases are held unusually long, too."]);
  });

  it("holds permits of what is looked at: a rate alone is held by no lease, and another's lease is not its own", () => {
    const none = [{ limiter: "db", key: "", permits: 0, tokens: 1, fencingToken: 1n, slots: [] }];
    const other = [{ limiter: "gpu", key: "", permits: 1, tokens: 1, fencingToken: 1n, slots: [] }];
    const leases = [leaseOf("a", MINUTE, { claims: none }), leaseOf("b", MINUTE, { claims: other })];
    expect(explained(sightOf(limiter(undefined), { leases })).overdue).toEqual([]);
  });
});

describe("details", () => {
  it("say that a large request waits for what smaller ones would find", () => {
    const limiter = limiterOf({ maxConcurrent: 8 }, standing(SECOND, { permitsInUse: 3, permitsLimit: 8 }));
    const claims = [{ limiter: "db", key: "", permits: 6, tokens: 1, slots: false }];
    const away = waiterOf("gone", { away: true });
    const { details } = explained(sightOf(limiter, { waiters: [away, waiterOf("first", { claims })] }));
    expect(details).toEqual([
      "The first asks for 6 permits at once and 5 are free; no smaller request overtakes it.",
      "1 waiter lost the connection, and keeps its place without blocking others.",
    ]);
  });

  it("say why requests are refused, the most first", () => {
    const refusals = { WAIT_TIMEOUT: 2, QUEUE_FULL: 1200 };
    const limiter = limiterOf({}, { arrivalRate: 1, refusalRate: 1, refusals });
    const { details, acts } = explained(sightOf(limiter));
    expect(details).toEqual(["Refused since the server started: QUEUE_FULL 1,200, WAIT_TIMEOUT 2."]);
    expect(acts).toEqual([{ kind: "lengthen-queue", limiter: "db", maxWaiters: 10_000 }]);
  });
});

describe("what is in the way elsewhere", () => {
  const gpu = (obstacle = obstacleOf("gpu", "CONCURRENCY_EXHAUSTED")) =>
    sightOf(limiterOf({ name: "gpu" }, standing(2 * MINUTE, { obstacles: [obstacle] })));

  it("is explained in its turn", () => {
    const explanation = explained(sightOf(stuckOn("gpu"), { waiters: [waiterOf("w")] }), gpu());
    expect(explanation.behind).toMatchObject({ limiter: "gpu", standing: { cause: { kind: "no-release" } } });
    expect(explanation.acts).toEqual([
      { kind: "look-at", limiter: "gpu", key: "" },
      { kind: "cancel-waiter", waiterId: "w", holder: "holder of w" },
    ]);
  });

  it("is left out where it was not looked at", () => {
    expect(explained(sightOf(stuckOn("gpu"))).behind).toBeUndefined();
  });

  it("ends where two stand in each other's way", () => {
    const api = sightOf(stuckOn("gpu"));
    const { behind } = explained(api, gpu(obstacleOf("api", "WAITERS_AHEAD")));
    expect(behind).toMatchObject({ limiter: "gpu", behind: undefined });
  });
});

it("says of every act what to do", () => {
  const acts: readonly Act[] = [
    { kind: "revoke", leaseId: "a", holder: "" },
    { kind: "wait", ms: 2_000 },
    { kind: "wait", ms: undefined },
    { kind: "resume", limiter: "db" },
    { kind: "raise-concurrency", limiter: "db", maxConcurrent: 2 },
    { kind: "raise-rate", limiter: "db" },
    { kind: "lengthen-queue", limiter: "db", maxWaiters: 5 },
    { kind: "cancel-waiter", waiterId: "w", holder: "me" },
    { kind: "look-at", limiter: "db", key: "a" },
    { kind: "force-delete", limiter: "db" },
  ];
  for (const act of acts) expect(actWords(act)).toMatch(/^[A-Z].*\.$/);
  expect(new Set(acts.map(actWords)).size).toBe(acts.length);
});
