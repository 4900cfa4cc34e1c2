/** A heap of what falls due, earliest first: set, move and clear in O(log n), the earliest in O(1). */

/** What can fall due; it carries its own place in the heap. */
export interface Due {
  /** µs; meaningful while `heapIndex` is not -1. */
  dueAt: number;
  /** -1: not in the heap. */
  heapIndex: number;
}

export class Deadlines<T extends Due> {
  readonly #heap: T[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** What falls due first, if anything does. */
  get first(): T | undefined {
    return this.#heap[0];
  }

  /** When the earliest falls due; Infinity if nothing does. */
  get earliest(): number {
    return this.first?.dueAt ?? Number.POSITIVE_INFINITY;
  }

  /** Sets or moves a deadline. */
  set(item: T, dueAt: number): void {
    const before = item.heapIndex === -1 ? Number.POSITIVE_INFINITY : item.dueAt;
    item.dueAt = dueAt;
    if (item.heapIndex === -1) {
      item.heapIndex = this.#heap.length;
      this.#heap.push(item);
    }
    if (dueAt <= before) this.#rise(item);
    else this.#sink(item);
  }

  /** Takes a deadline out, if it is in. */
  clear(item: T): void {
    const index = item.heapIndex;
    if (index === -1) return;
    item.heapIndex = -1;
    const last = this.#heap.pop() as T;
    if (last === item) return;
    this.#place(last, index);
    this.#rise(last);
    this.#sink(last);
  }

  /** Takes out the earliest if it is due at `now`. */
  takeDue(now: number): T | undefined {
    const item = this.first;
    if (item === undefined || item.dueAt > now) return undefined;
    this.clear(item);
    return item;
  }

  /** What is in, as the heap has it: each at its `heapIndex`, none due before the one at `(heapIndex - 1) >> 1`. */
  items(): Iterable<T> {
    return this.#heap;
  }

  #rise(item: T): void {
    let index = item.heapIndex;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = this.#at(parentIndex);
      if (parent.dueAt <= item.dueAt) break;
      this.#place(parent, index);
      index = parentIndex;
    }
    this.#place(item, index);
  }

  #sink(item: T): void {
    let index = item.heapIndex;
    const size = this.#heap.length;
    for (;;) {
      let childIndex = 2 * index + 1;
      if (childIndex >= size) break;
      if (childIndex + 1 < size && this.#at(childIndex + 1).dueAt < this.#at(childIndex).dueAt) childIndex += 1;
      const child = this.#at(childIndex);
      if (child.dueAt >= item.dueAt) break;
      this.#place(child, index);
      index = childIndex;
    }
    this.#place(item, index);
  }

  #place(item: T, index: number): void {
    this.#heap[index] = item;
    item.heapIndex = index;
  }

  #at(index: number): T {
    return this.#heap[index] as T;
  }
}
