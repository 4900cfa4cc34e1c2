/** How many connections a port may have open: counted here, or over all threads that listen on it. */

export interface ConnectionPlaces {
  /** Takes a place for one connection. False: as many are open as may be. */
  take(): boolean;
  /** Gives one back. */
  leave(): void;
  /** How many are open, over all threads. */
  readonly open: number;
}

/** The places of a port that this thread alone listens on. */
export function createConnectionPlaces(most: number): ConnectionPlaces {
  return createSharedPlaces(most, { counts: new Int32Array(1), own: 0 });
}

/** The connections of each thread, in memory that all of them share. */
export interface SharedCounts {
  readonly counts: Int32Array;
  /** Which of them is this thread's. */
  readonly own: number;
}

/**
 * The places of a port that several threads listen on. Two threads that take the last place at the same instant may both be
 * refused; there are never more connections than `most`.
 */
export function createSharedPlaces(most: number, { counts, own }: SharedCounts): ConnectionPlaces {
  return {
    take() {
      Atomics.add(counts, own, 1);
      if (openOf(counts) <= most) return true;
      Atomics.sub(counts, own, 1);
      return false;
    },
    leave() {
      Atomics.sub(counts, own, 1);
    },
    get open() {
      return openOf(counts);
    },
  };
}

/** The connections of all threads. */
export function openOf(counts: Int32Array): number {
  let open = 0;
  for (let i = 0; i < counts.length; i++) open += Atomics.load(counts, i);
  return open;
}
