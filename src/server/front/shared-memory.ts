/** What all threads that carry connections know of addresses and callers, so that bounds hold over them in sum. */

import { createQuotaMemory, type QuotaMemory } from "../access/caller-quotas.ts";
import { createFailureMemory, type FailureMemory } from "../auth/failed-attempts.ts";
import { type CountMemory, clearCounts, createCountMemory } from "../shared/counts.ts";

export interface SharedMemory {
  readonly quotas: QuotaMemory;
  readonly failures: FailureMemory;
  /** Connections from each. */
  readonly addresses: CountMemory;
}

/** The same as one thread sees it. */
export interface ThreadMemory {
  readonly memory: SharedMemory;
  /** Which of the threads it is, from 0. */
  readonly own: number;
  /** µs, the same in all of them. */
  readonly now: () => number;
}

export function createSharedMemory(threads: number): SharedMemory {
  return {
    quotas: createQuotaMemory(threads),
    failures: createFailureMemory(),
    addresses: createCountMemory(threads),
  };
}

/** The connections of a thread are over. */
export function forgetThread({ quotas, addresses }: SharedMemory, thread: number): void {
  clearCounts(quotas.connections, thread);
  clearCounts(addresses, thread);
}
