/** What a command is given beside its own options. */

import type { Command } from "commander";
import type { Terminal } from "./terminal.ts";

export interface Context {
  readonly terminal: Terminal;
  /** Where the server is, as `--address` or the environment says. */
  readonly address: string;
  /** Whether one of them does; if not, it is the default. */
  readonly isAddressGiven: boolean;
  /** The version of this program. */
  readonly version: string;
  /** Whether answers are for scripts. */
  readonly json: boolean;
  /** What stands behind `--` on the command line; undefined: there is no `--`. */
  readonly behindDashes: readonly string[] | undefined;
}

/** Runs a command, and resolves with its exit code; throws what `failureOf` knows. */
export type Work<Arguments extends unknown[]> = (context: Context, ...args: Arguments) => Promise<number>;

/** Turns work into an action of Commander, which is called with the arguments, the options and the command. */
export type Handle = <Arguments extends unknown[]>(
  work: Work<Arguments>,
) => (...args: [...Arguments, Command]) => Promise<void>;

/** Adds arguments, options and action to a command, of which the program knows the name alone. */
export type DefineCommand = (command: Command, handle: Handle) => void;
