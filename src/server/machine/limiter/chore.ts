/** What is left to do for the keys of limiters, and when the next of it is done. */

import type { Due } from "../structures/indexed-heap.ts";
import type { Instance, Limiter } from "./limiter.ts";

export interface Chores extends Due {
  readonly kind: "chores";
  /** In the order in which they are done. */
  readonly left: Chore[];
}

export interface Chore {
  /** To bring its buckets through changes of its rate and keep them so, or to drop what is kept of its buckets, since it is gone. */
  readonly what: "catch-up" | "drop";
  readonly limiter: Limiter;
  /** How many changes of its rate there had been when it was begun. */
  readonly rateChanges: number;
  /** The keys that are left. */
  readonly rest: Iterator<Instance>;
}

export function createChores(): Chores {
  return { kind: "chores", left: [], dueAt: 0, heapIndex: -1 };
}
