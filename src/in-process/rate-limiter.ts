/** The service's limiter inside one process: the same machine behind the same interface, with no server. */

import type { AdmissionController, AdmitOptions, TryAdmitOptions } from "../client/api/admission-controller.ts";
import type { GuardedWork, Lease, OutcomeOptions } from "../client/api/lease.ts";
import type { Limit, LimitedFunction } from "../client/api/limit.ts";
import type { Refusal } from "../client/api/refusal.ts";
import { limiterConfig, type RateLimiterOptions } from "./options.ts";
import { createRateLimitersOf } from "./rate-limiters.ts";

/** Which of a keyed limiter's keys: required there, refused elsewhere. */
export interface KeyOptions {
  readonly key?: string | undefined;
}

/** How `withLease` asks, and the outcome that it derives from an error. */
export interface WithLocalLeaseOptions extends AdmitOptions, OutcomeOptions {}

/** A limiter of this process. */
export interface RateLimiter extends AdmissionController {
  acquire(options?: AdmitOptions & KeyOptions): Promise<Lease>;
  tryAcquire(options?: TryAdmitOptions & KeyOptions): Promise<Lease | Refusal>;
  /** Waits for a lease, does the work, and releases the lease, also when the work throws. */
  withLease<T>(work: GuardedWork<T>): Promise<T>;
  withLease<T>(options: WithLocalLeaseOptions & KeyOptions, work: GuardedWork<T>): Promise<T>;
  /** A function that runs others under a lease each, in the shape of p-limit; with `fn`, that function with admission. */
  limit(options?: WithLocalLeaseOptions & KeyOptions): Limit;
  limit<A extends unknown[], T>(fn: (...args: A) => T | PromiseLike<T>): LimitedFunction<A, T>;
  limit<A extends unknown[], T>(
    options: WithLocalLeaseOptions & KeyOptions,
    fn: (...args: A) => T | PromiseLike<T>,
  ): LimitedFunction<A, T>;
  /** Requests that wait; of a keyed limiter for one key, or without a key for all together. */
  waiters(key?: string): Promise<number>;
  /** Permits held now; of a keyed limiter of one key, or without a key of all together. */
  inFlight(key?: string): Promise<number>;
  /** `inFlight / capacity`; of a keyed limiter of one key, or without a key of all together. */
  utilization(key?: string): Promise<number>;
}

/**
 * Makes a limiter of its own for this process: `createRateLimiter({ maxRps: 100, maxConcurrent: 5, burstSize: 20 })`.
 * Throws a `RangeError` that names the option for limits that cannot be.
 */
export function createRateLimiter(options: RateLimiterOptions): RateLimiter {
  const config = limiterConfig(options);
  const { name, keyed, maxConcurrent } = config;
  const limiters = createRateLimitersOf([config]);
  const { status, siteOf } = limiters;

  async function inFlight(key?: string): Promise<number> {
    return (await status(name, key)).permitsInUse;
  }

  const limiter: RateLimiter = {
    acquire: (given = {}) => limiters.acquireAt(siteOf(limiter.acquire), name, given),
    tryAcquire: (given = {}) => limiters.tryAcquireAt(siteOf(limiter.tryAcquire), name, given),
    withLease: <T>(...rest: [GuardedWork<T>] | [WithLocalLeaseOptions & KeyOptions, GuardedWork<T>]) =>
      limiters.withLeaseAt(siteOf(limiter.withLease), name, ...rest),
    // biome-ignore lint/suspicious/noExplicitAny: the overloads say which of the two it is.
    limit: (...rest: any[]) => limiters.limitAt(siteOf(limiter.limit as never), name, rest) as any,
    waiters: async (key) => (await status(name, key)).waiters,
    inFlight,
    async utilization(key) {
      if (maxConcurrent === undefined) return 0;
      const { permitsInUse, permitsLimit } = await status(name, key);
      return permitsLimit === 0 ? 0 : permitsInUse / permitsLimit;
    },
    async capacity() {
      if (maxConcurrent === undefined) return Number.POSITIVE_INFINITY;
      return keyed ? (await status(name)).permitsLimit : maxConcurrent;
    },
  };
  return limiter;
}
