/** Searches for secrets what processes write that tests start, on its way to whoever reads it. Done once, by being imported. */

import childProcess, { ChildProcess } from "node:child_process";
import { syncBuiltinESMExports } from "node:module";
import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import { createSearch, search } from "./leaks.ts";
import { isAnswer, isTestRun } from "./owners.ts";

/** Words of a command line that say which process it is. */
const WORDS = 4;

tapSpawned();
tapSpawnedSync();

/** `spawn`, `fork` and `execFile` all come here. */
function tapSpawned(): void {
  const prototype = ChildProcess.prototype as unknown as { spawn(options: { readonly args: string[] }): number };
  const { spawn } = prototype;
  prototype.spawn = function (this: ChildProcess, options) {
    const result = spawn.call(this, options);
    if (isTestRun(options.args)) return result;
    if (!isAnswer(options.args)) tap(this.stdout, `the standard output of ${nameOf(options.args)}`);
    tap(this.stderr, `the standard error of ${nameOf(options.args)}`);
    return result;
  };
}

/** A listener would begin to read, and what is read before its reader listens would be lost to it. */
function tap(stream: Readable | null | undefined, from: string): void {
  if (stream === null || stream === undefined) return;
  const decoder = new StringDecoder("utf8");
  const take = createSearch(from);
  const push = stream.push.bind(stream);
  stream.push = (chunk: Buffer | null, encoding) => {
    take(chunk === null ? `${decoder.end()}\n` : decoder.write(chunk));
    return push(chunk, encoding);
  };
}

function tapSpawnedSync(): void {
  const { spawnSync } = childProcess;
  childProcess.spawnSync = ((...given: Parameters<typeof spawnSync>) => {
    const result = spawnSync(...given);
    const [file, args = []] = given;
    const words = [file, ...args];
    if (!isAnswer(words)) search(`the standard output of ${nameOf(words)}`, String(result.stdout ?? ""));
    search(`the standard error of ${nameOf(words)}`, String(result.stderr ?? ""));
    return result;
  }) as typeof spawnSync;
  syncBuiltinESMExports();
}

/** The program and its first words that are no flags. */
function nameOf(args: readonly string[]): string {
  const words = args.filter((word) => !word.startsWith("-") && !word.startsWith("file:"));
  return words
    .slice(0, WORDS)
    .map((word) => word.slice(word.lastIndexOf("/") + 1))
    .join(" ");
}
