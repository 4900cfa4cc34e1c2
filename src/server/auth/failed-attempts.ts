/** Bounds the credentials that one address may get wrong, over all threads: guessing has to be slow, and verifying costs. */

import { SLOTS, slotNameOf, slotOf } from "../shared/named-slots.ts";
import { networkOf } from "../shared/network-of.ts";
import { hasOne, isFull, paceOf, takeAnyway, takeOne } from "../shared/paces.ts";

/** So many at once, and one more each second. */
const ATTEMPTS = paceOf(1, 20);
/** Lines of the log about one address: one a minute. */
const LINES = paceOf(1 / 60, 1);

/** What all threads know of addresses. */
export interface FailureMemory {
  readonly marks: Int32Array;
  readonly attempts: BigInt64Array;
  readonly lines: BigInt64Array;
  /** How many there were since the last line. */
  readonly times: Int32Array;
}

export interface FailedAttempts {
  /** Whether a credential from there is looked at. */
  mayTry(address: string): boolean;
  /** One was wrong. Returns whether to log it, with how many were since the last line. */
  failed(address: string): { readonly isToldNow: boolean; readonly times: number };
}

export function createFailureMemory(): FailureMemory {
  const numbers = () => new Int32Array(new SharedArrayBuffer(SLOTS * Int32Array.BYTES_PER_ELEMENT));
  const times = () => new BigInt64Array(new SharedArrayBuffer(SLOTS * BigInt64Array.BYTES_PER_ELEMENT));
  return { marks: numbers(), attempts: times(), lines: times(), times: numbers() };
}

/** `now`: µs, the same in all threads. */
export function createFailedAttempts(memory: FailureMemory, now: () => number): FailedAttempts {
  const { marks, attempts, lines, times } = memory;
  const isAtRest = (slot: number) => isFull(attempts, slot, now()) && isFull(lines, slot, now());
  const of = (address: string) => slotOf(slotNameOf(networkOf(address)), marks, isAtRest);
  return {
    mayTry: (address) => hasOne(attempts, of(address), ATTEMPTS, now()),
    failed(address) {
      const slot = of(address);
      takeAnyway(attempts, slot, ATTEMPTS, now());
      const more = Atomics.add(times, slot, 1) + 1;
      if (takeOne(lines, slot, LINES, now()) > 0) return { isToldNow: false, times: more };
      return { isToldNow: true, times: Atomics.exchange(times, slot, 0) };
    },
  };
}
