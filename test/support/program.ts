/** Any program, in a process of its own, as seen by a person in a terminal. */

import { spawn } from "node:child_process";
import { once } from "node:events";

export interface Program extends AsyncDisposable {
  /** Resolves with the match as soon as what it has printed matches; rejects if it ends before. */
  until(pattern: RegExp): Promise<RegExpExecArray>;
  /** Signals it and all that it has started; harmless when it has ended. */
  signal(name: NodeJS.Signals): void;
  /** Resolves when it has ended, and all that it has started and that could print. */
  readonly ended: Promise<Ending>;
}

interface Ending {
  /** Null: a signal has ended it. */
  readonly code: number | null;
  /** What it has printed, on both of its outputs. */
  readonly printed: string;
}

export interface ProgramOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Starts it, without input. Its disposal kills it. */
export function startProgram([file = "", ...args]: readonly string[], options: ProgramOptions = {}): Program {
  // In a group of its own: signals go to all that it starts, as Ctrl-C does.
  const child = spawn(file, args, { ...options, stdio: ["ignore", "pipe", "pipe"], detached: true });
  let printed = "";
  let isOver = false;
  const looks = new Set<() => void>();
  const look = () => {
    for (const one of looks) one();
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
      look();
    });
  }
  child.once("error", (error) => {
    printed += error.message;
  });
  const ended = once(child, "close").then(([code]) => {
    isOver = true;
    look();
    return { code: code as number | null, printed };
  });

  function signal(name: NodeJS.Signals): void {
    if (isOver || child.pid === undefined) return;
    process.kill(-child.pid, name);
  }

  return {
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const one = () => {
          const match = pattern.exec(printed);
          if (match !== null) resolve(match);
          else if (isOver) reject(new Error(`it ended without printing ${pattern}:\n${printed}`));
          else return;
          looks.delete(one);
        };
        looks.add(one);
        one();
      }),
    signal,
    ended,
    async [Symbol.asyncDispose]() {
      signal("SIGKILL");
      await ended;
    },
  };
}
