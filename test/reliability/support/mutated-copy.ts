/** A copy of the sources and their tests, into which bugs are put one after the other. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Bug } from "./bug.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

export interface MutatedCopy extends Disposable {
  /** Puts a bug in, until it is disposed of. */
  put(bug: Bug): Disposable;
  /** Runs tests up to the first that fails. */
  run(asked: Asked): Promise<Verdict>;
}

export interface Asked {
  /** Their files. */
  readonly tests: readonly string[];
  /** Parts of the names of those that are run; unset: all of the files. */
  readonly titles?: readonly string[];
}

export interface Verdict {
  readonly passed: boolean;
  /** How many tests were run that have failed, or passed: a file that does not load has none. */
  readonly failures: number;
  readonly passes: number;
  readonly printed: string;
}

export function createMutatedCopy(): MutatedCopy {
  const copy = mkdtempSync(join(tmpdir(), "backpressure-mutants-"));
  for (const name of ["src", "test", "package.json", "tsconfig.json", "vitest.config.ts"]) {
    cpSync(join(ROOT, name), join(copy, name), { recursive: true });
  }
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));

  return {
    put({ file, find, replace }) {
      const path = join(copy, file);
      const text = readFileSync(path, "utf8");
      if (text.split(find).length !== 2) throw new Error(`${file} does not have this once: ${find}`);
      writeFileSync(
        path,
        text.replace(find, () => replace),
      );
      return { [Symbol.dispose]: () => writeFileSync(path, text) };
    },
    async run({ tests, titles }) {
      // Of a file that is not there nothing passes, either.
      for (const path of tests) if (!existsSync(join(copy, path))) throw new Error(`there is no ${path}`);
      const vitest = join(ROOT, "node_modules/vitest/vitest.mjs");
      const report = join(copy, "report.json");
      const named = titles === undefined ? [] : ["-t", titles.map(asPattern).join("|")];
      const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
      // Once: a bug that is found with one carrier is found.
      const short = ["--bail=1", "--project=!*-again"];
      const child = spawn(process.execPath, [vitest, "run", ...short, ...reporters, ...named, ...tests], {
        cwd: copy,
        stdio: ["ignore", "pipe", "pipe"],
        // Without `CI` nothing that fails runs again.
        env: { ...process.env, CI: "", RESTART_RUNS: "500" },
      });
      let printed = "";
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding("utf8").on("data", (text: string) => {
          printed += text;
        });
      }
      const [code] = await once(child, "close");
      const { numFailedTests, numPassedTests } = JSON.parse(readFileSync(report, "utf8"));
      return { passed: code === 0, failures: numFailedTests, passes: numPassedTests, printed };
    },
    [Symbol.dispose]: () => rmSync(copy, { recursive: true }),
  };
}

/** A text as a pattern that matches it alone. */
function asPattern(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
