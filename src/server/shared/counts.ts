/** Counts by name in memory that all threads share: each thread has its own, so that those of one that fails are found. */

import { SLOTS, type SlotName, slotOf } from "./named-slots.ts";

export interface CountMemory {
  readonly marks: Int32Array;
  /** For each slot one number a thread. */
  readonly counts: Int32Array;
  /** How often each thread was another: what an earlier one has counted is over. */
  readonly turns: Int32Array;
  readonly threads: number;
}

export interface Counts {
  /**
   * Counts one. Returns what takes it back; undefined: it would be one more than `most`. Two threads that count the last one at the same
   * instant may both be refused; there are never more than `most`, but where a name begins in two threads at once.
   */
  take(name: SlotName, most: number): (() => void) | undefined;
}

export function createCountMemory(threads: number): CountMemory {
  return { marks: sharedInts(SLOTS), counts: sharedInts(SLOTS * threads), turns: sharedInts(threads), threads };
}

/** `own`: which of the threads this is. */
export function createCounts({ marks, counts, turns, threads }: CountMemory, own: number): Counts {
  const turn = Atomics.load(turns, own);
  function countOf(slot: number): number {
    let count = 0;
    for (let thread = 0; thread < threads; thread++) count += Atomics.load(counts, slot * threads + thread);
    return count;
  }
  const isAtRest = (slot: number) => countOf(slot) <= 0;
  return {
    take(name, most) {
      const slot = slotOf(name, marks, isAtRest);
      const place = slot * threads + own;
      const takeBack = () => {
        // A thread that hung may come back when another has taken its place.
        if (Atomics.load(turns, own) === turn) Atomics.sub(counts, place, 1);
      };
      Atomics.add(counts, place, 1);
      if (countOf(slot) <= most) return takeBack;
      takeBack();
      return undefined;
    },
  };
}

/** What a thread has counted is over. */
export function clearCounts({ counts, turns, threads }: CountMemory, thread: number): void {
  Atomics.add(turns, thread, 1);
  for (let slot = 0; slot < SLOTS; slot++) Atomics.store(counts, slot * threads + thread, 0);
}

function sharedInts(length: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(length * Int32Array.BYTES_PER_ELEMENT));
}
