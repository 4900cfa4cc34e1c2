/**
 * Leases of the last moment. Most are released within it, and of those the garbage collector need not know: registering a
 * handle with it costs more than the lease.
 */

import type { Leak, LeakGuard } from "../client/hold/leak-guard.ts";
import type { Clock } from "../server/clock.ts";

/** A lease that may be forgotten. */
export interface Forgettable {
  /** What to say and do when its handle has become garbage. */
  leak(): Leak;
}

/** A handle under observation. */
export interface Observed {
  /** Undefined: it was released, or the guard looks after it. */
  handle: WeakKey | undefined;
  /** What the guard knows it by; undefined: it does not. */
  leak: Leak | undefined;
  readonly lease: Forgettable;
  readonly site: string;
}

export interface YoungLeases {
  observe(handle: WeakKey, lease: Forgettable, site: string): Observed;
  /** The handle was used as it should be. */
  forget(observed: Observed): void;
}

/** µs for which a handle is kept from becoming garbage; then the guard is notified of it. */
const YOUTH = 100_000;
/** So many are kept at most. */
const MOST = 1_000;

export function createYoungLeases(guard: LeakGuard, clock: Clock): YoungLeases {
  let young: Observed[] = [];
  let timed = false;

  function grow(): void {
    const grown = young;
    young = [];
    for (const observed of grown) {
      const { handle, lease, site } = observed;
      if (handle === undefined) continue;
      observed.handle = undefined;
      observed.leak = lease.leak();
      guard.watch(handle, observed.leak, site);
    }
  }

  function onTime(): void {
    timed = false;
    grow();
  }

  return {
    observe(handle, lease, site) {
      const observed: Observed = { handle, leak: undefined, lease, site };
      if (young.length === MOST) grow();
      young.push(observed);
      if (!timed) {
        timed = true;
        clock.schedule(clock.now() + YOUTH, false, onTime);
      }
      return observed;
    },
    forget(observed) {
      observed.handle = undefined;
      if (observed.leak !== undefined) guard.forget(observed.leak);
    },
  };
}
