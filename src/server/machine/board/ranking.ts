/** Cards in an order of theirs, each of which can leave at any time. O(log n) in cards. */

import { type Due, IndexedHeap } from "../structures/indexed-heap.ts";

/** What a card is ranked by; while it stands in a ranking, `dueAt` is its rank there. */
export interface Ranked extends Due {
  readonly content: { readonly priority: number };
  /** Rises with each card that is added. */
  readonly serial: number;
  /** Rises with each entry into a stage. */
  readonly entry: number;
}

const MAX_PRIORITY = 1_000;
/** More cards than are ever added: 2,001 priorities of so many fit a double exactly. */
const SERIALS = 2 ** 42;

/** The order in which cards are pulled: by priority, then by age on the board. */
export function byPriority({ content, serial }: Ranked): number {
  return (MAX_PRIORITY - content.priority) * SERIALS + serial;
}

/** The order in which they came into their stage. */
export function byEntry({ entry }: Ranked): number {
  return entry;
}

export class Ranking<C extends Ranked> {
  readonly #rankOf: (card: C) => number;
  readonly #heap = new IndexedHeap<C>();

  constructor(rankOf: (card: C) => number) {
    this.#rankOf = rankOf;
  }

  get size(): number {
    return this.#heap.size;
  }

  /** The one that is first. */
  get best(): C | undefined {
    return this.#heap.first;
  }

  put(card: C): void {
    this.#heap.set(card, this.#rankOf(card));
  }

  remove(card: C): void {
    this.#heap.clear(card);
  }

  /** All of them, as the heap has them. */
  items(): Iterable<C> {
    return this.#heap.items();
  }
}
