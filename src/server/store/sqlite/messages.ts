/** The messages between the server's thread and the store's. */

import type { Durability, Incomplete, RowChange } from "../row.ts";
import type { StoreError } from "./damage.ts";

export type ToWorker =
  | { readonly kind: "commit"; readonly changes: readonly RowChange[]; readonly durability: Durability }
  | { readonly kind: "close" };

export type FromWorker =
  /** Rows of the folder while it is opened, key and body in turns; `again`: earlier rows are discarded. */
  | { readonly kind: "rows"; readonly again: boolean; readonly rows: readonly string[] }
  | { readonly kind: "open"; readonly incomplete: Incomplete }
  | { readonly kind: "not-opened"; readonly reason: StoreError["kind"]; readonly message: string }
  /** `logGrows`: why the log cannot be written into the database; undefined: it can. */
  | { readonly kind: "committed"; readonly logGrows: string | undefined }
  /**
   * The commit failed as a whole, or the folder could not be closed. `full`: there was no room, which may change; else
   * the file cannot be used any more.
   */
  | { readonly kind: "failed"; readonly full: boolean; readonly message: string }
  | { readonly kind: "closed" };
