/** The battery is red on engines that break their word. */

import { expect, test } from "vitest";
import { BATTERY } from "./battery.ts";
import { stageEmbedded } from "./engines/embedded.ts";
import { FAULTS } from "./engines/faults.ts";
import type { Case, Stage } from "./stage.ts";

const CASES = Object.values(BATTERY).flat();

/** ms after which a case counts as one that never ends, as where an answer is lost. */
const NEVER = 1_000;

/** Whether the engine breaks its word in this case. */
async function isRed({ play }: Case, start: () => Promise<Stage>): Promise<boolean> {
  const stage = await start();
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(true), NEVER);
  play(stage).then(
    () => resolve(false),
    () => resolve(true),
  );
  const red = await promise;
  clearTimeout(timer);
  await stage[Symbol.asyncDispose]();
  return red;
}

test.each(FAULTS)("an engine where $what is found", async ({ found, start }) => {
  const one = CASES.find(({ name }) => name === found);
  if (one === undefined) throw new Error(`there is no case: ${found}`);
  expect(await isRed(one, start)).toBe(true);
  // The control of the control.
  expect(await isRed(one, () => stageEmbedded())).toBe(false);
});
