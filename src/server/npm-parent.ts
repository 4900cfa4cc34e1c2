/**
 * Notices that the npm which has started this process is gone.
 *
 * npm runs a script through `sh -c`, passes SIGTERM to that shell alone, and ends with it. The server would live on as an
 * orphan and keep its ports.
 */

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Clock } from "./clock.ts";

export interface Ancestor {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

export interface Processes {
  /** This process's parent, as of now. */
  parent(): number;
  /** Undefined: there is no such process, or it cannot be seen. */
  find(pid: number): Ancestor | undefined;
  /** Whether `find` is cheap enough to be called four times a second. */
  readonly cheap: boolean;
}

export interface NpmParentOptions {
  readonly clock: Clock;
  /** npm_lifecycle_script: what npm runs; undefined: npm runs nothing. */
  readonly script: string | undefined;
  readonly onGone: () => void;
  readonly processes?: Processes;
}

/** µs between two looks. */
const LOOK = 250_000;

/** Calls back once when npm, or its shell, is gone; returns what ends the watch. Does nothing for a process that npm does not wait for. */
export function watchNpmParent(options: NpmParentOptions): () => void {
  const { clock, script, onGone, processes = SYSTEM } = options;
  // A script may start a server in the background and end: that server is meant to stay.
  if (!script || isInBackground(script)) return () => {};
  const parent = processes.parent();
  const first = processes.find(parent);
  if (first === undefined || !isOfNpm(first.command, script)) return () => {};
  // Between npm and this process stands a shell, unless the script has replaced it by `exec`.
  const shell = processes.cheap && isShell(first.command) ? first : undefined;
  let callOff = () => {};
  const look = () => {
    const gone = processes.parent() !== parent || (shell && processes.find(shell.pid)?.parent !== shell.parent);
    if (gone) onGone();
    else callOff = clock.schedule(clock.now() + LOOK, false, look);
  };
  look();
  return () => callOff();
}

function isInBackground(script: string): boolean {
  return /(?<!&)&(?!&|>|\d)/.test(script.replace(/>&/g, ""));
}

function isShell(command: string): boolean {
  return /^\S*sh\s.*-c\s/.test(command);
}

/** Whether this is npm (or npx, pnpm, yarn) itself, or the shell in which it runs the script. */
function isOfNpm(command: string, script: string): boolean {
  if (isShell(command)) return command.includes(script);
  return /^(npm|npx|pnpm|yarn)\b|\/(npm|npx|pnpm|yarn)([-/.\s]|$)/.test(command);
}

const SYSTEM: Processes = {
  parent: () => process.ppid,
  find: (pid) => fromProc(pid) ?? fromPs(pid),
  cheap: process.platform === "linux",
};

function fromProc(pid: number): Ancestor | undefined {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold anything: the parent is the second field behind it.
    const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    return { pid, parent, command };
  } catch {
    return undefined;
  }
}

/** For systems without /proc. */
function fromPs(pid: number): Ancestor | undefined {
  if (process.platform === "linux" || process.platform === "win32") return undefined;
  try {
    const line = execFileSync("ps", ["-o", "ppid=,command=", "-p", String(pid)], { encoding: "utf8" }).trim();
    const [, parent, command] = /^(\d+)\s+(.*)$/s.exec(line) ?? [];
    return command === undefined ? undefined : { pid, parent: Number(parent), command };
  } catch {
    return undefined;
  }
}
