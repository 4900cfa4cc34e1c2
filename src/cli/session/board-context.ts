/** What a command is given that is about one board. */

import type { Command } from "commander";
import type { Context } from "./context.ts";

export interface BoardContext extends Context {
  /** The board's name, as `--board` or the environment says. */
  readonly board: string;
}

/** As `Handle`, for work on a board. */
export type HandleOnBoard = <Arguments extends unknown[]>(
  work: (context: BoardContext, ...args: Arguments) => Promise<number>,
) => (...args: [...Arguments, Command]) => Promise<void>;

/** As `DefineCommand`, for a command of `board`. */
export type DefineBoardCommand = (command: Command, handle: HandleOnBoard) => void;
