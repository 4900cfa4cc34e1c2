/** Signals that this process is sent. */

import { constants } from "node:os";
import { SIGNAL_BASE } from "./exit-codes.ts";

/** Signals that ask a process to end. */
export const ENDING_SIGNALS: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/** Signals that are passed on to a command that runs. */
export const PASSED_ON_SIGNALS: readonly NodeJS.Signals[] = [...ENDING_SIGNALS, "SIGQUIT", "SIGUSR1", "SIGUSR2"];

/** Thrown where a signal ended a command before its work began. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  readonly signal: NodeJS.Signals;

  constructor(signal: NodeJS.Signals) {
    super(`interrupted by ${signal}`);
    this.signal = signal;
  }
}

/** Calls the listener with these signals, instead of their default, until it is disposed of. */
export function hearSignals(
  signals: readonly NodeJS.Signals[],
  listener: (signal: NodeJS.Signals) => void,
): Disposable {
  for (const signal of signals) process.on(signal, listener);
  return {
    [Symbol.dispose]() {
      for (const signal of signals) process.off(signal, listener);
    },
  };
}

/** Returns the exit code of a process that a signal ended, as shells do. */
export function exitCodeOf(signal: NodeJS.Signals): number {
  return SIGNAL_BASE + constants.signals[signal];
}
