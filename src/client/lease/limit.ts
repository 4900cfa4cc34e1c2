/** Running functions under leases, in the shape of p-limit. Free of any transport. */

import type { GuardedWork, Lease, OutcomeOptions } from "../api/lease.ts";
import type { Limit, LimitedFunction, LimitState } from "../api/limit.ts";
import { workUnder } from "./with-lease.ts";

export interface LimitParts extends OutcomeOptions {
  /** Waits for a lease; must heed the signal. */
  readonly admit: (signal: AbortSignal) => Promise<Lease>;
  /** The caller's own: aborting it gives back what is pending and what is held; each lease's signal aborts with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** How many calls may ask for admission at once; the others wait here, in their order. Default 100. */
  readonly mostAsking?: number | undefined;
  /** How many calls may ask or run at once. Default: without bound. */
  readonly mostOpen?: number | undefined;
}

/** So that a map over many items does not open a stream for each at once. */
const MOST_ASKING = 100;

export function createLimit({ admit, signal, outcomeOf, ...bounds }: LimitParts): Limit {
  const { mostAsking = MOST_ASKING, mostOpen = Number.POSITIVE_INFINITY } = bounds;
  /** Those that wait here, in their order. */
  const queue = new Set<() => void>();
  /** What takes back each call that is pending, here or there. */
  const pending = new Set<(reason: unknown) => void>();
  let asking = 0;
  /** Those that ask, run, or are about to. */
  let open = 0;
  let active = 0;

  function next(): void {
    for (const start of queue) {
      if (asking >= mostAsking || open >= mostOpen) return;
      queue.delete(start);
      asking += 1;
      open += 1;
      start();
    }
  }

  async function run<T>(work: GuardedWork<T>): Promise<T> {
    signal?.throwIfAborted();
    const controller = new AbortController();
    const takeBack = (reason: unknown) => controller.abort(reason);
    const onAbort = () => takeBack(signal?.reason);
    signal?.addEventListener("abort", onAbort);
    pending.add(takeBack);
    try {
      await turn(controller.signal);
      try {
        const lease = await ask(controller.signal);
        pending.delete(takeBack);
        return await runUnder(lease, work);
      } finally {
        open -= 1;
      }
    } finally {
      pending.delete(takeBack);
      signal?.removeEventListener("abort", onAbort);
      next();
    }
  }

  async function ask(taken: AbortSignal): Promise<Lease> {
    try {
      const lease = await admit(taken);
      if (!taken.aborted) return lease;
      // It was granted what another call gave back at the same abort.
      await lease.release("ignored");
      throw taken.reason;
    } finally {
      asking -= 1;
      next();
    }
  }

  function runUnder<T>(lease: Lease, work: GuardedWork<T>): Promise<T> {
    return workUnder(lease, (held, taken) => count(() => work(held, taken)), { outcomeOf });
  }

  /** Its lease is released after that: the next call may run before this one has heard of it. */
  async function count<T>(work: () => T | PromiseLike<T>): Promise<T> {
    active += 1;
    try {
      return await work();
    } finally {
      active -= 1;
    }
  }

  /** Resolves when the call may ask, and is counted so; rejects when it is taken back before. */
  function turn(taken: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const start = () => resolve();
      queue.add(start);
      taken.addEventListener("abort", () => {
        if (queue.delete(start)) reject(taken.reason);
      });
      next();
    });
  }

  const limit = <A extends unknown[], T>(fn: GuardedWork<T> | ((...args: A) => T | PromiseLike<T>), ...args: A) =>
    run<T>(args.length === 0 ? (fn as GuardedWork<T>) : () => (fn as (...given: A) => T | PromiseLike<T>)(...args));
  const map: Limit["map"] = (items, mapper) =>
    Promise.all(Array.from(items, (item, index) => run(() => mapper(item, index))));
  const state: LimitState = {
    get activeCount() {
      return active;
    },
    get pendingCount() {
      return pending.size;
    },
    clearQueue() {
      const reason = new DOMException("the queue of the limit was cleared", "AbortError");
      for (const takeBack of [...pending]) takeBack(reason);
    },
  };
  return withState(Object.assign(limit, { map }), state) as Limit;
}

/** A function that runs `fn` through `limit` with each call. */
export function limitFunction<A extends unknown[], T>(
  limit: Limit,
  fn: (...args: A) => T | PromiseLike<T>,
): LimitedFunction<A, T> {
  return withState((...args: A) => limit(() => fn(...args)), limit);
}

/** The function with the state as its properties, which stay live. */
function withState<F extends object>(fn: F, state: LimitState): F & LimitState {
  return Object.defineProperties(fn, {
    activeCount: { get: () => state.activeCount },
    pendingCount: { get: () => state.pendingCount },
    clearQueue: { value: () => state.clearQueue() },
  }) as F & LimitState;
}
