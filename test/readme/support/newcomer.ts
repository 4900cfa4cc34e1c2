/** Somebody who has cloned the repository, has run `npm ci`, and types what the README says. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { type Program, startProgram } from "../../support/program.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const SELF_IMPORT = fileURLToPath(new URL("../../support/self-import.ts", import.meta.url));

/** Enters commands in a shell, which ends at the first that fails. */
export function start(commands: string): Program {
  return startProgram(["sh", "-ec", commands], { cwd: ROOT, env: environment() });
}

/** Enters commands and waits for their end; resolves with what they have printed, and rejects if one has failed. */
export async function run(commands: string): Promise<string> {
  const { code, printed } = await start(commands).ended;
  if (code !== 0) throw new Error(`${commands}\nended with ${code}:\n${printed}`);
  return printed;
}

/** Saves a text under this name in a folder of its own, which goes with the test; returns its path. */
export function save(name: string, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "backpressure-readme-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** Runs a TypeScript program that imports the package by its name. */
export function runProgram(text: string): Promise<string> {
  return run(programCommand(text));
}

/** Starts one. */
export function startTypeScript(text: string): Program {
  return start(programCommand(text));
}

function programCommand(text: string): string {
  return `'${process.execPath}' --import '${SELF_IMPORT}' '${save("program.mts", text)}'`;
}

/** Compiles TypeScript programs; resolves with what is wrong with them. */
export async function compile(...texts: readonly string[]): Promise<readonly string[]> {
  const config = {
    extends: join(ROOT, "tsconfig.json"),
    // What a program only shows it need not use.
    compilerOptions: { noUnusedLocals: false, typeRoots: [join(ROOT, "node_modules/@types")], paths: typePaths() },
    include: [],
    files: texts.map((text, index) => save(`program-${index}.mts`, text)),
  };
  const tsc = start(`npx tsc --pretty false --project '${save("tsconfig.json", JSON.stringify(config))}'`);
  const { printed } = await tsc.ended;
  return printed.split("\n").filter((line) => /program-\d+\.mts\(/.test(line));
}

/** Where a program outside of the checkout finds the package, and what else its reader has installed. */
function typePaths(): Record<string, readonly string[]> {
  const { paths } = JSON.parse(readFileSync(join(ROOT, "tsconfig.json"), "utf8")).compilerOptions;
  const own = Object.entries(paths as Record<string, string[]>);
  return {
    ...Object.fromEntries(own.map(([name, files]) => [name, files.map((file) => join(ROOT, file))])),
    express: [join(ROOT, "node_modules/@types/express/index.d.ts")],
  };
}

/** That of a shell: npm and vitest have set more. */
export function environment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(([name]) => !/^(npm_|BACKPRESSURE_|VITEST|NODE_)/.test(name));
  const path = (process.env.PATH ?? "").split(delimiter).filter((folder) => !folder.endsWith("node_modules/.bin"));
  return { ...Object.fromEntries(entries), PATH: [...path, join(homedir(), "go", "bin")].join(delimiter) };
}

/** Rejects, in words, if the port cannot be had. */
export async function requireFree(port: number): Promise<void> {
  const probe = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      probe.once("error", reject).listen(port, "127.0.0.1", resolve);
    });
  } catch (error) {
    throw new Error(
      `the README's commands name localhost:50051 and localhost:8080, but port ${port} cannot be had ` +
        `(${(error as NodeJS.ErrnoException).code}): stop what listens there, a server of your own perhaps, and run this again`,
    );
  } finally {
    probe.close();
  }
}
