/**
 * Claims, leases and waiters: domain to protobuf and back. Messages of the hot path are written out as they are: `create` would
 * look at each of their fields.
 */

import { create } from "@bufbuild/protobuf";
import type {
  Granted as WireGranted,
  Waiting as WireWaiting,
} from "../gen/ggen/backpressure/v1/admission_service_pb.ts";
import {
  ClaimSchema,
  LeaseState,
  type Claim as WireClaim,
  LeaseEnd as WireEnd,
  type GrantedClaim as WireHeldClaim,
  type Lease as WireLease,
  WorkOutcome as WireOutcome,
} from "../gen/ggen/backpressure/v1/lease_pb.ts";
import {
  ObstacleSchema,
  WaiterSchema,
  type Obstacle as WireObstacle,
  type Waiter as WireWaiter,
} from "../gen/ggen/backpressure/v1/limiter_pb.ts";
import {
  RefusalSchema,
  Reason as WireReason,
  type Refusal as WireRefusal,
} from "../gen/ggen/backpressure/v1/reason_pb.ts";
import { keptCaller } from "../machine/callers.ts";
import type { Claim } from "../machine/limiter/claim.ts";
import type { LeaseEnd, WorkOutcome } from "../machine/limiter/outcomes.ts";
import type { ShownGrant } from "../machine/limiter/show.ts";
import type { HeldClaimView, LeaseView, ObstacleView, WaiterView } from "../machine/limiter/view.ts";
import type { Reason, Refusal } from "../machine/reasons.ts";
import { refusalMessage } from "../machine/refusal-message.ts";
import { type FieldViolation, invalidRequest } from "./error-wire.ts";
import { msToTimestamp, optionalDuration, optionalTimestamp, usualDuration } from "./time-wire.ts";

/** Knows the secret of each lease. */
export interface Secrets {
  secretOf(leaseId: string): string;
}

const MAX_SLOTS = 1024;

/** By limiter, the claim that was last made alone: most requests make the one that was made before them. */
const lastAlone = new Map<string, readonly [Claim]>();
const MOST_REMEMBERED = 1_000;

/**
 * Claims that have passed the contract's rules; throws a `WireError` for what those cannot say. Claims that are alike are the same
 * list: a hundred thousand waiters of one limiter need not have one each.
 */
export function claimsFromWire(claims: readonly WireClaim[]): readonly Claim[] {
  const [wire] = claims;
  if (wire === undefined || claims.length > 1) return checkedClaims(claims);
  const known = lastAlone.get(wire.limiter);
  if (known !== undefined && isAlike(known[0], wire)) return known;
  const checked = checkedClaims(claims) as readonly [Claim];
  if (lastAlone.size >= MOST_REMEMBERED) lastAlone.clear();
  lastAlone.set(wire.limiter, checked);
  return checked;
}

function isAlike(claim: Claim, { key, permits = 1, tokens = 1, slots }: WireClaim): boolean {
  return claim.key === key && claim.permits === permits && claim.tokens === tokens && claim.slots === slots;
}

function checkedClaims(claims: readonly WireClaim[]): readonly Claim[] {
  const violations: FieldViolation[] = [];
  const seen = new Set<string>();
  const domain = claims.map((wire, index) => {
    const { limiter, key, permits = 1, tokens = 1, slots } = wire;
    const violation = (field: string, reason: string, description: string) =>
      violations.push({ field: `claims[${index}]${field}`, reason, description });
    if (permits === 0 && tokens === 0) {
      violation("", "claim.not_empty", "permits and tokens must not both be 0");
    }
    if (slots && permits > MAX_SLOTS) {
      violation(".permits", "claim.slots", `must be at most ${MAX_SLOTS} where slots are asked for`);
    }
    // One alone, as nearly always, is no other's double.
    const name = claims.length > 1 ? JSON.stringify([limiter, key]) : "";
    if (seen.has(name)) {
      violation(
        "",
        "claim.unique",
        "names the same limiter and key as a claim before it; ask for more permits instead",
      );
    }
    seen.add(name);
    return { limiter, key, permits, tokens, slots };
  });
  if (violations.length > 0) throw invalidRequest(violations);
  return domain;
}

/** A grant as its holder receives it: with the secret of its lease, if there is something to hold. */
export function grantedToWire({ lease, held, validFor, resumed }: ShownGrant, secrets: Secrets): WireGranted {
  return {
    $typeName: "ggen.backpressure.v1.Granted",
    lease: leaseToWire(lease),
    secret: held ? secrets.secretOf(lease.id) : "",
    validFor: validFor === undefined ? undefined : usualDuration(validFor),
    resumed,
  };
}

export function waitingToWire(place: {
  readonly waitersAhead: number;
  readonly estimatedWait: number | undefined;
}): WireWaiting {
  return {
    $typeName: "ggen.backpressure.v1.Waiting",
    waitersAhead: place.waitersAhead,
    estimatedWait: optionalDuration(place.estimatedWait),
  };
}

export function leaseToWire(lease: LeaseView): WireLease {
  return {
    $typeName: "ggen.backpressure.v1.Lease",
    id: lease.id,
    claims: lease.claims.map(heldClaimToWire),
    holder: lease.holder,
    grantTime: msToTimestamp(lease.grantedAt),
    ttl: usualDuration(lease.ttl),
    state: STATES[lease.attachment],
    expireTime: optionalTimestamp(lease.expiresAt),
    revoking: lease.revoking,
    caller: callerToWire(lease.caller),
  };
}

export function waiterToWire(waiter: WaiterView): WireWaiter {
  return create(WaiterSchema, {
    id: waiter.id,
    claims: waiter.claims.map((claim) => create(ClaimSchema, claim)),
    holder: waiter.holder,
    waitersAhead: waiter.waitersAhead,
    estimatedWait: optionalDuration(waiter.estimatedWait),
    arriveTime: msToTimestamp(waiter.arrivedAt),
    deadline: optionalTimestamp(waiter.deadline),
    obstacles: waiter.obstacles.map(obstacleToWire),
    away: waiter.away,
    caller: callerToWire(waiter.caller),
  });
}

export function obstacleToWire({ limiter, key, reason, waitersAhead }: ObstacleView): WireObstacle {
  return create(ObstacleSchema, { limiter, key, reason: reasonToWire(reason), waitersAhead });
}

/** A caller, as those see it who look; empty: the anonymous. */
export function callerToWire(caller: string): string {
  return keptCaller(caller) ?? "";
}

/** A refusal where it is an answer. */
export function refusalToWire(refusal: Refusal): WireRefusal {
  return create(RefusalSchema, {
    reason: reasonToWire(refusal.reason),
    message: refusalMessage(refusal),
    limiter: refusal.limiter,
    key: refusal.key,
    retryAfter: optionalDuration(refusal.retryAfter),
    waitersAhead: refusal.waitersAhead,
  });
}

/** A reason; those that say what is wrong with a field travel as INVALID_REQUEST. */
export function reasonToWire(reason: Reason): WireReason {
  return WireReason[reason === "KEY_REQUIRED" || reason === "KEY_NOT_ALLOWED" ? "INVALID_REQUEST" : reason];
}

export function leaseEndToWire(end: LeaseEnd): WireEnd {
  return ENDS[end];
}

export function workOutcomeFromWire(outcome: WireOutcome): WorkOutcome {
  switch (outcome) {
    case WireOutcome.OVERLOADED:
      return "overloaded";
    case WireOutcome.IGNORED:
      return "ignored";
    default:
      return "success";
  }
}

const STATES: Record<LeaseView["attachment"], LeaseState> = {
  attached: LeaseState.ATTACHED,
  orphaned: LeaseState.ORPHANED,
  detached: LeaseState.DETACHED,
};

const ENDS: Record<LeaseEnd, WireEnd> = {
  released: WireEnd.RELEASED,
  cancelled: WireEnd.CANCELLED,
  expired: WireEnd.EXPIRED,
  revoked: WireEnd.REVOKED,
  deleted: WireEnd.DELETED,
};

function heldClaimToWire({ limiter, key, permits, tokens, fencingToken, slots }: HeldClaimView): WireHeldClaim {
  return {
    $typeName: "ggen.backpressure.v1.GrantedClaim",
    limiter,
    key,
    permits,
    tokens,
    fencingToken: BigInt(fencingToken),
    slots: [...slots],
  };
}
