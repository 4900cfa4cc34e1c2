/**
 * Checks what the dashboard costs a browser: builds it and compares with their bounds the scripts that its page loads at first, and
 * the one with the charts, gzipped. Where the first is too much, its modules are named, the largest first.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { buildDashboard, type Dashboard } from "./build-dashboard.ts";

/** In bytes, gzipped. */
const MOST_AT_FIRST = 65_000;
const MOST_LATE = 30_000;

const ENTRY = "src/dashboard/main.tsx";

const folder = mkdtempSync(join(tmpdir(), "dashboard-size-"));
try {
  report(await buildDashboard(folder));
} finally {
  rmSync(folder, { recursive: true });
}

function report({ metafile: { outputs }, files }: Dashboard): void {
  const sizeOf = (output: string) => gzipSync(files.get(basename(output)) ?? "", { level: 9 }).length;
  const [main = ""] = Object.entries(outputs).find(([, { entryPoint }]) => entryPoint === ENTRY) ?? [];
  const first = loadedWith(main);
  const atFirst = sum([...first].map(sizeOf));
  console.log(`the dashboard's scripts at first: ${kB(atFirst)} gz, of at most ${kB(MOST_AT_FIRST)}`);
  if (atFirst > MOST_AT_FIRST) {
    process.exitCode = 1;
    const modules = [...first].flatMap((output) => Object.entries(outputs[output]?.inputs ?? {}));
    modules.sort(([, one], [, other]) => other.bytesInOutput - one.bytesInOutput);
    console.error("\ntoo much; its modules (bytes, minified):");
    for (const [name, { bytesInOutput }] of modules) console.error(`${String(bytesInOutput).padStart(8)}  ${name}`);
  }
  for (const [output, { entryPoint }] of Object.entries(outputs)) {
    if (entryPoint === undefined || first.has(output) || !output.endsWith(".js")) continue;
    const late = sum([...loadedWith(output)].filter((each) => !first.has(each)).map(sizeOf));
    console.log(`${entryPoint}, when it is first used: ${kB(late)} gz, of at most ${kB(MOST_LATE)}`);
    if (late > MOST_LATE) process.exitCode = 1;
  }

  function loadedWith(output: string, found = new Set<string>()): ReadonlySet<string> {
    if (found.has(output)) return found;
    found.add(output);
    for (const { path, kind } of outputs[output]?.imports ?? []) {
      if (kind === "import-statement") loadedWith(path, found);
    }
    return found;
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}

function kB(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} kB`;
}
