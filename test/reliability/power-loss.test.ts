/**
 * The store after a loss of power, a torn write or a bit that is the other: it is taken up in a state in which it once was,
 * or refused, and never anything else. That this would be noticed is shown by its control, in `power-loss-control.test.ts`.
 */

import { expect, test } from "vitest";
import { createDice } from "../server/machine/dice.ts";
import {
  anyHarm,
  createWard,
  everyBitOfSchema,
  everyBoundary,
  type Harm,
  type Verdict,
} from "./support/power-loss/harm.ts";
import { buildScenes } from "./support/power-loss/scenes.ts";
import { openRecord } from "./support/record.ts";
import { inTier, seedOf } from "./support/tier.ts";

const RANDOM = inTier({ C: 2_000, N: 10_000 });
const TORN = inTier({ C: 300, N: 3_000 });
/** Of how many one is looked at until the end: taken up in spite of its damage, or written on and opened again. */
const THOROUGH = 5;

test("cut or flipped anywhere, a data folder is a state that was, or refused", {
  timeout: 40 * 60_000,
  retry: 0,
}, () => {
  const record = openRecord("power-loss");
  const seed = seedOf("power-loss");
  const dice = createDice(seed);
  const scenes = buildScenes(seed);
  const random = (count: number, kind: Harm["kind"]) =>
    Array.from({ length: count }, () => anyHarm(scenes, kind, dice));
  const harms = {
    "cuts at boundaries": everyBoundary(scenes),
    "bits of the header and the schema": everyBitOfSchema(scenes),
    "cuts anywhere": random(RANDOM, "cut"),
    "bits flipped": random(RANDOM, "flip"),
    "tails never written": random(TORN, "zeros"),
  };
  using ward = createWard();
  const verdicts: Record<Verdict, number> = { refused: 0, all: 0, prefix: 0 };
  let slowest = 0;
  for (const [figure, all] of Object.entries(harms)) {
    for (const [index, harm] of all.entries()) {
      const begun = performance.now();
      verdicts[ward.tryOut(harm, { thorough: index % THOROUGH === 0 })] += 1;
      slowest = Math.max(slowest, performance.now() - begun);
    }
    record({ figure, value: all.length, unit: "folders", seed });
  }
  for (const [verdict, value] of Object.entries(verdicts)) record({ figure: verdict, value, unit: "folders", seed });
  record({ figure: "longest to take one up or refuse it", value: slowest, unit: "ms", seed });
  // Where nothing is ever refused, or nothing ever taken up, little is proved. How many are a prefix is the history's affair:
  // none can be where the last commit was to be on disk.
  expect(verdicts.refused).toBeGreaterThan(100);
  expect(verdicts.all + verdicts.prefix).toBeGreaterThan(100);
});
