/** Work under a lease, whatever grants that. Free of any transport: the remote client and the in-process limiter share it. */

import type { Lease, WorkOutcome } from "./lease.ts";

/** The work that a lease guards; stop it when `signal`, which is `lease.signal`, aborts. */
export type GuardedWork<T> = (lease: Lease, signal: AbortSignal) => T | PromiseLike<T>;

/** What is made of an error of guarded work. */
export interface OutcomeOptions {
  /**
   * The outcome to release with when the work threw. Default: `"overloaded"` for an `OverloadedError`, `"ignored"` for
   * anything else.
   */
  readonly outcomeOf?: ((error: unknown) => WorkOutcome) | undefined;
}
