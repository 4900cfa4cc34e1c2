/** What people are shown of the machine's state: plain copies, in its own units. */

import type { Claim } from "./claim.ts";
import { expiresAt, type HeldClaim, type Lease } from "./lease.ts";
import type { LimiterConfig } from "./limiter.ts";
import type { Attachment } from "./liveness.ts";
import type { Reason } from "./reasons.ts";

export interface Page<T> {
  readonly items: readonly T[];
  /** Where the next page begins; empty on the last. */
  readonly next: string;
}

export interface LimiterView {
  readonly config: LimiterConfig;
  readonly declared: boolean;
  /** What the file says of it; undefined if it was made by RPC. */
  readonly declaration: LimiterConfig | undefined;
  readonly deleting: boolean;
  readonly revision: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly status: LimiterStatus;
}

export interface LimiterStatus {
  readonly permitsInUse: number;
  readonly permitsLimit: number;
  readonly waiters: number;
  /** Tokens; undefined where they are not one number: of a keyed limiter as a whole, or without a rate limit. */
  readonly tokensAvailable: number | undefined;
  readonly leases: number;
  readonly orphanedLeases: number;
  readonly keys: number;
  /** A second. */
  readonly arrivalRate: number;
  readonly admissionRate: number;
  readonly completionRate: number;
  /** µs. */
  readonly meanHoldTime: number | undefined;
  readonly waitTimeP50: number | undefined;
  readonly waitTimeP99: number | undefined;
  readonly granted: number;
  readonly refusals: ReadonlyMap<Reason, number>;
  readonly overloaded: number;
}

export interface LeaseView {
  readonly id: string;
  readonly holder: string;
  readonly claims: readonly HeldClaim[];
  readonly grantedAt: number;
  readonly ttl: number;
  readonly attachment: Attachment;
  readonly expiresAt: number | undefined;
  readonly revoking: boolean;
}

export interface WaiterView {
  readonly id: string;
  readonly claims: readonly Claim[];
  readonly holder: string;
  readonly waitersAhead: number;
  /** µs; undefined where it cannot be known. */
  readonly estimatedWait: number | undefined;
  readonly arrivedAt: number;
  /** Undefined: when it is cancelled. */
  readonly deadline: number | undefined;
}

export function viewLease(lease: Lease): LeaseView {
  return {
    id: lease.id,
    holder: lease.holder,
    claims: lease.claims,
    grantedAt: lease.grantedAt,
    ttl: lease.ttl,
    attachment: lease.attachment,
    expiresAt: expiresAt(lease),
    revoking: lease.revokedAt !== undefined,
  };
}
