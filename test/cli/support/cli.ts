/** The command line as a process of its own. */

import { type ChildProcessByStdio, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readlinkSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliProcess extends AsyncDisposable {
  /**
   * Resolves as soon as standard output, or standard error, has this in it, behind the last `after` where one is given;
   * rejects if the process ends before.
   */
  until(stream: "stdout" | "stderr", text: string, after?: string): Promise<void>;
  kill(signal: NodeJS.Signals): void;
  /** Signals the process that it has started: on a terminal that is the command line itself. */
  signalChild(signal: NodeJS.Signals): void;
  /** Gives the terminal that it runs on another size. */
  resize(columns: number, rows: number): void;
  type(text: string): void;
  closeInput(): void;
  /** Reads its standard output no more. */
  closeOutput(): void;
  /** Resolves when it has ended itself. */
  readonly exited: Promise<unknown>;
  /** Resolves when it has ended, and everything that it had started and that could write. */
  readonly result: Promise<CliResult>;
}

export interface CliOptions {
  readonly address?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Default: /dev/null. */
  readonly input?: "pipe" | "ignore";
}

const MAIN = fileURLToPath(new URL("../../../src/cli/main.ts", import.meta.url));

/** Starts `backpressure` with these arguments, away from any terminal. */
export function startCli(args: readonly string[], options?: CliOptions): CliProcess {
  return start(process.execPath, [MAIN, ...args], options);
}

/**
 * Starts it on a terminal, which script(1) of util-linux makes; what is typed goes to its standard input, and both of its
 * outputs are one. Its own exit code is script's: the shell that script starts gives way to it, since some answer a
 * Ctrl-C themselves.
 */
export function startCliOnTerminal(args: readonly string[], options?: CliOptions): CliProcess {
  const words = [process.execPath, MAIN, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`);
  return startOnTerminal(words.join(" "), options);
}

/** Starts a command of the shell on a terminal in the same way. */
export function startOnTerminal(command: string, options?: CliOptions): CliProcess {
  return start("script", ["-qefc", `exec ${command}`, "/dev/null"], {
    ...options,
    env: { ...options?.env, SHELL: "/bin/sh" },
    input: "pipe",
  });
}

function start(file: string, args: readonly string[], { address, env, input = "ignore" }: CliOptions = {}): CliProcess {
  const child = spawn(file, args, {
    stdio: [input, "pipe", "pipe"],
    env: { ...process.env, ...(address === undefined ? {} : { BACKPRESSURE_ADDRESS: address }), ...env },
  }) as ChildProcessByStdio<Writable | null, Readable, Readable>;
  const written = { stdout: "", stderr: "" };
  const look = new Set<() => void>();
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      written[name] += text;
      for (const each of look) each();
    });
  }
  const result = once(child, "close").then(([code]) => ({ code: code as number | null, ...written }));

  return {
    result,
    exited: once(child, "exit"),
    closeOutput: () => void child.stdout.destroy(),
    kill: (signal) => void child.kill(signal),
    signalChild: (signal) => void process.kill(startedBy(child.pid), signal),
    resize(columns, rows) {
      const terminal = readlinkSync(`/proc/${startedBy(child.pid)}/fd/0`);
      execFileSync("stty", ["-F", terminal, "cols", `${columns}`, "rows", `${rows}`]);
    },
    type: (text) => void child.stdin?.write(text),
    closeInput: () => void child.stdin?.end(),
    until(stream, text, after = "") {
      return new Promise((resolve, reject) => {
        const check = () => {
          const said = written[stream];
          const from = after === "" ? 0 : said.lastIndexOf(after);
          if (from === -1 || !said.includes(text, from)) return;
          look.delete(check);
          resolve();
        };
        look.add(check);
        check();
        void result.then(({ code, stdout, stderr }) =>
          reject(new Error(`it ended with ${code} before it said "${text}":\n${stdout}${stderr}`)),
        );
      });
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await result;
    },
  };
}

/** The process that another has started. */
function startedBy(pid: number | undefined): number {
  const [started] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ");
  return Number(started);
}

/** Runs it to its end. */
export async function cli(args: readonly string[], options?: CliOptions): Promise<CliResult> {
  return startCli(args, options).result;
}
