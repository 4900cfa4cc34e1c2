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
  return createSharedPlaces(most, createPlaceMemory(1), 0);
}

/** The connections of each thread, in memory that all of them share. */
export interface PlaceMemory {
  readonly counts: Int32Array;
  /** How often each thread was another: the places of an earlier one are given back. */
  readonly turns: Int32Array;
}

export function createPlaceMemory(threads: number): PlaceMemory {
  const shared = () => new Int32Array(new SharedArrayBuffer(threads * Int32Array.BYTES_PER_ELEMENT));
  return { counts: shared(), turns: shared() };
}

/**
 * The places of a port that several threads listen on. Two threads that take the last place at the same instant may both be
 * refused; there are never more connections than `most`. `own`: which of the threads this is.
 */
export function createSharedPlaces(most: number, memory: PlaceMemory, own: number): ConnectionPlaces {
  const { counts, turns } = memory;
  const turn = Atomics.load(turns, own);
  return {
    take() {
      Atomics.add(counts, own, 1);
      if (openOf(memory) <= most) return true;
      Atomics.sub(counts, own, 1);
      return false;
    },
    leave() {
      // A thread that hung may come back when another has taken its place.
      if (Atomics.load(turns, own) === turn) Atomics.sub(counts, own, 1);
    },
    get open() {
      return openOf(memory);
    },
  };
}

/** The connections of all threads. */
export function openOf({ counts }: PlaceMemory): number {
  let open = 0;
  for (let i = 0; i < counts.length; i++) open += Atomics.load(counts, i);
  return open;
}

/** Gives back the places of a thread that is lost. Returns how many. */
export function giveBackPlaces({ counts, turns }: PlaceMemory, thread: number): number {
  Atomics.add(turns, thread, 1);
  return Atomics.exchange(counts, thread, 0);
}
