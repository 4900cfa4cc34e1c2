/**
 * Rows as the engine keeps them, through JSON and back into a machine: whatever has led there, nothing is lost by a crash
 * that must outlive one, and nothing comes of it that must not.
 *
 * A failure prints a seed and a path; put both into `REPLAY` to run it again. More runs: `RESTART_RUNS=10000 vitest run
 * test/server/store/model/records.test.ts`.
 */

import fc from "fast-check";
import { expect, it } from "vitest";
import { MIXES } from "../../machine/board/random-commands.ts";
import { playBoardsWithRestarts } from "../support/board-restarts.ts";
import { playWithRestarts } from "../support/limiter-restarts.ts";

const REPLAY: { seed?: number; path?: string } = {};
const RUNS = Number(process.env.RESTART_RUNS ?? 1_000);
const STEPS = 150;
const BOARD_STEPS = 90;

const script = fc.array(fc.integer(), { minLength: STEPS, maxLength: STEPS, size: "max" });

/** What restarts must have come upon, or they would prove little. */
const EXPECTED = [
  [
    "lease attached",
    "lease orphaned",
    "lease detached",
    "lease in-session",
    "revoked",
    "revoked in a session",
    "slots",
    "lease of a caller",
  ],
  ["waiter", "waiter away", "waiter of a session"],
  ["bucket", "deleting", "past ended", "past spent", "came back", "keyed refused", "keyed anew"],
].flat();

it("brings limiters, leases, waiters, buckets and request ids through any crash", {
  timeout: 20_000 + RUNS * 100,
}, () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(fc.boolean(), script, (crowded, each) =>
      playWithRestarts({ script: each, crowded, damaged: false, seen }),
    ),
    { numRuns: RUNS, ...REPLAY },
  );
  expect(EXPECTED.filter((what) => !seen.has(what))).toEqual([]);
});

it("takes up whatever is left of limiters and leases after a damage", { timeout: 20_000 + RUNS * 100 }, () => {
  fc.assert(
    fc.property(fc.boolean(), script, (crowded, each) =>
      playWithRestarts({ script: each, crowded, damaged: true, seen: new Map() }),
    ),
    { numRuns: RUNS / 2, ...REPLAY },
  );
});

const boardScript = fc.array(fc.integer(), { minLength: BOARD_STEPS, maxLength: BOARD_STEPS, size: "max" });

const boardMix = fc.constantFrom(...(Object.keys(MIXES) as (keyof typeof MIXES)[]));

const EXPECTED_OF_BOARDS = [
  ["waiting", "active", "blocked", "finished", "sent-back", "completed"],
  ["forgotten", "work", "claimed work", "work in a session", "work without a ttl"],
].flat();

it("brings boards, cards and work on them through any crash", { timeout: 20_000 + RUNS * 100 }, () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(boardMix, boardScript, (mix, each) =>
      playBoardsWithRestarts({ script: each, mix, damaged: false, seen }),
    ),
    { numRuns: RUNS, ...REPLAY },
  );
  expect(EXPECTED_OF_BOARDS.filter((what) => !seen.has(what))).toEqual([]);
});

it("takes up whatever is left of boards and cards after a damage", { timeout: 20_000 + RUNS * 100 }, () => {
  fc.assert(
    fc.property(boardMix, boardScript, (mix, each) =>
      playBoardsWithRestarts({ script: each, mix, damaged: true, seen: new Map() }),
    ),
    { numRuns: RUNS / 2, ...REPLAY },
  );
});
