/**
 * System calls of a running server that fail, by strace: between the process and the kernel, so that the caller, by any
 * library, sees them fail; only on the files that are named; from the n-th call on, so that a number says where in a
 * commit it is; and until strace lets go, so that a disk can have room again.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "vitest";
import { requireTool } from "../../../support/require-tool.ts";

/** What becomes of system calls: they come to nothing but an error, or come late, or both. */
export interface Fault {
  readonly name: string;
  /** As strace lists them: `fsync,fdatasync`. */
  readonly calls: string;
  /** A delay is in µs. */
  readonly effect: "error=EIO" | "error=ENOSPC" | `error=EIO:delay_enter=${number}` | `delay_enter=${number}`;
  /** In the data folder. */
  readonly files: readonly string[];
}

export interface Tracer extends AsyncDisposable {
  /** Resolves when so many more calls have failed. */
  failures(count: number): Promise<void>;
  /** Lets go: from here on all goes well again. Harmless when the server has ended. */
  lift(): Promise<void>;
}

/** Skips the test, by name, where there is no strace or it may not be used; in CI it fails instead. */
export function requireStrace(context: TestContext): void {
  const install = "apt-get install strace";
  requireTool(context, { name: "strace", probe: ["strace", "-o", "/dev/null", "true"], install });
}

/** For a program that is started under it. `from`: the first call that fails, counted from 1. */
export function faultArguments(folder: string, { calls, effect, files }: Fault, from: number): readonly string[] {
  return [...pathArguments(folder, files), "-e", `trace=${calls}`, "-e", `inject=${calls}:${effect}:when=${from}+`];
}

/** From the call `from` on, counted from 1. Resolves when it has taken hold. */
export async function injectFault(options: {
  readonly pid: number | undefined;
  readonly folder: string;
  readonly fault: Fault;
  readonly from: number;
}): Promise<Tracer> {
  const { pid, folder, fault, from } = options;
  let failed = 0;
  let onFailure = () => {};
  const tracer = await attach(pid, faultArguments(folder, fault, from), (line) => {
    if (!line.includes("(INJECTED)")) return;
    failed += 1;
    onFailure();
  });
  return {
    ...tracer,
    failures(count) {
      const wanted = failed + count;
      return new Promise((resolve) => {
        onFailure = () => {
          if (failed >= wanted) resolve();
        };
      });
    },
  };
}

/** Notes in a file, line by line, what is written and what is synced. */
export async function noteWrites(options: {
  readonly pid: number | undefined;
  readonly folder: string;
  readonly files: readonly string[];
  readonly noteFile: string;
}): Promise<Pick<Tracer, "lift" | typeof Symbol.asyncDispose>> {
  const { pid, folder, files, noteFile } = options;
  const whole = ["-y", "-xx", "-s", "1000000", "-o", noteFile];
  return attach(pid, [
    ...pathArguments(folder, files),
    ...whole,
    "-e",
    "trace=pwrite64,write,ftruncate,fsync,fdatasync",
  ]);
}

function pathArguments(folder: string, files: readonly string[]): readonly string[] {
  return files.flatMap((name) => ["-P", join(folder, name)]);
}

async function attach(pid: number | undefined, args: readonly string[], onLine: (line: string) => void = () => {}) {
  const child = spawn("strace", ["-f", "-p", String(pid), ...args], { stdio: ["ignore", "ignore", "pipe"] });
  const exited = once(child, "exit");
  const { promise: attached, resolve } = Promise.withResolvers<void>();
  const text: string[] = [];
  createInterface(child.stderr).on("line", (line) => {
    text.push(line);
    if (line.includes(" attached")) resolve();
    onLine(line);
  });
  const lift = async () => {
    child.kill("SIGTERM");
    await exited;
  };
  const ended = exited.then(() => {
    throw new Error(`strace has not taken hold: ${text.join("\n")}`);
  });
  await Promise.race([attached, ended]);
  ended.catch(() => {});
  return { lift, [Symbol.asyncDispose]: lift };
}
