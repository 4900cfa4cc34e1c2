/** A difference between the file and what the server runs, and why. */

/**
 * `not-taken-up`: a reload does it. `needs-restart`: the server's next start does it. `refused`: a reload leaves it as it is.
 * `changed-by-rpc`: it was as the file says, and was changed by RPC since. `set-by-environment`: a variable wins over the file.
 * `made-by-rpc`: the file knows nothing of it.
 */
export type Why =
  | "not-taken-up"
  | "needs-restart"
  | "refused"
  | "changed-by-rpc"
  | "set-by-environment"
  | "made-by-rpc";

export interface Difference {
  readonly kind: "setting" | "limiter" | "board";
  /** Of a limiter or a board; empty: a setting. */
  readonly name: string;
  /** The field's path in what is named; empty: the whole. */
  readonly field: string;
  /** What the file says, and what runs; undefined: nothing. */
  readonly file: string | undefined;
  readonly running: string | undefined;
  readonly why: Why;
  /** For people: what will become of it, and what to do. */
  readonly explanation: string;
}

/** What takes the file up as it is, and when. */
export interface TakeUp {
  readonly why: "not-taken-up" | "needs-restart";
  /** `a reload (SIGHUP)`. */
  readonly by: string;
}

/** A field with two values. */
export interface Changed {
  readonly field: string;
  readonly file: string | undefined;
  readonly running: string | undefined;
}
