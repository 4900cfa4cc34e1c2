/** Each measure against a threat is missed where it is taken away: by the test that stands beside the threat in docs/security.md. */

import { afterAll, expect, test } from "vitest";
import { createMutatedCopy } from "./support/mutated-copy.ts";
import { openRecord } from "./support/record.ts";
import { MEASURES } from "./support/threats.ts";

/** ms; some start servers in processes of their own, and wait for what does not come. */
const TIMEOUT = 300_000;
const record = openRecord("threats");
const copy = createMutatedCopy();
let missed = 0;

afterAll(() => {
  record({ figure: "missed", value: missed, unit: `of ${MEASURES.length} measures` });
  copy[Symbol.dispose]();
});

test("control: with all measures the tests pass", { timeout: 2 * TIMEOUT }, async () => {
  const tests = [...new Set(MEASURES.map(({ test }) => test))];
  const titles = [...new Set(MEASURES.map(({ title }) => title))];
  const { passed, passes, printed } = await copy.run({ tests, titles });
  expect(passed, printed).toBe(true);
  expect(passes).toBeGreaterThanOrEqual(titles.length);
});

// By tuples, since vitest cuts the fields of objects off.
const NAMED = MEASURES.map((measure) => [measure.without, measure] as const);

test.for(NAMED)("without it %s, which is found", { timeout: TIMEOUT, retry: 0 }, async ([, measure]) => {
  using _ = copy.put(measure);
  const { failures, printed } = await copy.run({ tests: [measure.test], titles: [measure.title] });
  // A test, and not a file that does not load.
  expect(failures, printed).toBeGreaterThan(0);
  missed += 1;
});
