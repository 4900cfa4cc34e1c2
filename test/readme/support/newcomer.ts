/** A newcomer who has cloned the repository, has run `npm ci`, and types what the README says, but for its ports. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, onTestFinished } from "vitest";
import { type Program, startProgram } from "../../support/program.ts";
import { unusedPort } from "../../support/unused-port.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const SELF_IMPORT = fileURLToPath(new URL("../../support/self-import.ts", import.meta.url));

/** What is used in place of the ports that the pages name, where a server of the developer's may listen. */
const PORTS: ReadonlyMap<string, number> = new Map([
  ["50051", await unusedPort()],
  ["8080", await unusedPort()],
  ["3000", await unusedPort()],
]);

/** In place of the developer's own folder for state, one for each server. */
const STATES = mkdtempSync(join(tmpdir(), "backpressure-states-"));
afterAll(() => rmSync(STATES, { recursive: true, maxRetries: 10 }));

/** Returns what a page says with the ports that are used here. */
export function onPortsOfOurs(text: string): string {
  return text.replaceAll(/\b(50051|8080|3000)\b/g, (port) => `${PORTS.get(port)}`);
}

/** Enters commands in a shell, which ends at the first that fails. */
export function start(commands: string, env = environment()): Program {
  return startProgram(["sh", "-ec", onPortsOfOurs(commands)], { cwd: ROOT, env });
}

/** Enters them on a terminal, which script(1) of util-linux makes. */
export function startOnTerminal(commands: string, env = environment()): Program {
  return startProgram(["script", "-qefc", onPortsOfOurs(commands), "/dev/null"], { cwd: ROOT, env });
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
  return `'${process.execPath}' --import '${SELF_IMPORT}' '${save("program.mts", onPortsOfOurs(text))}'`;
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

/** Returns that of a shell, since npm and vitest have set more, in which commands know where the server is. */
export function environment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(([name]) => !/^(npm_|BACKPRESSURE_|VITEST|NODE_)/.test(name));
  const path = (process.env.PATH ?? "").split(delimiter).filter((folder) => !folder.endsWith("node_modules/.bin"));
  return {
    ...Object.fromEntries(entries),
    BACKPRESSURE_ADDRESS: onPortsOfOurs("localhost:50051"),
    PATH: [...path, join(homedir(), "go", "bin")].join(delimiter),
  };
}

/** Returns the same for a server, which takes the ports that stand for those of the pages, and keeps its data apart. */
export function serverEnvironment(): NodeJS.ProcessEnv {
  return {
    ...environment(),
    BACKPRESSURE_GRPC_LISTEN: onPortsOfOurs("127.0.0.1:50051"),
    BACKPRESSURE_WEB_LISTEN: onPortsOfOurs("127.0.0.1:8080"),
    XDG_STATE_HOME: mkdtempSync(join(STATES, "state-")),
  };
}
