/** What of a call's caller goes to the engines with its commands. */

import { ANONYMOUS, type Caller } from "../access/caller.ts";
import type { CallerBounds } from "../machine/callers.ts";

export interface CommandCaller {
  readonly caller: string;
  /** Undefined: the engine's own. */
  readonly bounds: CallerBounds | undefined;
}

/** Returns what an engine is told of a caller; asked for anew with each call, since bounds may change. */
export type CommandCallerOf = (caller: Caller) => CommandCaller;

const NOBODY: CommandCaller = { caller: ANONYMOUS.name, bounds: undefined };

/** Every caller has the engine's own bounds. */
export const byName: CommandCallerOf = (caller) =>
  caller === ANONYMOUS ? NOBODY : { caller: caller.name, bounds: undefined };
