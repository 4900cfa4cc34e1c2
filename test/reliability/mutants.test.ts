/** Each bug that is put in on purpose is found, and by the tests that run with every change. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { MUTANTS, type Mutant } from "./support/mutants.ts";
import { openRecord } from "./support/record.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const record = openRecord("mutants");
let copy = "";
let found = 0;

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), "backpressure-mutants-"));
  for (const name of ["src", "test", "package.json", "tsconfig.json", "vitest.config.ts"]) {
    cpSync(join(ROOT, name), join(copy, name), { recursive: true });
  }
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
});

afterAll(() => {
  record({ figure: "found", value: found, unit: `of ${MUTANTS.length} mutants` });
  rmSync(copy, { recursive: true });
});

/** Whether these tests pass in the copy. */
async function passes(tests: readonly string[]): Promise<boolean> {
  // Of a file that is not there nothing passes, either.
  for (const path of tests) expect(existsSync(join(copy, path)), path).toBe(true);
  const vitest = join(ROOT, "node_modules/vitest/vitest.mjs");
  const child = spawn(process.execPath, [vitest, "run", "--bail=1", "--project=all", ...tests], {
    cwd: copy,
    stdio: "ignore",
    env: { ...process.env, RESTART_RUNS: "100" },
  });
  const [code] = await once(child, "close");
  return code === 0;
}

function put({ file, find, replace }: Mutant): Disposable {
  const path = join(copy, file);
  const text = readFileSync(path, "utf8");
  expect(text.split(find)).toHaveLength(2);
  writeFileSync(
    path,
    text.replace(find, () => replace),
  );
  return { [Symbol.dispose]: () => writeFileSync(path, text) };
}

test("control: without a bug the tests pass", { timeout: 300_000 }, async () => {
  expect(await passes([...new Set(MUTANTS.flatMap(({ tests }) => tests))])).toBe(true);
});

test.for(MUTANTS)("$name", { timeout: 300_000 }, async (mutant) => {
  using _ = put(mutant);
  expect(await passes(mutant.tests)).toBe(false);
  found += 1;
});
