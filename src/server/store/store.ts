/** The port for what must outlive more than the step that decided it. */

import type { BoardChange } from "../machine/board/command.ts";
import type { Change } from "../machine/command.ts";
import type { Found } from "./records/found.ts";

export interface Store {
  /** What was kept before this start. */
  readonly found: Found;
  /** Lets go of that: it is taken up. */
  forgetFound(): void;
  /** Whether some of what was kept may be missing, and for how long (µs) its holders may rely on it. */
  readonly incompleteFor: number;
  /** Under which secrets are made: 32 bytes; undefined: any that is fresh, since no holder has one of before. */
  readonly secretKey: Uint8Array | undefined;
  /** Fencing tokens up to this one may have been granted before this start. */
  readonly reserved: number;
  /** Resolves when it is on disk that tokens up to this one may be granted. */
  reserve(upTo: number): Promise<void>;
  /**
   * Keeps changes, in the order given. Undefined: their outcome may be answered at once; else when the
   * promise resolves, and nothing that was decided with them is said before.
   */
  keep(changes: readonly (Change | BoardChange)[]): Promise<void> | undefined;
  /** Why nothing can be kept now; undefined: all is well. Calls back with each change of that. */
  onHealth(listener: (problem: string | undefined) => void): void;
  /** Leaves everything kept. Doing it twice is harmless. */
  close(): Promise<void>;
}
