/** The port for changes that must outlive the process. */

import type { BoardChange } from "../machine/board/command.ts";
import type { Change } from "../machine/limiter/command.ts";
import type { HistogramCounts } from "../machine/structures/histogram.ts";
import type { Found } from "./records/found.ts";

/** What was measured of a store. */
export interface StoreFigures {
  /** How long commits have taken that were kept. */
  readonly commits: HistogramCounts;
  /** Bytes that it takes on the disk. */
  readonly bytes: number;
}

export interface Store {
  /** What was kept before this start. */
  readonly found: Found;
  /** Frees `found`, once it is taken up. */
  forgetFound(): void;
  /** Whether some of what was kept may be missing, and for how long (µs) its holders may rely on it. */
  readonly incompleteFor: number;
  /** 32 bytes under which secrets are made; undefined: a fresh one will do, since no holder has an earlier secret. */
  readonly secretKey: Uint8Array | undefined;
  /** Fencing tokens up to this one may have been granted before this start. */
  readonly reserved: number;
  /** Resolves when it is on disk that tokens up to this one may be granted. */
  reserve(upTo: number): Promise<void>;
  /**
   * Keeps changes, in the order given. Returns undefined if their outcome may be answered at once; else it is answered
   * when the promise resolves, and nothing that was decided with them is answered before.
   */
  keep(changes: readonly (Change | BoardChange)[]): Promise<void> | undefined;
  /** Calls back with each change of the store's health: why nothing can be kept now; undefined: all is well. */
  onHealth(listener: (problem: string | undefined) => void): void;
  /** Undefined: nothing is kept. */
  figures(): Promise<StoreFigures | undefined>;
  /** Leaves everything kept. Doing it twice is harmless. */
  close(): Promise<void>;
}
