/** Where the server keeps its data, as far as the file leaves that open. */

import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import type { Variables } from "./yaml/interpolate.ts";

export interface DataChoice {
  /** An absolute path; undefined: nothing is kept. */
  readonly folder: string | undefined;
  readonly by: "option" | "variable" | "default";
}

export const DATA_OPTION = "--data";
export const DATA_VARIABLE = "BACKPRESSURE_DATA";

/** What stands for no folder; one of that name is `./none`. */
const NONE = "none";

/** Reads what `--data` or BACKPRESSURE_DATA says. A relative path is from where the server is started. */
export function readDataChoice(value: string, by: "option" | "variable"): DataChoice {
  return { folder: value === NONE ? undefined : resolve(value), by };
}

/**
 * Returns the folder of a server that is given none: `backpressure` in the user's folder for state, as the XDG Base Directory
 * Specification has it. Undefined: this user has no such folder.
 */
export function defaultDataChoice(variables: Variables, passwordHome = homedir): DataChoice | undefined {
  const { XDG_STATE_HOME: state = "", HOME: home } = variables;
  // The specification has relative paths ignored.
  if (isAbsolute(state)) return { folder: join(state, "backpressure"), by: "default" };
  const from = home || orUndefined(passwordHome);
  if (from === undefined || !isAbsolute(from)) return undefined;
  return { folder: join(from, ".local", "state", "backpressure"), by: "default" };
}

/** A user without an entry in the password file has no home: the system's call throws. */
function orUndefined(read: () => string): string | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
