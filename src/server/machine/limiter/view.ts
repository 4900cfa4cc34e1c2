/**
 * What is shown of the machine's state: plain copies, in which nothing goes on changing and nothing is this process's own.
 * Spans are µs, and instants ms since 1970.
 */

import { attachmentKind, expiresAt } from "../liveness.ts";
import type { Reason, WaitReason } from "../reasons.ts";
import { viewInstant, type WallTime } from "../wall-time.ts";
import type { Claim } from "./claim.ts";
import type { HeldClaim, Lease } from "./lease.ts";
import type { LimiterConfig } from "./limiter.ts";

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
  /** How many of each. */
  readonly refusals: readonly (readonly [Reason, number])[];
  readonly overloaded: number;
  /** µs that the oldest waiter has waited; undefined while none waits. */
  readonly oldestWait: number | undefined;
  /** µs since the last grant; undefined while nothing was granted. */
  readonly sinceLastGrant: number | undefined;
  /** Refusals a second. */
  readonly refusalRate: number;
  /** What keeps the oldest waiter from its grant. */
  readonly obstacles: readonly ObstacleView[];
}

/** How a limiter stood at an instant, and what went through it since the one before. */
export interface LimiterSample {
  /** ms since 1970. */
  readonly at: number;
  /** µs. */
  readonly span: number;
  readonly permitsInUse: number;
  readonly permitsLimit: number;
  readonly waiters: number;
  /** µs; undefined: none waited. */
  readonly oldestWait: number | undefined;
  /** A second. */
  readonly arrivalRate: number;
  readonly admissionRate: number;
  readonly completionRate: number;
  readonly refusalRate: number;
}

/** What keeps a waiter from its grant in one of its queues. */
export interface ObstacleView {
  readonly limiter: string;
  readonly key: string;
  readonly reason: WaitReason;
  /** As last surveyed. */
  readonly waitersAhead: number;
}

export interface LeaseView {
  readonly id: string;
  readonly holder: string;
  readonly caller: string;
  readonly claims: readonly HeldClaimView[];
  readonly grantedAt: number;
  /** 0: it ends with its stream. */
  readonly ttl: number;
  readonly attachment: ReturnType<typeof attachmentKind>;
  /** When it ends unless its holder shows itself; undefined while nothing runs out. */
  readonly expiresAt: number | undefined;
  readonly revoking: boolean;
}

export interface HeldClaimView {
  readonly limiter: string;
  readonly key: string;
  readonly permits: number;
  readonly tokens: number;
  readonly fencingToken: number;
  readonly slots: readonly number[];
}

export interface WaiterView {
  readonly id: string;
  readonly claims: readonly Claim[];
  readonly holder: string;
  readonly caller: string;
  readonly waitersAhead: number;
  /** µs; undefined where it cannot be known. */
  readonly estimatedWait: number | undefined;
  readonly missing: WaitReason;
  /** One for each claim that could not be granted now. */
  readonly obstacles: readonly ObstacleView[];
  /** Its connection is lost, and it keeps its place. */
  readonly away: boolean;
  readonly arrivedAt: number;
  /** Undefined: when it is cancelled. */
  readonly deadline: number | undefined;
}

export function viewLease(lease: Lease, wallTime: WallTime): LeaseView {
  return {
    id: lease.id,
    holder: lease.holder,
    caller: lease.caller,
    claims: lease.claims.map(viewHeldClaim),
    grantedAt: wallTime(lease.grantedAt),
    ttl: lease.ttl,
    attachment: attachmentKind(lease),
    expiresAt: viewInstant(expiresAt(lease), wallTime),
    revoking: lease.revokedAt !== undefined,
  };
}

/**
 * µs for which a holder may rely on a lease from the moment when it sent what this answers: half of what the server
 * waits for it. Of one that is being revoked the other half stays as long: its holder, too, may be late to notice. Undefined:
 * for as long as its stream.
 */
export function validFor(lease: Lease, now: number): number | undefined {
  if (lease.ttl === 0) return undefined;
  const half = reliableFor(lease.ttl);
  if (lease.revokedAt === undefined) return half;
  const left = (expiresAt(lease) ?? now) - now;
  return Math.max(0, Math.min(half, left - (lease.ttl - half)));
}

/** µs of a ttl that a holder may rely on what it holds. */
export function reliableFor(ttl: number): number {
  return Math.floor(ttl / 2);
}

function viewHeldClaim({ instance, permits, tokens, fencingToken, slots }: HeldClaim): HeldClaimView {
  return { limiter: instance.limiter.config.name, key: instance.key, permits, tokens, fencingToken, slots };
}
