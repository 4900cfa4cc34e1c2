/** What a load measures: an open loop counts from when an operation was due, so a stall of the server is on every bill. */

import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { runClosed, runOpen, type Work } from "../../bench/load/arrivals.ts";

/** ms */
const STALL = 100;

/** Answers at once, one at a time, but for one stall. */
function createStalling(): Work {
  let asked = 0;
  let free = Promise.resolve();
  return {
    decisions: 1,
    begin(ended) {
      asked += 1;
      const stalls = asked === 40;
      free = free.then(() => (stalls ? sleep(STALL) : undefined)).then(() => ended("done"));
    },
    async [Symbol.asyncDispose]() {},
  };
}

test("an open loop sees the stall in the latency of all that was due meanwhile", async () => {
  const outcome = await runOpen(createStalling(), {
    rate: 500,
    arrivals: "even",
    duration: 400,
    warmUp: 0,
    mostInFlight: 1_000,
  });
  expect(outcome).toMatchObject({ operations: 200, failed: 0, refused: 0, behind: 0 });
  // A quarter of the time: each in ten of these took at least half of the stall.
  expect(outcome.latency?.p90).toBeGreaterThan((STALL / 2) * 1_000);
});

test("what is due later begins no sooner than it is due, also where nothing more may be under way", async () => {
  const outcome = await runOpen(createStalling(), {
    rate: 500,
    arrivals: "even",
    duration: 400,
    warmUp: 0,
    mostInFlight: 1,
  });
  // What could not begin before the end is said, and is not left out.
  expect(outcome.operations + outcome.behind).toBe(200);
  expect(outcome.latency?.p90).toBeGreaterThan((STALL / 2) * 1_000);
});

test("control: a closed loop asks nothing during the stall, and its latencies leave it out", async () => {
  const work = createStalling();
  const paced: Work = { ...work, begin: (ended) => void setTimeout(() => work.begin(ended), 2) };
  const { latency } = await runClosed(paced, { inFlight: 1, duration: 400, warmUp: 0 });
  expect(latency?.max).toBeGreaterThanOrEqual(STALL * 1_000);
  expect(latency?.p50).toBeLessThan((STALL / 2) * 1_000);
});

test("operations that fail are counted, and are no latencies", async () => {
  const failing: Work = {
    decisions: 1,
    begin: (ended) => void setImmediate(ended, "failed"),
    async [Symbol.asyncDispose]() {},
  };
  const outcome = await runOpen(failing, { rate: 100, arrivals: "random", duration: 200, warmUp: 0, mostInFlight: 10 });
  expect(outcome).toMatchObject({ operations: 0, latency: undefined });
  expect(outcome.failed).toBeGreaterThan(0);
});
