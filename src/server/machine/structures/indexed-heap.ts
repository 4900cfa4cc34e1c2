/** A heap of what falls due, earliest first: set, move and clear in O(log n), the earliest in O(1). */

/** What can fall due; it carries its own place in the heap. */
export interface Due {
  /** µs; meaningful while `heapIndex` is not -1. */
  dueAt: number;
  /** -1: not in the heap. */
  heapIndex: number;
}

export class IndexedHeap<T extends Due> {
  readonly #heap: T[] = [];
  /** `dueAt` of each, side by side: finding the way through a large heap by its items would be a cache miss a step. */
  readonly #times: number[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** What falls due first, if anything does. */
  get first(): T | undefined {
    return this.#heap[0];
  }

  /** When the earliest falls due; Infinity if nothing does. */
  get earliest(): number {
    return this.#times[0] ?? Number.POSITIVE_INFINITY;
  }

  /** Sets or moves a deadline. */
  set(item: T, dueAt: number): void {
    const before = item.heapIndex === -1 ? Number.POSITIVE_INFINITY : item.dueAt;
    item.dueAt = dueAt;
    if (item.heapIndex === -1) {
      item.heapIndex = this.#heap.length;
      this.#heap.push(item);
      this.#times.push(dueAt);
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
    this.#times.pop();
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
    const { dueAt } = item;
    let index = item.heapIndex;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (this.#timeAt(parent) <= dueAt) break;
      this.#place(this.#heap[parent] as T, index);
      index = parent;
    }
    this.#place(item, index);
  }

  #sink(item: T): void {
    const { dueAt } = item;
    const size = this.#heap.length;
    let index = item.heapIndex;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= size) break;
      if (child + 1 < size && this.#timeAt(child + 1) < this.#timeAt(child)) child += 1;
      if (this.#timeAt(child) >= dueAt) break;
      this.#place(this.#heap[child] as T, index);
      index = child;
    }
    this.#place(item, index);
  }

  #place(item: T, index: number): void {
    this.#heap[index] = item;
    this.#times[index] = item.dueAt;
    item.heapIndex = index;
  }

  #timeAt(index: number): number {
    return this.#times[index] as number;
  }
}
