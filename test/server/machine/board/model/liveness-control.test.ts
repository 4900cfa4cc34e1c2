/** The control of `liveness.test.ts`: without the exchange of cards between full stages the same harness must fail. */

import fc from "fast-check";
import { expect, it, vi } from "vitest";
import type { Stage } from "../../../../../src/server/machine/board/model.ts";
import { drain, reach } from "../drain.ts";
import { createFakeLimiter } from "../fake-limiter.ts";
import { lockedBoard } from "../locked-board.ts";

vi.mock("../../../../../src/server/machine/board/pull-rules.ts", async (importOriginal) => {
  const original = await importOriginal<typeof import("../../../../../src/server/machine/board/pull-rules.ts")>();
  return {
    ...original,
    findPull(stage: Stage) {
      const pull = original.findPull(stage);
      return typeof pull === "object" && pull.kind === "exchange" ? "STAGE_FULL" : pull;
    },
  };
});

const RUNS = 500;
const STEPS = 120;

it("finds a state that random commands reach and from which no worker can go on, if nothing is exchanged", () => {
  const scripts = fc.array(fc.integer(), { minLength: STEPS, maxLength: STEPS, size: "max" });
  const outcome = fc.check(
    fc.property(scripts, (script) => drain(reach(script))),
    { numRuns: RUNS, endOnFailure: true },
  );
  expect(outcome.failed).toBe(true);
  expect(String(outcome.errorInstance)).toContain("no worker can go on");
});

it("cannot work a board off that is full of finished cards and of cards sent back, if nothing is exchanged", () => {
  const { state, step } = lockedBoard();
  expect(() => drain({ state, step, limiter: createFakeLimiter() })).toThrow("no worker can go on");
});
