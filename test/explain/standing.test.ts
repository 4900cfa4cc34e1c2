/** How a limiter stands, each case beside its nearest neighbour. */

import { describe, expect, it } from "vitest";
import type { Limiter, LimiterStatus } from "../../src/client/api/limiter.ts";
import { type Cause, type State, standingOf } from "../../src/explain/standing.ts";
import { limiterOf, MINUTE, obstacleOf, SECOND, standing } from "./builders.ts";

/** ms. */
const STUCK = 10 * SECOND;

type Case = readonly [
  name: string,
  about: Partial<Limiter>,
  status: Partial<LimiterStatus>,
  state: State,
  cause: Cause,
];

const NOTHING: Cause = { kind: "nothing" };
const RATE: Cause = { kind: "rate" };
const PERMITS: Cause = { kind: "concurrency" };
const NO_RELEASE: Cause = { kind: "no-release" };
const elsewhere = (reason: "CONCURRENCY_EXHAUSTED" | "RATE_EXHAUSTED" | "PAUSED" | "WAITERS_AHEAD"): Cause => ({
  kind: "limiter",
  limiter: "gpu",
  key: "",
  reason,
});
const waitsFor = (...obstacles: LimiterStatus["obstacles"]) => standing(2 * MINUTE, { obstacles });

const CASES: readonly Case[] = [
  ["nothing is asked", {}, {}, "calm", NOTHING],
  ["some permits are in use", {}, { permitsInUse: 1 }, "calm", NOTHING],
  ["all permits are in use", {}, { permitsInUse: 2 }, "full", NOTHING],
  ["more permits than there are now", {}, { permitsInUse: 3 }, "full", NOTHING],
  ["no concurrency limit", { maxConcurrent: undefined }, { permitsLimit: 0 }, "calm", NOTHING],
  ["all permits of the keys in use", { keyed: true }, { permitsInUse: 2, keys: 1 }, "calm", NOTHING],
  ["a waiter that is about to be granted", {}, { waiters: 1, oldestWaitMs: 0, permitsInUse: 1 }, "full", NOTHING],

  ["waiters, and grants go on", {}, standing(STUCK, { sinceLastGrantMs: SECOND }), "full", PERMITS],
  ["waiters for less than ten seconds", {}, standing(STUCK - 1), "full", PERMITS],
  ["waiters for ten seconds, and no grant since", {}, standing(STUCK), "stuck", NO_RELEASE],
  [
    "the same, and a grant a moment less ago",
    {},
    standing(2 * MINUTE, { sinceLastGrantMs: STUCK - 1 }),
    "full",
    PERMITS,
  ],
  ["the same, and no grant since the start", {}, standing(STUCK, { sinceLastGrantMs: undefined }), "stuck", NO_RELEASE],
  [
    "holds of half a minute usually, for less than three",
    {},
    standing(90 * SECOND - 1, { meanHoldTimeMs: 30 * SECOND }),
    "full",
    PERMITS,
  ],
  ["the same for three", {}, standing(90 * SECOND, { meanHoldTimeMs: 30 * SECOND }), "stuck", NO_RELEASE],
  ["holds of a second usually", {}, standing(STUCK - 1, { meanHoldTimeMs: SECOND }), "full", PERMITS],

  ["tokens are missing, however long", {}, waitsFor(obstacleOf("db", "RATE_EXHAUSTED")), "full", RATE],
  [
    "permits and another's tokens are missing",
    {},
    waitsFor(obstacleOf("db", "CONCURRENCY_EXHAUSTED"), obstacleOf("gpu", "RATE_EXHAUSTED")),
    "stuck",
    NO_RELEASE,
  ],
  [
    "another's permits are missing",
    {},
    waitsFor(obstacleOf("gpu", "CONCURRENCY_EXHAUSTED")),
    "stuck",
    elsewhere("CONCURRENCY_EXHAUSTED"),
  ],
  [
    "the same for less than ten seconds",
    {},
    standing(STUCK - 1, { obstacles: [obstacleOf("gpu", "CONCURRENCY_EXHAUSTED")] }),
    "full",
    elsewhere("CONCURRENCY_EXHAUSTED"),
  ],
  [
    "another's tokens are missing",
    {},
    waitsFor(obstacleOf("gpu", "RATE_EXHAUSTED")),
    "full",
    elsewhere("RATE_EXHAUSTED"),
  ],
  [
    "its own tokens, and another's permits",
    {},
    waitsFor(obstacleOf("db", "RATE_EXHAUSTED"), obstacleOf("gpu", "CONCURRENCY_EXHAUSTED")),
    "stuck",
    elsewhere("CONCURRENCY_EXHAUSTED"),
  ],
  [
    "its own tokens, and another's",
    {},
    waitsFor(obstacleOf("gpu", "RATE_EXHAUSTED"), obstacleOf("db", "RATE_EXHAUSTED")),
    "full",
    RATE,
  ],
  ["others are ahead elsewhere", {}, waitsFor(obstacleOf("gpu", "WAITERS_AHEAD")), "stuck", elsewhere("WAITERS_AHEAD")],
  ["another is paused", {}, waitsFor(obstacleOf("gpu", "PAUSED")), "stuck", elsewhere("PAUSED")],

  ["paused", { paused: true }, standing(STUCK), "paused", { kind: "paused" }],
  ["paused, and nothing waits", { paused: true }, {}, "paused", { kind: "paused" }],
  ["the server learns", {}, waitsFor(obstacleOf("db", "LEARNING")), "paused", { kind: "learning" }],
  ["deleted", { state: "deleting" }, { leases: 1 }, "draining", { kind: "draining" }],
  ["deleted while paused", { state: "deleting", paused: true }, { leases: 1 }, "draining", { kind: "draining" }],

  ["one in twenty is refused", {}, { arrivalRate: 20, refusalRate: 1 }, "shedding", NOTHING],
  ["fewer are refused", {}, { arrivalRate: 20, refusalRate: 0.99 }, "calm", NOTHING],
  ["what can never fit is refused", {}, { arrivalRate: 0, refusalRate: 0.1 }, "shedding", NOTHING],
  ["refused and waiting", {}, standing(SECOND, { arrivalRate: 20, refusalRate: 10 }), "shedding", PERMITS],
  ["refused and standing still", {}, standing(STUCK, { arrivalRate: 20, refusalRate: 10 }), "stuck", NO_RELEASE],
  ["refused and paused", { paused: true }, { arrivalRate: 20, refusalRate: 20 }, "paused", { kind: "paused" }],

  ["a server that does not say what is in the way", {}, standing(STUCK, { obstacles: [] }), "stuck", NO_RELEASE],
  [
    "the same of a rate",
    { maxConcurrent: undefined, maxRps: 1 },
    standing(STUCK, { obstacles: [], tokensAvailable: 0.5 }),
    "full",
    RATE,
  ],
];

describe("a limiter", () => {
  it.each(CASES)("%s", (_, about, status, state, cause) => {
    expect(standingOf(limiterOf(about, status))).toMatchObject({ state, cause });
  });

  it("gets older between two looks", () => {
    const limiter = limiterOf({}, standing(STUCK - SECOND));
    expect(standingOf(limiter, { elapsed: SECOND - 1 }).state).toBe("full");
    expect(standingOf(limiter, { elapsed: SECOND })).toEqual({
      state: "stuck",
      cause: NO_RELEASE,
      oldestWaitMs: STUCK,
      sinceLastGrantMs: STUCK,
    });
  });

  it("is full under a key whose permits are in use", () => {
    const limiter = limiterOf({ keyed: true }, { permitsInUse: 2 });
    expect(standingOf(limiter, { key: "a" }).state).toBe("full");
    expect(standingOf(limiter).state).toBe("calm");
  });

  it("is held back by another key of its own as by another limiter", () => {
    const obstacles = [obstacleOf("db", "CONCURRENCY_EXHAUSTED", "b")];
    const limiter = limiterOf({ keyed: true }, standing(STUCK, { obstacles }));
    expect(standingOf(limiter, { key: "a" }).cause).toMatchObject({ kind: "limiter", limiter: "db", key: "b" });
    expect(standingOf(limiter, { key: "b" }).cause).toEqual(NO_RELEASE);
  });
});
