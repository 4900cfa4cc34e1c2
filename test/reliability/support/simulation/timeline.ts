/** Virtual time: what is to happen, in its order. Nothing else moves anything. */

export interface Timeline {
  /** µs. */
  readonly now: number;
  /** Happens `delay` µs from now; returns what calls it off. */
  after(delay: number, happen: () => void): () => void;
  /** Lets the next thing happen; false: there is none. */
  step(): boolean;
}

interface Entry {
  readonly at: number;
  readonly serial: number;
  readonly happen: () => void;
  isOff: boolean;
}

export function createTimeline(): Timeline {
  const heap: Entry[] = [];
  let now = 0;
  let serial = 0;
  const earlier = (a: Entry, b: Entry) => a.at < b.at || (a.at === b.at && a.serial < b.serial);

  function push(entry: Entry): void {
    let index = heap.push(entry) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!earlier(entry, heap[parent] as Entry)) break;
      heap[index] = heap[parent] as Entry;
      index = parent;
    }
    heap[index] = entry;
  }

  function pop(): Entry | undefined {
    const [first] = heap;
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && earlier(heap[child + 1] as Entry, heap[child] as Entry)) child += 1;
      if (!earlier(heap[child] as Entry, last)) break;
      heap[index] = heap[child] as Entry;
      index = child;
    }
    heap[index] = last;
    return first;
  }

  return {
    get now() {
      return now;
    },
    after(delay, happen) {
      serial += 1;
      const entry: Entry = { at: now + Math.max(0, Math.ceil(delay)), serial, happen, isOff: false };
      push(entry);
      return () => {
        entry.isOff = true;
      };
    },
    step() {
      for (let entry = pop(); entry; entry = pop()) {
        if (entry.isOff) continue;
        now = entry.at;
        entry.happen();
        return true;
      }
      return false;
    },
  };
}
