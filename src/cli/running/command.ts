/** A command that runs under a lease: started, signalled, stopped. */

import { spawn } from "node:child_process";
import type { Writable } from "node:stream";
import { isatty } from "node:tty";
import type { Clock } from "../../client/rpc/clock.ts";
import { environmentWith, type Variables } from "../session/environment.ts";
import { RUN_EXIT } from "../session/exit-codes.ts";
import { exitCodeOf } from "../session/signals.ts";

export interface CommandOptions {
  readonly file: string;
  readonly args: readonly string[];
  /** Set or unset in its environment. */
  readonly variables: Variables;
  /** ms that it is given to end after it was asked to stop, before it is killed. */
  readonly killAfter: number;
  /** Undefined: it has this process's standard input and output. */
  readonly pipes?: CommandPipes;
}

interface CommandPipes {
  /** What it can read. */
  readonly input: string;
  /** Where what it writes goes. The command has not ended before that has, unless it was stopped. */
  readonly output: Writable;
}

export interface RunningCommand {
  /** Resolves when it has ended; never rejects. */
  readonly ended: Promise<CommandEnd>;
  /** Passes on a signal that this process was sent. */
  forward(signal: NodeJS.Signals): void;
  /** SIGTERM now, SIGKILL after `killAfter`. Doing it twice is harmless. */
  stop(): void;
}

export type CommandEnd =
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "signalled"; readonly signal: NodeJS.Signals }
  | { readonly kind: "unstartable"; readonly isMissing: boolean; readonly message: string };

/** What the terminal's keys send, to all processes of the group in its foreground. */
const TERMINAL_SIGNALS: ReadonlySet<NodeJS.Signals> = new Set(["SIGINT", "SIGQUIT", "SIGHUP"]);

/** ms between two looks at whether the last process of a stopped command has gone. */
const GROUP_LOOK = 50;

/**
 * On a terminal the command shares this process's group, so that keys such as Ctrl-C reach it as they do any command;
 * they are not passed on, or it would hear them twice. Elsewhere it leads a group of its own, so that stopping it stops
 * what it has started too.
 */
export function startCommand(
  { file, args, variables, killAfter, pipes }: CommandOptions,
  clock: Clock,
): RunningCommand {
  const ownsGroup = ![0, 1, 2].some(isatty);
  const child = spawn(file, args, {
    stdio: pipes === undefined ? "inherit" : ["pipe", "pipe", "inherit"],
    env: environmentWith(variables),
    detached: ownsGroup,
  });
  const { promise: ended, resolve } = Promise.withResolvers<CommandEnd>();
  let isStopping = false;
  let isKilled = false;
  let callOffKill = () => {};
  let exit: CommandEnd | undefined;

  if (pipes !== undefined) {
    // One that does not read is none that fails.
    child.stdin?.on("error", () => {}).end(pipes.input);
    child.stdout?.pipe(pipes.output);
  }
  child.on("error", (error: NodeJS.ErrnoException) => {
    if (child.pid === undefined) resolve(unstartable(file, error));
  });
  child.on("exit", (code, signal) => {
    exit = signal === null ? { kind: "exited", code: code ?? 0 } : { kind: "signalled", signal };
    if (pipes === undefined || isStopping) finish(exit);
  });
  child.on("close", () => {
    if (exit !== undefined) finish(exit);
  });

  /** A stopped command has ended when all of its group has, or has been killed. */
  function finish(end: CommandEnd): void {
    if (isStopping && ownsGroup && !isKilled && send(0)) {
      clock.schedule(GROUP_LOOK, () => finish(end));
      return;
    }
    callOffKill();
    resolve(end);
  }

  /** Whether there was a process to send it to. */
  function send(signal: NodeJS.Signals | 0): boolean {
    if (child.pid === undefined) return false;
    if (!ownsGroup) return child.kill(signal);
    try {
      return process.kill(-child.pid, signal);
    } catch {
      return false;
    }
  }

  return {
    ended,
    forward(signal) {
      if (ownsGroup || !TERMINAL_SIGNALS.has(signal)) send(signal);
    },
    stop() {
      if (isStopping) return;
      isStopping = true;
      send("SIGTERM");
      // One that was halted would not hear of it.
      send("SIGCONT");
      callOffKill = clock.schedule(killAfter, () => {
        isKilled = true;
        send("SIGKILL");
        // A process that has left the group may write for ever.
        if (exit !== undefined) finish(exit);
      });
    },
  };
}

function unstartable(file: string, { code, message }: NodeJS.ErrnoException): CommandEnd {
  if (code === "ENOENT") return { kind: "unstartable", isMissing: true, message: `${file}: command not found` };
  const words = code === "EACCES" ? "permission denied" : message;
  return { kind: "unstartable", isMissing: false, message: `${file}: ${words}` };
}

/** Returns the exit code that says how a command has ended, as shells do. */
export function exitCodeOfEnd(end: CommandEnd): number {
  switch (end.kind) {
    case "exited":
      return end.code;
    case "signalled":
      return exitCodeOf(end.signal);
    case "unstartable":
      return end.isMissing ? RUN_EXIT.notFound : RUN_EXIT.notExecutable;
  }
}
