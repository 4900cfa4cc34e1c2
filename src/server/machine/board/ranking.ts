/** Cards in the order in which they are pulled: by priority, then by age on the board. O(log n) in cards. */

import { Deadlines } from "../deadlines.ts";
import type { Card } from "./model.ts";

export const MAX_PRIORITY = 1_000;
/** More cards than are ever added: 2,001 priorities of so many fit a double exactly. */
const SERIALS = 2 ** 42;

export class Ranking {
  readonly #heap = new Deadlines<Card>();

  get size(): number {
    return this.#heap.size;
  }

  get best(): Card | undefined {
    return this.#heap.first;
  }

  put(card: Card): void {
    this.#heap.set(card, (MAX_PRIORITY - card.content.priority) * SERIALS + card.serial);
  }

  remove(card: Card): void {
    this.#heap.clear(card);
  }

  /** All of them, as the heap has them. */
  items(): Iterable<Card> {
    return this.#heap.items();
  }
}
