/**
 * The queue of one instance: a linked list in order of arrival, where anybody can leave in O(1).
 *
 * A waiter whose connection was lost may come back to its old place. Its node then stays in the list, away: it blocks
 * nobody, counts for nobody, and is passed over when the first present node is looked for.
 */

/** A node; the queued thing extends it, so that queueing allocates nothing. */
export interface FifoNode<T extends FifoNode<T>> {
  /** Rises with each arrival; the list is sorted by it. */
  readonly arrival: number;
  present: boolean;
  previous: T | undefined;
  next: T | undefined;
}

export class Fifo<T extends FifoNode<T>> {
  /** The next to be served. */
  first: T | undefined = undefined;
  /** How many are present. */
  presentCount = 0;
  /** How many there are, those away included. */
  size = 0;
  #oldest: T | undefined = undefined;
  #newest: T | undefined = undefined;

  /** Puts a present node behind all others. */
  append(node: T): void {
    node.previous = this.#newest;
    node.next = undefined;
    if (this.#newest) this.#newest.next = node;
    else this.#oldest = node;
    this.#newest = node;
    this.first ??= node;
    this.presentCount += 1;
    this.size += 1;
  }

  /** Takes a node out, present or away. */
  remove(node: T): void {
    if (node.present) this.leave(node);
    if (node.previous) node.previous.next = node.next;
    else this.#oldest = node.next;
    if (node.next) node.next.previous = node.previous;
    else this.#newest = node.previous;
    node.previous = undefined;
    node.next = undefined;
    this.size -= 1;
  }

  /** Marks a present node away; it keeps its place. */
  leave(node: T): void {
    node.present = false;
    this.presentCount -= 1;
    if (this.first === node) this.first = presentFrom(node.next);
  }

  /** Marks a node present again, in its old place. */
  comeBack(node: T): void {
    node.present = true;
    this.presentCount += 1;
    if (!this.first || node.arrival < this.first.arrival) this.first = node;
  }

  /** Those present, in order. */
  *present(): IterableIterator<T> {
    for (let node = this.first; node; node = presentFrom(node.next)) yield node;
  }

  /** All, those away included, in order. */
  *all(): IterableIterator<T> {
    for (let node = this.#oldest; node; node = node.next) yield node;
  }
}

function presentFrom<T extends FifoNode<T>>(start: T | undefined): T | undefined {
  let node = start;
  while (node && !node.present) node = node.next;
  return node;
}
