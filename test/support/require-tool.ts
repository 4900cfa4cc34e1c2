/** Tools from elsewhere that some tests need. */

import { spawnSync } from "node:child_process";
import type { TestContext } from "vitest";

export interface Tool {
  readonly name: string;
  /** What succeeds where it is there, and may be used. */
  readonly probe: readonly [command: string, ...args: string[]];
  /** The line that gets it. */
  readonly install: string;
  readonly env?: NodeJS.ProcessEnv;
}

const found = new Map<string, boolean>();

/** Skips the test, by name, where the tool is not there; in CI it fails instead. */
export function requireTool(context: TestContext, { name, probe: [command, ...args], install, env }: Tool): void {
  const isThere = found.get(name) ?? spawnSync(command, args, { env }).status === 0;
  found.set(name, isThere);
  if (isThere) return;
  const message = `this test needs ${name}: ${install}`;
  if (process.env.CI) throw new Error(message);
  context.skip(message);
}
