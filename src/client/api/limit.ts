/** Running functions under leases, in the shape of p-limit. Free of any transport. */

import type { GuardedWork } from "./lease.ts";

/** What waits for admission through a limit, and what runs. */
export interface LimitState {
  /** Calls whose function runs now. */
  readonly activeCount: number;
  /** Calls that have not been admitted yet. */
  readonly pendingCount: number;
  /** Takes back every call that is pending: it leaves the queue, and its promise rejects with an `AbortError`. */
  clearQueue(): void;
}

/**
 * Runs functions under a lease each, first come, first served, and releases the lease when the function is done. The promise
 * that a call returns rejects as `acquire` does when it is not admitted; else it is the function's own.
 *
 * Do not call it inside of a function that it runs: the inner call waits for permits that the outer one may hold.
 */
export interface Limit extends LimitState {
  /** Runs `work(lease, signal)`, as `withLease` does. */
  <T>(work: GuardedWork<T>): Promise<T>;
  /** Runs `fn(...args)`, with these arguments and no others. */
  <A extends [unknown, ...unknown[]], T>(fn: (...args: A) => T | PromiseLike<T>, ...args: A): Promise<T>;
  /** Runs `mapper(item, index)` for each item; resolves with what they return, in the order of the items. */
  map<I, T>(items: Iterable<I>, mapper: (item: I, index: number) => T | PromiseLike<T>): Promise<T[]>;
}

/** A function that runs under a lease of its own with each call, and with the arguments of the call. */
export type LimitedFunction<A extends unknown[], T> = ((...args: A) => Promise<T>) & LimitState;
