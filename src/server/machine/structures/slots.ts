/** Numbers for permits: each is given to one live claim at a time, the lowest free one first. */
export class Slots {
  /** All slots from here on are free. */
  #unused = 0;
  /** Free slots below `#unused`, as a binary heap. */
  readonly #freed: number[] = [];

  /** Takes these, which are free. */
  takeThese(slots: readonly number[]): void {
    const wanted = new Set(slots);
    const unused = slots.reduce((least, slot) => Math.max(least, slot + 1), this.#unused);
    const free = [...this.#freed, ...range(this.#unused, unused)];
    this.#unused = unused;
    this.#freed.length = 0;
    for (const slot of free) if (!wanted.has(slot)) this.#push(slot);
  }

  take(count: number): number[] {
    return Array.from({ length: count }, () => this.#takeLowestFreed() ?? this.#unused++);
  }

  giveBack(slots: readonly number[]): void {
    for (const slot of slots) this.#push(slot);
    // With all of them back the pool is as new.
    if (this.#freed.length === this.#unused) {
      this.#freed.length = 0;
      this.#unused = 0;
    }
  }

  #push(slot: number): void {
    const heap = this.#freed;
    let index = heap.push(slot) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if ((heap[parent] as number) <= slot) break;
      heap[index] = heap[parent] as number;
      index = parent;
    }
    heap[index] = slot;
  }

  #takeLowestFreed(): number | undefined {
    const heap = this.#freed;
    const lowest = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return lowest;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && (heap[child + 1] as number) < (heap[child] as number)) child += 1;
      if ((heap[child] as number) >= last) break;
      heap[index] = heap[child] as number;
      index = child;
    }
    heap[index] = last;
    return lowest;
  }
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}
