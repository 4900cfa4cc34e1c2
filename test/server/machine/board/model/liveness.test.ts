/**
 * Rework never locks the board: from every state that random commands lead to, pulls and finishes reach the end.
 * That this would be noticed if it were not so is shown by its control, in `liveness-control.test.ts`.
 *
 * A failure prints a seed and a path; put both into `REPLAY` to run it again.
 */

import fc from "fast-check";
import { expect, it } from "vitest";
import { drain, reach } from "../drain.ts";
import { createFakeLimiter } from "../fake-limiter.ts";
import { lockedBoard } from "../locked-board.ts";

const REPLAY: { seed?: number; path?: string } = {};
const RUNS = Number(process.env.LIVENESS_RUNS ?? 500);
const STEPS = 120;

it("works every board off, whatever has become of it", () => {
  let cardsLeft = 0;
  const scripts = fc.array(fc.integer(), { minLength: STEPS, maxLength: STEPS, size: "max" });
  fc.assert(
    fc.property(scripts, (script) => {
      const reached = reach(script);
      for (const { cards } of reached.state.boards.values()) cardsLeft += cards.size;
      drain(reached);
    }),
    { numRuns: RUNS, ...REPLAY },
  );
  // Boards that are all but empty would prove little.
  expect(cardsLeft / RUNS).toBeGreaterThan(8);
});

it("works a board off that is full of finished cards and of cards sent back", () => {
  const scene = lockedBoard();
  drain({ state: scene.state, step: scene.step, limiter: createFakeLimiter() });
  expect(scene.counts()).toEqual([0, 0, 0, 0, 12]);
});
