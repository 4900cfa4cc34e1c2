/**
 * The queue of one instance, in order of arrival, that any waiter can leave in O(1).
 *
 * A waiter whose connection was lost may come back to its old place. While it is away it stands in no order: it blocks
 * no other waiter, does not count in its place, and costs nothing. One that came back cannot be linked in without walking to its
 * place, so those stand in a heap beside the list, and the next to be served is the earlier of the two heads. Whatever
 * comes and goes in whatever order, an operation is O(1), or O(log n) in how many have come back.
 */

import { type Due, IndexedHeap } from "./indexed-heap.ts";

/** A node; the queued thing extends it, so that queueing allocates nothing. */
export interface FifoNode<T extends FifoNode<T>> {
  /** Rises with each arrival; the queue is sorted by it. */
  readonly arrival: number;
  present: boolean;
  previous: T | undefined;
  next: T | undefined;
}

/** The entry of a node that came back: what it is sorted by, `dueAt`, is the node's arrival. */
interface Returned<T> extends Due {
  readonly node: T;
}

export class Fifo<T extends FifoNode<T>> {
  /** Those that never left, a linked list. */
  #oldest: T | undefined = undefined;
  #newest: T | undefined = undefined;
  #presentCount = 0;
  /** Those that left and came back, and those that have not; made when the first leaves, since in most queues none does. */
  #returned: IndexedHeap<Returned<T>> | undefined = undefined;
  #entries: Map<T, Returned<T>> | undefined = undefined;
  #away: Set<T> | undefined = undefined;

  /** The next to be served. */
  get first(): T | undefined {
    const oldest = this.#oldest;
    const returned = this.#returned?.first?.node;
    if (returned === undefined) return oldest;
    return oldest === undefined || returned.arrival < oldest.arrival ? returned : oldest;
  }

  /** The last to be served of those that never left; undefined if there is none. */
  get last(): T | undefined {
    return this.#newest;
  }

  /** How many are present. */
  get presentCount(): number {
    return this.#presentCount;
  }

  /** How many there are, those away included. */
  get size(): number {
    return this.#presentCount + (this.#away?.size ?? 0);
  }

  /** Puts a present node behind all others. */
  append(node: T): void {
    node.previous = this.#newest;
    if (this.#newest) this.#newest.next = node;
    else this.#oldest = node;
    this.#newest = node;
    this.#presentCount += 1;
  }

  /** Takes a node out, present or away. */
  remove(node: T): void {
    if (node.present) this.#unlink(node);
    else this.#away?.delete(node);
  }

  /** Marks a present node away; it keeps its place. */
  leave(node: T): void {
    node.present = false;
    this.#unlink(node);
    this.#away ??= new Set();
    this.#away.add(node);
  }

  /** Marks a node that is away present again, in its old place. */
  comeBack(node: T): void {
    node.present = true;
    this.#away?.delete(node);
    const entry = { node, dueAt: node.arrival, heapIndex: -1 };
    this.#returned ??= new IndexedHeap();
    this.#returned.set(entry, node.arrival);
    this.#entries ??= new Map();
    this.#entries.set(node, entry);
    this.#presentCount += 1;
  }

  /** Those present, in order; the queue may not change meanwhile. */
  *present(): IterableIterator<T> {
    const returned = this.#returned?.size ? inOrder(Array.from(this.#returned.items(), ({ node }) => node)) : undefined;
    let next = 0;
    for (let node = this.#oldest; node; node = node.next) {
      for (let back = returned?.[next]; back && back.arrival < node.arrival; back = returned?.[++next]) yield back;
      yield node;
    }
    if (returned) yield* returned.slice(next);
  }

  /** All, those away included, in order; the queue may not change meanwhile. */
  all(): Iterable<T> {
    return this.#away?.size ? inOrder([...this.present(), ...this.#away]) : this.present();
  }

  #unlink(node: T): void {
    this.#presentCount -= 1;
    const entry = this.#entries?.get(node);
    if (entry !== undefined) {
      this.#returned?.clear(entry);
      this.#entries?.delete(node);
      return;
    }
    if (node.previous) node.previous.next = node.next;
    else this.#oldest = node.next;
    if (node.next) node.next.previous = node.previous;
    else this.#newest = node.previous;
    node.previous = undefined;
    node.next = undefined;
  }
}

function inOrder<T extends FifoNode<T>>(nodes: T[]): T[] {
  return nodes.sort((a, b) => a.arrival - b.arrival);
}
