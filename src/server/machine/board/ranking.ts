/** Cards in the order in which they are pulled: by priority, then by age on the board. O(log n) in cards. */

import { Deadlines, type Due } from "../deadlines.ts";

/** What a card is ranked by; while it stands in a ranking, `dueAt` is its rank there. */
export interface Ranked extends Due {
  readonly content: { readonly priority: number };
  /** Rises with each card that is added. */
  readonly serial: number;
}

export const MAX_PRIORITY = 1_000;
/** More cards than are ever added: 2,001 priorities of so many fit a double exactly. */
const SERIALS = 2 ** 42;

export class Ranking<C extends Ranked> {
  readonly #heap = new Deadlines<C>();

  get size(): number {
    return this.#heap.size;
  }

  get best(): C | undefined {
    return this.#heap.first;
  }

  put(card: C): void {
    this.#heap.set(card, (MAX_PRIORITY - card.content.priority) * SERIALS + card.serial);
  }

  remove(card: C): void {
    this.#heap.clear(card);
  }

  /** All of them, as the heap has them. */
  items(): Iterable<C> {
    return this.#heap.items();
  }
}
