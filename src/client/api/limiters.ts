/** Making, changing and watching limiters. */

import type {
  LeaseInfo,
  Limiter,
  LimiterChanges,
  LimiterConfig,
  LimiterEvent,
  LimiterSample,
  Revocation,
  WaiterInfo,
} from "./limiter.ts";

/** What every call takes. */
export interface CallOptions {
  /** Aborting it ends the call; it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What calls take that read many, page by page as the loop goes on. */
export interface ListOptions extends CallOptions {
  /** How many a page, 1 to 1,000. Default 100. */
  readonly pageSize?: number | undefined;
}

/**
 * The limiters of the service. Calls reject with an `AdmissionError` or a
 * `ServerUnavailableError`; none is made again by itself.
 */
export interface Limiters {
  /** All, by name. */
  list(options?: ListOptions): AsyncIterable<Limiter>;
  /** One; of a keyed limiter, `key` asks for the status of that key alone. LIMITER_NOT_FOUND. */
  get(name: string, options?: CallOptions & { readonly key?: string | undefined }): Promise<Limiter>;
  /**
   * How one stood in the last hour, from `from` on: a sample for each 15 s, the latest last. The server keeps it in memory, so it
   * begins anew with a restart. LIMITER_NOT_FOUND.
   */
  history(
    name: string,
    options?: CallOptions & { readonly from?: Date | undefined },
  ): Promise<readonly LimiterSample[]>;
  /** Makes one; again with the same content is harmless. LIMITER_EXISTS, INVALID_REQUEST. */
  create(config: LimiterConfig, options?: CallOptions): Promise<Limiter>;
  /** Changes what is given, if the etag (where one is given) still stands. LIMITER_NOT_FOUND, ETAG_MISMATCH. */
  update(
    name: string,
    changes: LimiterChanges,
    options?: CallOptions & { readonly etag?: string | undefined },
  ): Promise<Limiter>;
  /**
   * Deletes one. While leases are held it drains; `force` ends them at once, while their holders may still be at work.
   * Says how many leases it waits for. LIMITER_NOT_FOUND, ETAG_MISMATCH, DECLARED.
   */
  delete(
    name: string,
    options?: CallOptions & { readonly etag?: string | undefined; readonly force?: boolean | undefined },
  ): Promise<{ readonly drainingLeases: number }>;
  /** Grants nothing until resumed, and keeps the waiters. */
  pause(name: string, options?: CallOptions): Promise<Limiter>;
  /** Admits again. */
  resume(name: string, options?: CallOptions): Promise<Limiter>;
  /**
   * A snapshot, then what changes, until the loop is left. `names`: which; default all, those to come too. A connection that is
   * lost is made good for 30 s, and a snapshot comes again.
   */
  watch(options?: CallOptions & { readonly names?: readonly string[] | undefined }): AsyncIterable<LimiterEvent>;
  /** Lists leases, the longest held first; of one limiter and key, or all. */
  leases(
    options?: ListOptions & { readonly limiter?: string | undefined; readonly key?: string | undefined },
  ): AsyncIterable<LeaseInfo>;
  /** Lists waiters in the order of arrival; for one key or all. LIMITER_NOT_FOUND. */
  waiters(limiter: string, options?: ListOptions & { readonly key?: string | undefined }): AsyncIterable<WaiterInfo>;
  /**
   * Asks a holder for its lease back; `force` takes it now, while the holder may still be at work. `message` tells the
   * holder why. LEASE_NOT_FOUND.
   */
  revokeLease(
    leaseId: string,
    options?: CallOptions & { readonly force?: boolean | undefined; readonly message?: string | undefined },
  ): Promise<Revocation>;
  /** Takes a waiter out of the queue; its `acquire` rejects with WAITER_CANCELLED. WAITER_NOT_FOUND. */
  cancelWaiter(waiterId: string, options?: CallOptions): Promise<void>;
}
