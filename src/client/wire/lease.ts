/** Leases, grants and their ends: protobuf to what the client shows. */

import type { Claim, GrantedClaim } from "../api/claim.ts";
import type { LossReason } from "../api/errors.ts";
import type { LeaseEnd, WorkOutcome } from "../api/lease.ts";
import type { LeaseInfo, WaiterInfo } from "../api/limiter.ts";
import type { Reason } from "../api/reasons.ts";
import { createRefusal, type Refusal } from "../api/refusal.ts";
import type { Granted } from "../gen/ggen/backpressure/v1/admission_service_pb.ts";
import {
  LeaseState,
  LeaseEnd as WireEnd,
  type Lease as WireLease,
  WorkOutcome as WireOutcome,
} from "../gen/ggen/backpressure/v1/lease_pb.ts";
import type { Waiter as WireWaiter } from "../gen/ggen/backpressure/v1/limiter_pb.ts";
import type { Refusal as WireRefusal } from "../gen/ggen/backpressure/v1/reason_pb.ts";
import { claimFromWire, grantedClaimFromWire } from "./claim.ts";
import { obstacleFromWire } from "./obstacle.ts";
import { reasonFromWire } from "./reason.ts";
import { durationToMs, timestampToDate } from "./time.ts";

/** What a holder knows of its lease. */
export interface Grant {
  readonly id: string;
  /** Empty where nothing is held, and where a session holds it. */
  readonly secret: string;
  /** Whether anything is held: a grant without permits leaves nothing behind. */
  readonly held: boolean;
  readonly claims: readonly GrantedClaim[];
  readonly holder: string;
  readonly grantTime: Date;
  /** ms that the lease outlives its holder's last sign. */
  readonly ttl: number;
  /** ms for which it may be relied on, from the moment when the request was sent; undefined: it ends with its stream. */
  readonly validFor: number | undefined;
}

export function grantFromWire({ lease, secret, validFor }: Granted): Grant {
  return {
    id: lease?.id ?? "",
    secret,
    held: lease?.claims.some(({ permits }) => permits > 0) ?? false,
    claims: lease?.claims.map(grantedClaimFromWire) ?? [],
    holder: lease?.holder ?? "",
    grantTime: lease?.grantTime ? timestampToDate(lease.grantTime) : new Date(Number.NaN),
    ttl: lease?.ttl ? durationToMs(lease.ttl) : 0,
    validFor: validFor && durationToMs(validFor),
  };
}

export function refusalFromWire(wire: WireRefusal): Refusal {
  return createRefusal({
    reason: reasonFromWire(wire.reason),
    message: wire.message,
    limiter: wire.limiter,
    key: wire.key,
    retryAfterMs: wire.retryAfter && durationToMs(wire.retryAfter),
    waitersAhead: wire.waitersAhead,
  });
}

export function leaseInfoFromWire(wire: WireLease): LeaseInfo {
  return {
    id: wire.id,
    claims: wire.claims.map(grantedClaimFromWire),
    holder: wire.holder,
    caller: wire.caller,
    grantTime: wire.grantTime && timestampToDate(wire.grantTime),
    ttlMs: wire.ttl ? durationToMs(wire.ttl) : 0,
    state: STATES.get(wire.state) ?? "attached",
    expireTime: wire.expireTime && timestampToDate(wire.expireTime),
    revoking: wire.revoking,
  };
}

export function waiterInfoFromWire(wire: WireWaiter): WaiterInfo {
  return {
    id: wire.id,
    claims: wire.claims.map((claim): Claim => claimFromWire(claim)),
    holder: wire.holder,
    caller: wire.caller,
    waitersAhead: wire.waitersAhead,
    estimatedWaitMs: wire.estimatedWait && durationToMs(wire.estimatedWait),
    arriveTime: wire.arriveTime && timestampToDate(wire.arriveTime),
    deadline: wire.deadline && timestampToDate(wire.deadline),
    obstacles: wire.obstacles.map(obstacleFromWire),
    away: wire.away,
  };
}

/** An end that a newer server made up counts as unconfirmed. */
export function leaseEndFromWire(wire: WireEnd): LeaseEnd {
  return ENDS.get(wire) ?? "unconfirmed";
}

export function workOutcomeToWire(outcome: WorkOutcome): WireOutcome {
  return OUTCOMES[outcome];
}

/** The losses that the server tells. */
type Loss = Extract<LossReason, Reason>;

/** Why a lease is lost that the server says has ended so. */
export function lossOf(end: LeaseEnd): Loss {
  return LOSSES[end];
}

const STATES = new Map<LeaseState, LeaseInfo["state"]>([
  [LeaseState.ATTACHED, "attached"],
  [LeaseState.ORPHANED, "orphaned"],
  [LeaseState.DETACHED, "detached"],
]);

const ENDS = new Map<WireEnd, LeaseEnd>([
  [WireEnd.RELEASED, "released"],
  [WireEnd.CANCELLED, "cancelled"],
  [WireEnd.EXPIRED, "expired"],
  [WireEnd.REVOKED, "revoked"],
  [WireEnd.DELETED, "deleted"],
]);

const OUTCOMES: Record<WorkOutcome, WireOutcome> = {
  success: WireOutcome.SUCCESS,
  overloaded: WireOutcome.OVERLOADED,
  ignored: WireOutcome.IGNORED,
};

const LOSSES: Record<LeaseEnd, Loss> = {
  released: "LEASE_ENDED",
  cancelled: "LEASE_ENDED",
  unconfirmed: "LEASE_ENDED",
  expired: "LEASE_EXPIRED",
  revoked: "LEASE_REVOKED",
  deleted: "LIMITER_DELETED",
  displaced: "LEASE_DISPLACED",
};
