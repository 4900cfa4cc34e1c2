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

interface Verdict {
  readonly passed: boolean;
  readonly printed: string;
}

/** Whether these tests pass in the copy. */
async function run(tests: readonly string[]): Promise<Verdict> {
  // Of a file that is not there nothing passes, either.
  for (const path of tests) expect(existsSync(join(copy, path)), path).toBe(true);
  const vitest = join(ROOT, "node_modules/vitest/vitest.mjs");
  const child = spawn(process.execPath, [vitest, "run", "--bail=1", ...tests], {
    cwd: copy,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, RESTART_RUNS: "500" },
  });
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
    });
  }
  const [code] = await once(child, "close");
  return { passed: code === 0, printed };
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

test("control: without a bug the tests pass", { timeout: 300_000, retry: 0 }, async () => {
  const { passed, printed } = await run([...new Set(MUTANTS.flatMap(({ tests }) => tests))]);
  expect(passed, printed).toBe(true);
});

test.for(MUTANTS)("$name", { timeout: 300_000, retry: 0 }, async (mutant) => {
  using _ = put(mutant);
  const { passed } = await run(mutant.tests);
  expect(passed).toBe(false);
  found += 1;
});
