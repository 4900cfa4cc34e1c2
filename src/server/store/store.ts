/** The port for what must outlive more than the step that decided it. */

import type { BoardChange } from "../machine/board/command.ts";
import type { Change } from "../machine/command.ts";

export interface Store {
  /**
   * Keeps changes, in the order given. Undefined: they are as safe as they will be; else that is so when the promise
   * resolves, and nothing that was decided with them is said before.
   */
  keep(changes: readonly (Change | BoardChange)[]): Promise<void> | undefined;
  close(): Promise<void>;
}

/** Keeps nothing beyond the process: the machine's own state is the record. */
export function createMemoryStore(): Store {
  return { keep: () => undefined, close: () => Promise.resolve() };
}
