/** The real machine, engine and records in virtual time, with a network, a disk and clients that fail: seeded and replayable. */

import { expect, test } from "vitest";
import { openRecord } from "./support/record.ts";
import { simulate } from "./support/simulation/simulate.ts";
import { simulateMany } from "./support/simulation/worlds.ts";
import { inTier, seedOf } from "./support/tier.ts";

const WORLDS = inTier({ C: 1_000, N: 100_000 });
const STEPS = 10_000;
/** s after which no more worlds are begun, if these have been: a machine may be slow, and the count is recorded. */
const PATIENCE = inTier({ C: 120, N: 5_400 });
const FEWEST = 100;

test(`worlds of ${STEPS} steps, up to ${WORLDS}: every invariant after every step, nothing forgotten, every client served`, {
  timeout: 5 * PATIENCE * 1_000,
  retry: 0,
}, async () => {
  const record = openRecord("simulation");
  const seed = seedOf("simulation");
  const began = performance.now();
  const passed = () => (performance.now() - began) / 1000;
  let [worlds, steps, works, crashes] = [0, 0, 0, 0];
  for await (const dealt of simulateMany({ seed, worlds: WORLDS, steps: STEPS })) {
    const { world } = dealt;
    expect(world.violations, `RELIABILITY_SEED=${dealt.seed}`).toEqual([]);
    steps += world.steps;
    works += world.works;
    crashes += world.crashes;
    worlds += 1;
    if (worlds >= FEWEST && passed() > PATIENCE) break;
  }
  record({ figure: "steps", value: steps, unit: "steps", seed });
  record({ figure: "took", value: passed(), unit: "s" });
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
