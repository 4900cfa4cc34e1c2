/** spin, which looks at every state that a model can come to. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import type { TestContext } from "vitest";
import { requireTool } from "../../../support/require-tool.ts";
import type { Switches } from "./variants.ts";

const INSTALL = "apt-get install spin gcc";
const FOLDER = fileURLToPath(new URL(".", import.meta.url));

/** Skips the test, by name, where there is no spin, or no compiler for what it writes; in CI it fails instead. */
export function requireSpin(context: TestContext): void {
  requireTool(context, { name: "spin", probe: ["spin", "-V"], install: INSTALL });
  requireTool(context, { name: "gcc", probe: ["gcc", "--version"], install: INSTALL });
}

export interface Verdict {
  readonly errors: number;
  /** Whether every state was looked at; not where an error was found, which ends the search. */
  readonly complete: boolean;
  readonly states: number;
  /** Steps to the state that is farthest from the beginning. */
  readonly depth: number;
  /** Parts of the model that nothing has come to. */
  readonly unreached: readonly string[];
  /** The shortest way to the error, a step a line; empty if there is none. */
  readonly trail: string;
  /** What the search has said of itself. */
  readonly said: string;
}

/** Its parts lie beside it. */
export type Model = "lease.pml" | "session.pml";

export interface Search {
  readonly model: Model;
  readonly switches: Switches;
  /** log2 of the room for states that is taken at once. */
  readonly tableBits: number;
  /** Megabytes after which the search is given up. */
  readonly maxMegabytes: number;
  /** Ends the search. */
  readonly signal: AbortSignal;
}

/** Breadth first, so that a trail is as short as can be and no depth is a bound; every state is kept whole. */
const SEARCH = ["-w", "-DBFS", "-DSAFETY", "-DNOFAIR", "-DNOCOMP", "-DNOBOUNDCHECK"];
/** A small search is over before a compiler that optimises is. */
const SMALL_TABLE = 20;

/** Looks at all that the model can come to under these switches, up to the first error. */
export async function search({ model, switches, tableBits, maxMegabytes, signal }: Search): Promise<Verdict> {
  const folder = mkdtempSync(join(tmpdir(), "backpressure-model-"));
  const defined = Object.entries(switches).map(([name, value]) =>
    value === true ? `-D${name}` : `-D${name}=${value}`,
  );
  const run = (command: string, args: readonly string[]) => capture(command, args, { cwd: folder, signal });
  try {
    for (const part of globSync("*.pml", { cwd: FOLDER })) copyFileSync(join(FOLDER, part), join(folder, part));
    await run("spin", ["-a", ...defined, model]);
    const optimise = tableBits > SMALL_TABLE ? "-O1" : "-O0";
    await run("gcc", [optimise, ...SEARCH, `-DMEMLIM=${maxMegabytes}`, "-o", "pan", "pan.c"]);
    const said = await run(join(folder, "pan"), [`-w${tableBits}`]);
    // Its steps have the same numbers with names as without.
    const hasTrail = existsSync(join(folder, `${model}.trail`));
    const trail = hasTrail ? await run("spin", ["-t", "-T", "-DTRAIL", ...defined, model]) : "";
    return { ...verdictOf(said), trail: stepsOf(trail), said };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What stops a search before it has seen everything, or lets it pass something by. */
const CUT_SHORT = /search not completed|depth too small|MEMLIM|out of memory|max memory|bit statespace|hash-compact/i;

function verdictOf(said: string): Omit<Verdict, "trail" | "said"> {
  const figure = (pattern: RegExp) => Number(pattern.exec(said)?.[1] ?? Number.NaN);
  const errors = figure(/errors: (\d+)/);
  const isWhole = /Full statespace search for:/.test(said) && !CUT_SHORT.test(said);
  return {
    errors,
    complete: errors === 0 && isWhole,
    states: figure(/^\s*(\d\S*) states, stored/m),
    depth: figure(/depth reached (\d+)/),
    // The processes of the model never end.
    unreached: (said.match(/^\s+\S+\.pml:\d+, state .*$/gm) ?? []).filter((line) => !line.includes('"-end-"')),
  };
}

/** The steps as the model tells them, without the values in which they end. */
function stepsOf(trail: string): string {
  // Where clocks of files are coarse, the trail seems to be older than the model that it is of.
  const steps = trail.replace(/^spin: warning, .* is newer than .*\n/, "");
  const end = steps.search(/^spin: /m);
  return (end === -1 ? steps : steps.slice(0, end)).trim();
}

/** What it prints; rejects if it fails. */
async function capture(
  command: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly signal: AbortSignal },
): Promise<string> {
  const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  // What comes on two pipes comes in any order.
  const whole = Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = (await once(child, "close", { signal: options.signal })) as [number | null];
  const printed = (await whole).join("");
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${printed}`);
  return printed;
}
