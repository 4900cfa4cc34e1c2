/** The real server in a process of its own, started as people start it. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { NODE_FLAGS } from "./node-flags.ts";
import { FREE_PORTS } from "./server.ts";

export interface ServerProcess extends AsyncDisposable {
  readonly process: ChildProcess;
  /** host:port */
  readonly address: string;
  /** http://host:port */
  readonly url: string;
  /**
   * Resolves with the next line of the log that has this message, said since the last one that was asked for. Rejects with
   * the whole log if the process ends before.
   */
  logged(message: RegExp): Promise<LogLine>;
  /** Replaces the configuration, as an editor does: by a rename. `yaml` is all but the listeners. */
  configure(yaml: string): void;
  /** Sends a signal, to this process and to no other. */
  signal(name: NodeJS.Signals): void;
  /** How it ended. */
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
}

type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string };

const END_WITH_PARENT = new URL("end-with-parent.ts", import.meta.url).href;
/** The greeting of an older version, with which a benchmark compares. */
const SENTENCE = /^backpressure serves gRPC on (\S+), Connect and gRPC-Web on (\S+)/;
const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

export interface ServerProcessOptions {
  /** For Node itself. */
  readonly nodeArguments?: readonly string[];
  /** After `serve`. */
  readonly flags?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** The command line's program; unset: this checkout's. */
  readonly main?: string;
}

/** Resolves when it serves; rejects with its log if it ends before. Its disposal kills it. */
export async function startServerProcess(
  yaml: string,
  { nodeArguments = [], flags = [], env = {}, main = MAIN }: ServerProcessOptions = {},
): Promise<ServerProcess> {
  const folder = mkdtempSync(join(tmpdir(), "backpressure-"));
  const path = join(folder, "backpressure.yaml");
  const configure = (text: string) => {
    writeFileSync(`${path}.new`, `${FREE_PORTS}${text}`);
    renameSync(`${path}.new`, path);
  };
  configure(yaml);
  const child = spawn(
    process.execPath,
    [...NODE_FLAGS, "--import", END_WITH_PARENT, ...nodeArguments, main, "serve", "--config", path, ...flags],
    { stdio: ["ignore", "pipe", "pipe", "ipc"], env: { ...process.env, ...env } },
  );
  const exited = once(child, "close").then(([code, signal]) => ({ code, signal }));
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => rmSync(folder, { recursive: true }));
  cleanup.defer(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  const log = readLog(child);
  const { address, url } = await Promise.race([readGreeting(child), exited.then(() => log.fail())]);
  const own = cleanup.move();
  return {
    process: child,
    address,
    url,
    logged: (message) => Promise.race([log.next(message), exited.then(() => log.fail())]),
    configure,
    signal(name) {
      if (child.exitCode === null && child.signalCode === null) child.kill(name);
    },
    exited,
    [Symbol.asyncDispose]: () => own.disposeAsync(),
  };
}

/** Pending for ever if it says none. */
function readGreeting({ stdout }: ChildProcess): Promise<{ readonly address: string; readonly url: string }> {
  if (stdout === null) throw new Error("the server has no standard output");
  return new Promise((resolve) => {
    createInterface(stdout).on("line", (line) => {
      const [, address, url] = SENTENCE.exec(line) ?? [];
      if (address !== undefined && url !== undefined) resolve({ address, url });
      if (!line.startsWith("{")) return;
      const { grpc, web } = JSON.parse(line);
      resolve({ address: grpc, url: web });
    });
  });
}

function readLog({ stderr }: ChildProcess): { next(message: RegExp): Promise<LogLine>; fail(): never } {
  if (stderr === null) throw new Error("the server has no standard error");
  const lines: LogLine[] = [];
  const text: string[] = [];
  let read = 0;
  let onLine = () => {};
  createInterface(stderr).on("line", (line) => {
    text.push(line);
    if (!line.startsWith("{")) return;
    lines.push(JSON.parse(line));
    onLine();
  });
  const search = (message: RegExp): LogLine | undefined => {
    while (read < lines.length) {
      const line = lines[read] as LogLine;
      read += 1;
      if (message.test(line.msg)) return line;
    }
    return undefined;
  };
  return {
    next: (message) =>
      new Promise((resolve) => {
        onLine = () => {
          const line = search(message);
          if (line === undefined) return;
          onLine = () => {};
          resolve(line);
        };
        onLine();
      }),
    fail() {
      throw new Error(`the server has ended: ${text.join("\n")}`);
    },
  };
}
