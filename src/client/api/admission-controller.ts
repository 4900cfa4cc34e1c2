/**
 * One interface for whatever admits work: a limiter of the service (`client.controller("payments-db")`) or one in this
 * process (`createRateLimiter`). Free of any transport. All spans of time are milliseconds.
 */

import type { ClaimOptions } from "./claim.ts";
import type { Lease } from "./lease.ts";
import type { Refusal } from "./refusal.ts";

/** A place in the queue. */
export interface WaitingNotice {
  /** How many will be granted before; 0 is next. Of several claims, in the longest queue. */
  readonly waitersAhead: number;
  /** ms that this is likely to take; undefined where it cannot be known. */
  readonly estimatedWaitMs: number | undefined;
}

/** How to ask for a lease from a controller, now or not at all. */
export interface TryAdmitOptions extends Omit<ClaimOptions, "key"> {
  /** Aborting it gives the lease back, before and after the grant; `lease.signal` then aborts with the same reason. */
  readonly signal?: AbortSignal | undefined;
}

/** How to wait for a lease from a controller. */
export interface AdmitOptions extends TryAdmitOptions {
  /** ms to wait at most. Default: as long as the limiter allows. 0: now or not at all, a refusal as an error. */
  readonly maxWait?: number | undefined;
  /** Called with the place in the queue whenever the caller has to wait, and when that changes. */
  readonly onWaiting?: ((notice: WaitingNotice) => void) | undefined;
}

/** Admits work, first come, first served. */
export interface AdmissionController {
  /** Waits for its turn. Rejects with an `AdmissionError` when it is refused, or with the signal's reason. */
  acquire(options?: AdmitOptions): Promise<Lease>;
  /** Never waits; a refusal is an answer. */
  tryAcquire(options?: TryAdmitOptions): Promise<Lease | Refusal>;
  /** `inFlight / capacity`: 0 when idle or without a concurrency limit, above 1 after the limit was lowered. */
  utilization(): Promise<number>;
  /** Permits that there are; `Infinity` without a concurrency limit. */
  capacity(): Promise<number>;
  /** Permits held now. */
  inFlight(): Promise<number>;
}
