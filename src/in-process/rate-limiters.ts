/** Several limiters of one process, so that a request can claim of more than one of them at once. */

import type { AdmissionController, AdmitOptions, TryAdmitOptions } from "../client/api/admission-controller.ts";
import type { Claim, ClaimOptions } from "../client/api/claim.ts";
import type { GuardedWork, Lease, OutcomeOptions } from "../client/api/lease.ts";
import type { Limit, LimitedFunction } from "../client/api/limit.ts";
import type { Refusal } from "../client/api/refusal.ts";
import { createLimit, limitFunction } from "../client/lease/limit.ts";
import { workUnder } from "../client/lease/with-lease.ts";
import type { LimiterConfig } from "../server/machine/limiter/limiter.ts";
import type { LimiterStatus } from "../server/machine/limiter/view.ts";
import { createLocalAdmission } from "./local-admission.ts";
import { checkClaims, limiterConfig, type RateLimiterOptions } from "./options.ts";

/** How to ask for claims; keys, permits and tokens stand in the claims. */
export type AskOptions = Pick<AdmitOptions, "signal" | "maxWait" | "onWaiting">;

/** The limiters of this process that may be claimed together. */
export interface RateLimiters {
  /** Waits for its turn. Several claims, of up to 8 limiters or keys, are granted whole, at one instant, or not at all. */
  acquire(limiter: string, options?: AskOptions & ClaimOptions): Promise<Lease>;
  acquire(claims: readonly Claim[], options?: AskOptions): Promise<Lease>;
  /** Never waits; a refusal is an answer. */
  tryAcquire(limiter: string, options?: Pick<AskOptions, "signal"> & ClaimOptions): Promise<Lease | Refusal>;
  tryAcquire(claims: readonly Claim[], options?: Pick<AskOptions, "signal">): Promise<Lease | Refusal>;
  /** Waits for a lease, does the work, and releases the lease, also when the work throws. */
  withLease<T>(wanted: string | readonly Claim[], work: GuardedWork<T>): Promise<T>;
  withLease<T>(limiter: string, options: AskOptions & OutcomeOptions & ClaimOptions, work: GuardedWork<T>): Promise<T>;
  withLease<T>(claims: readonly Claim[], options: AskOptions & OutcomeOptions, work: GuardedWork<T>): Promise<T>;
  /** A function that runs others under a lease each, in the shape of p-limit; with `fn`, that function with admission. */
  limit(limiter: string, options?: AskOptions & OutcomeOptions & ClaimOptions): Limit;
  limit(claims: readonly Claim[], options?: AskOptions & OutcomeOptions): Limit;
  limit<A extends unknown[], T>(
    wanted: string | readonly Claim[],
    fn: (...args: A) => T | PromiseLike<T>,
  ): LimitedFunction<A, T>;
  /** One limiter (and key) as an `AdmissionController`. */
  controller(limiter: string, options?: { readonly key?: string | undefined }): AdmissionController;
  /** Requests that wait for a limiter; of a keyed one for one key, or without a key for all together. */
  waiters(limiter: string, key?: string): Promise<number>;
}

/**
 * Makes limiters of their own for this process, by name: `createRateLimiters({ db: { maxConcurrent: 5 }, api: { rate: "10/m" } })`.
 * Throws a `RangeError` that names the option for limits that cannot be.
 */
export function createRateLimiters(options: Readonly<Record<string, Omit<RateLimiterOptions, "name">>>): RateLimiters {
  const configs = Object.entries(options).map(([name, one]) => limiterConfig({ ...one, name }));
  const byName = new Map(configs.map((config) => [config.name, config]));
  const { siteOf, acquireAt, tryAcquireAt, withLeaseAt, limitAt, status } = createRateLimitersOf(configs);

  const limiters: RateLimiters = {
    acquire: (wanted: Wanted, given: AskOptions & ClaimOptions = {}) =>
      acquireAt(siteOf(limiters.acquire), wanted, given),
    tryAcquire: (wanted: Wanted, given: TryAdmitOptions & ClaimOptions = {}) =>
      tryAcquireAt(siteOf(limiters.tryAcquire), wanted, given),
    withLease: <T>(wanted: Wanted, ...rest: WorkArguments<T>) =>
      withLeaseAt(siteOf(limiters.withLease), wanted, ...rest),
    // biome-ignore lint/suspicious/noExplicitAny: the overloads say which of the two it is.
    limit: (wanted: Wanted, ...rest: any[]) => limitAt(siteOf(limiters.limit as never), wanted, rest) as any,
    controller(name, { key } = {}) {
      const config = byName.get(name);
      const { maxConcurrent, keyed } = config ?? {};
      const capacityOf = ({ permitsLimit }: LimiterStatus) => {
        if (maxConcurrent === undefined) return Number.POSITIVE_INFINITY;
        return keyed && key === undefined ? permitsLimit : maxConcurrent;
      };
      return {
        acquire: (given) => limiters.acquire(name, { ...given, key }),
        tryAcquire: (given) => limiters.tryAcquire(name, { ...given, key }),
        async utilization() {
          const found = await status(name, key);
          const capacity = capacityOf(found);
          return capacity === 0 ? 0 : found.permitsInUse / capacity;
        },
        capacity: async () => capacityOf(await status(name, key)),
        inFlight: async () => (await status(name, key)).permitsInUse,
      };
    },
    waiters: async (name, key) => (await status(name, key)).waiters,
  };
  return limiters;
}

type Wanted = string | readonly Claim[];
type Given = AskOptions & OutcomeOptions & ClaimOptions;
type WorkArguments<T> = [GuardedWork<T>] | [Given, GuardedWork<T>];

/** The same with the stack of the caller, whichever function of a limiter was called. */
export function createRateLimitersOf(configs: readonly LimiterConfig[]) {
  const admission = createLocalAdmission(configs);

  function acquireAt(site: string, wanted: Wanted, given: Given): Promise<Lease> {
    try {
      return admission.acquire(checkClaims(wanted, given), given, site);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Not an async function, which would take a promise more. */
  function tryAcquireAt(
    site: string,
    wanted: Wanted,
    given: Pick<AskOptions, "signal"> & ClaimOptions,
  ): Promise<Lease | Refusal> {
    try {
      return Promise.resolve(admission.tryAcquire(checkClaims(wanted, given), given, site));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async function withLeaseAt<T>(site: string, wanted: Wanted, ...rest: WorkArguments<T>): Promise<T> {
    const [given, work] = rest.length === 1 ? [{}, rest[0]] : rest;
    return workUnder(await acquireAt(site, wanted, given), work, given);
  }

  return {
    siteOf: admission.siteOf,
    acquireAt,
    withLeaseAt,
    tryAcquireAt,
    limitAt(site: string, wanted: Wanted, rest: readonly unknown[]) {
      const fn = rest.find((one) => typeof one === "function") as ((...args: unknown[]) => unknown) | undefined;
      const { signal, outcomeOf, ...given } = (rest.find((one) => typeof one === "object") ?? {}) as Given;
      checkClaims(wanted, given);
      const limit = createLimit({
        admit: (taken) => acquireAt(site, wanted, { ...given, signal: taken }),
        signal,
        outcomeOf,
      });
      return fn === undefined ? limit : limitFunction(limit, fn);
    },
    status: (name: string, key = "") => admission.status(name, key),
  };
}
