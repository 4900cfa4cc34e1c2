/** Each bug that is put in on purpose is found, and by the tests that run with every change. */

import { afterAll, expect, test } from "vitest";
import { MUTANTS } from "./support/mutants.ts";
import { createMutatedCopy } from "./support/mutated-copy.ts";
import { openRecord } from "./support/record.ts";

const record = openRecord("mutants");
const copy = createMutatedCopy();
let found = 0;

afterAll(() => {
  record({ figure: "found", value: found, unit: `of ${MUTANTS.length} mutants` });
  copy[Symbol.dispose]();
});

test("control: without a bug the tests pass", { timeout: 300_000, retry: 0 }, async () => {
  const { passed, printed } = await copy.run({ tests: [...new Set(MUTANTS.flatMap(({ tests }) => tests))] });
  expect(passed, printed).toBe(true);
});

test.for(MUTANTS)("$name", { timeout: 300_000, retry: 0 }, async (mutant) => {
  using _ = copy.put(mutant);
  const { passed } = await copy.run(mutant);
  expect(passed).toBe(false);
  found += 1;
});
