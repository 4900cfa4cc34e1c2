/** The real machine, engine and records in virtual time, with a network, a disk and clients that fail: seeded and replayable. */

import { expect, test } from "vitest";
import { openRecord } from "./support/record.ts";
import { simulate } from "./support/simulation/simulate.ts";
import { inTier, seedOf } from "./support/tier.ts";

const RUNS = inTier({ C: 150, N: 20_000 });
const STEPS = 10_000;

test(`${RUNS} worlds of ${STEPS} steps: the books, the holders, nothing forgotten, everybody served`, {
  timeout: RUNS * 5_000,
  retry: 0,
}, async () => {
  const record = openRecord("simulation");
  const seed = seedOf("simulation");
  let [steps, works, crashes] = [0, 0, 0];
  for (let run = 0; run < RUNS; run += 1) {
    const world = await simulate(seed + run, STEPS);
    expect(world.violations, `RELIABILITY_SEED=${seed + run}`).toEqual([]);
    steps += world.steps;
    works += world.works;
    crashes += world.crashes;
  }
  record({ figure: "steps", value: steps, unit: "steps", seed });
  record({ figure: "works", value: works, unit: "works" });
  record({ figure: "crashes of the server", value: crashes, unit: "crashes" });
  record({ figure: "violations", value: 0, unit: "violations" });
});

test("the same seed is the same world", async () => {
  expect(await simulate(7, 20_000)).toEqual(await simulate(7, 20_000));
});

test("control: a disk that says it has kept what it has not is found", { timeout: 120_000 }, async () => {
  let found = 0;
  for (let seed = 0; seed < 200 && found === 0; seed += 1) {
    found += (await simulate(seed, STEPS, { forgetful: true })).violations.length;
  }
  expect(found).toBeGreaterThan(0);
});
