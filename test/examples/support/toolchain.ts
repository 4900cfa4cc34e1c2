/** What it takes to run the example of one language. */

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const CACHE = join(ROOT, "node_modules/.cache");

/** How to start an example. */
export interface Example {
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** How a number of seconds is written on its command line. */
  seconds(count: number): string;
  /** How an address that speaks TLS is written on its command line. */
  secure(address: string): string;
}

/** The machine lacks something that the tests of an example need. */
export class Lacking extends Error {}

export async function prepareNode(): Promise<Example> {
  return {
    command: [
      process.execPath,
      "--import",
      join(ROOT, "test/support/self-import.ts"),
      join(ROOT, "examples/node-typescript/worker.ts"),
    ],
    seconds: String,
    secure: (address) => `https://${address}`,
  };
}

/** Generates the stubs and builds the example. */
export async function prepareGo(): Promise<Example> {
  // Without C there is less to compile.
  const options = { cwd: join(ROOT, "examples/go"), env: { ...process.env, CGO_ENABLED: "0" } };
  await needs(run("go", ["version"]), "Go 1.25 or later: https://go.dev/dl");
  await canFetch(run("go", ["mod", "download"], options), "the modules of examples/go/go.mod: go mod download");
  const program = join(CACHE, "example-go", "worker");
  mkdirSync(dirname(program), { recursive: true });
  await run("go", ["generate", "."], options);
  await run("go", ["build", "-o", program, "."], options);
  return { command: [program], seconds: (count) => `${count}s`, secure: String };
}

/** Generates the stubs, in an environment that is kept with the packages of npm. */
export async function preparePython(): Promise<Example> {
  const cwd = join(ROOT, "examples/python");
  const isUsable = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))";
  await needs(run("python3", ["-c", isUsable]), "Python 3.11 or later with venv: apt-get install python3-venv");
  const requirements = readFileSync(join(cwd, "requirements.txt"));
  const digest = createHash("sha256").update(requirements).digest("hex").slice(0, 12);
  const folder = join(CACHE, `example-python-${digest}`);
  const python = join(folder, "bin/python");
  const isWhole = join(folder, "whole");
  if (!existsSync(isWhole)) {
    await run("python3", ["-m", "venv", "--clear", folder]);
    const install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"];
    await canFetch(run(python, install, { cwd }), "the packages of examples/python/requirements.txt: pip install");
    writeFileSync(isWhole, "");
  }
  await run("./generate.sh", [python], { cwd });
  const command = [python, join(cwd, "worker.py")];
  return { command, env: { PYTHONPATH: join(cwd, "gen") }, seconds: String, secure: String };
}

async function needs(attempt: Promise<unknown>, what: string): Promise<void> {
  try {
    await attempt;
  } catch (error) {
    throw new Lacking(`this test needs ${what} (${(error as Error).message.trim()})`);
  }
}

/** Packages may be out of reach on a developer's machine; in CI they are not. */
function canFetch(attempt: Promise<unknown>, what: string): Promise<unknown> {
  return process.env.CI ? attempt : needs(attempt, what);
}
