/** What is kept, as the file sees it: text under a key. */

/** `body` undefined: the key is to be gone. */
export interface RowChange {
  readonly key: string;
  readonly body: string | undefined;
}

export interface Row {
  readonly key: string;
  readonly body: string;
}

/** Is handed the rows of a folder while it is opened. */
export interface RowTaker {
  take(row: Row): void;
  /** What was handed over so far does not count: all of it comes again. */
  again(): void;
}

/**
 * How safe changes are when they are said to be kept: `process`: from the end of the process, by whatever way; `disk`: from
 * a loss of power, too.
 */
export type Durability = "process" | "disk";

/** `none`: they are not kept at all. */
export type LeaseDurability = Durability | "none";

/**
 * Whether something that was said to be kept may be missing: `by-power`, the leases of which it is not known whether they had
 * come to the disk when the machine stopped; `by-damage`, anything.
 */
export type Incomplete = "no" | "by-power" | "by-damage";

/** The key of the row that says what may be missing: it stays until no holder can rely any more on what that may be. */
export const INCOMPLETE_KEY = "store:incomplete";
