/** Rows: what is kept, as text under a key. */

/** `body` undefined: the row is removed. */
export interface RowChange {
  readonly key: string;
  readonly body: string | undefined;
}

export interface Row {
  readonly key: string;
  readonly body: string;
}

/** Takes the rows of a folder while it is opened. */
export interface RowTaker {
  take(row: Row): void;
  /** Discards the rows so far: all of them come again. */
  again(): void;
}

/**
 * What kept changes survive. `process`: any end of the process; `disk`: a loss of power, too.
 */
export type Durability = "process" | "disk";

/** `none`: they are not kept at all. */
export type LeaseDurability = Durability | "none";

/**
 * Whether something that was kept may be missing. `by-power`: leases that may not have reached the disk before the
 * machine stopped; `by-damage`: anything.
 */
export type Incomplete = "no" | "by-power" | "by-damage";

/** The key of the row that says what may be missing. It stays until no holder can rely on a missing lease any more. */
export const INCOMPLETE_KEY = "store:incomplete";
