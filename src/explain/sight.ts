/** What is looked at of a limiter, or of one of its keys, to explain how it stands: plain values, as the server answers them. */

import type { LeaseInfo, Limiter, WaiterInfo } from "../client/api/limiter.ts";

export interface Sight {
  /** With the status of the key, where one is meant. */
  readonly limiter: Limiter;
  /** Empty: the limiter has no keys, or all of them are meant. */
  readonly key: string;
  /** Those that hold something of it, the longest held first; the first page will do. */
  readonly leases: readonly LeaseInfo[];
  /** In the order of arrival; the first page will do. */
  readonly waiters: readonly WaiterInfo[];
  /** ms since 1970 by the server's clock, when leases and waiters were read. */
  readonly readAt: number;
}

/** Sights by limiter and key: those of a queue, and of the queues in which its first waiter stands, too. */
export interface Sights {
  readonly of: Sight;
  /** What is in the way elsewhere, as far as it was looked at, the nearest first. */
  readonly others: readonly Sight[];
}

/** Permits that a lease holds of what is looked at. */
export function permitsOf({ limiter, key }: Pick<Sight, "limiter" | "key">, lease: LeaseInfo): number {
  return lease.claims.reduce(
    (sum, claim) => (claim.limiter === limiter.name && (key === "" || claim.key === key) ? sum + claim.permits : sum),
    0,
  );
}

/** ms for which a lease has been held. */
export function heldFor({ grantTime }: LeaseInfo, readAt: number): number {
  return grantTime === undefined ? 0 : Math.max(0, readAt - grantTime.getTime());
}
