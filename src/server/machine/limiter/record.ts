/**
 * What a limiter machine has to find again after a restart, as plain data: all of it can be JSON. Instants are µs since
 * 1970, since the machine's own time begins anew with each process; the keeper converts them.
 */

import { keptCaller } from "../callers.ts";
import { sessionIdOf } from "../liveness.ts";
import type { Claim } from "./claim.ts";
import { caughtUp, type EarlierRate } from "./earlier-rates.ts";
import type { Lease } from "./lease.ts";
import type { Instance, Limiter, LimiterConfig, Waiter } from "./limiter.ts";
import type { LeaseEnd } from "./outcomes.ts";
import type { PastRequest } from "./past-request.ts";

export interface Records {
  readonly limiters: readonly LimiterRecord[];
  readonly buckets: Iterable<BucketRecord>;
  readonly leases: readonly LeaseRecord[];
  readonly waiters: readonly WaiterRecord[];
  readonly pastRequests: readonly PastRequestRecord[];
  /** Leases without a ttl that this process takes up again at once. */
  readonly adopted: ReadonlySet<string>;
}

export interface LimiterRecord {
  readonly config: LimiterConfig;
  readonly declaration: LimiterConfig | undefined;
  readonly revision: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly deleting: boolean;
  /**
   * µs of running time (see `BucketRecord.at`): when it was made; records of buckets from before are another's of its name.
   * Undefined: that is not known.
   */
  readonly bornAt?: number | undefined;
  /**
   * Rates that were in force before, the first one first, each until an instant in running time, if records of buckets may
   * still say them. Undefined: none.
   */
  readonly earlierRates?: readonly EarlierRate[] | undefined;
}

/** How full a bucket was after its last grant, or when its rate was changed. */
export interface BucketRecord {
  readonly limiter: string;
  readonly key: string;
  /** Whole tokens. */
  readonly tokens: number;
  /** Of the next token, of `unit`. */
  readonly parts: number;
  /** Of the rate at which it went on filling. A gain of 0: as in a record of the first format, it is not known. */
  readonly rate: readonly [gain: number, unit: number, capacity: number];
  /**
   * µs of running time, which stands still while the server is down: from then on it went on filling. Undefined: as in a
   * record of the first format, it is not known.
   */
  readonly at: number | undefined;
}

export interface LeaseRecord {
  readonly id: string;
  readonly serial: number;
  readonly holder: string;
  /** Undefined: the anonymous, as in records of before this was kept. */
  readonly caller?: string | undefined;
  readonly call: Lease["call"];
  readonly asked: readonly Claim[];
  readonly claims: readonly HeldRecord[];
  readonly grantedAt: number;
  readonly ttl: number;
  readonly trustCancel: boolean;
  /** Records of before this was kept have no such field: their `trustCancel` is false if so. */
  readonly keepsOnCancel?: boolean | undefined;
  readonly requestId: string;
  readonly detached: boolean;
  readonly revoked: boolean;
  /** The session that it is held in, which has no record of its own. Undefined: none, as in records of before this was kept. */
  readonly session?: string | undefined;
}

export interface HeldRecord {
  readonly limiter: string;
  readonly key: string;
  readonly permits: number;
  readonly tokens: number;
  readonly fencingToken: number;
  readonly slots: readonly number[];
}

/** A waiter that has a request id to come back with. */
export interface WaiterRecord {
  readonly id: string;
  readonly arrival: number;
  readonly holder: string;
  /** As for a lease. */
  readonly caller?: string | undefined;
  readonly claims: readonly Claim[];
  readonly arrivedAt: number;
  readonly ttl: number;
  readonly trustCancel: boolean;
  /** As for a lease. */
  readonly keepsOnCancel?: boolean | undefined;
  readonly requestId: string;
  /** Undefined: when it is cancelled. */
  readonly deadline: number | undefined;
  /** As for a lease. */
  readonly session?: string | undefined;
}

/** `grant` alone: the grant held nothing, and this is what it was. */
export interface PastRequestRecord {
  readonly requestId: string;
  /** As for a lease. */
  readonly caller?: string | undefined;
  readonly call: Lease["call"];
  readonly asked: readonly Claim[];
  readonly end: LeaseEnd | undefined;
  readonly grant: LeaseRecord | undefined;
  /** It was withdrawn before it had a lease. Records of before this was possible have no such field. */
  readonly withdrawn?: boolean | undefined;
}

/** Nothing is charged without a rate. */
const NO_RATE = { gain: 0, unit: 1, capacity: 0 };

/** `ranBefore`: µs for which the server had run at the machine's zero. */
export function limiterRecord(
  limiter: Limiter,
  { epoch, ranBefore }: { readonly epoch: number; readonly ranBefore: number },
): LimiterRecord {
  const { config, declaration, revision, deleting } = limiter;
  const [createdAt, updatedAt] = [limiter.createdAt + epoch, limiter.updatedAt + epoch];
  const earlierRates = limiter.earlierRates.map(({ rate, until }) => ({ rate, until: until + ranBefore }));
  return {
    config,
    declaration,
    revision,
    createdAt,
    updatedAt,
    deleting,
    bornAt: limiter.bornAt === Number.NEGATIVE_INFINITY ? undefined : limiter.bornAt + ranBefore,
    ...(earlierRates.length > 0 ? { earlierRates } : {}),
  };
}

/** `ranBefore`: µs for which the server had run at the machine's zero. */
export function bucketRecord(instance: Instance, ranBefore: number): BucketRecord {
  const { limiter, key } = instance;
  // The rate may have changed in the step that took from it, and the bucket have yet to go through that.
  const { tokens, parts, at } = caughtUp(instance);
  const { gain, unit, capacity } = limiter.config.rate ?? NO_RATE;
  return { limiter: limiter.config.name, key, tokens, parts, rate: [gain, unit, capacity], at: at + ranBefore };
}

export function leaseRecord(lease: Lease, epoch: number): LeaseRecord {
  const { id, serial, holder, call, asked, grantedAt, ttl, trustCancel, keepsOnCancel, requestId } = lease;
  return {
    id,
    serial,
    holder,
    caller: keptCaller(lease.caller),
    call,
    asked,
    claims: lease.claims.map(({ instance, permits, tokens, fencingToken, slots }) => ({
      limiter: instance.limiter.config.name,
      key: instance.key,
      permits,
      tokens,
      fencingToken,
      slots,
    })),
    grantedAt: grantedAt + epoch,
    ttl,
    trustCancel,
    keepsOnCancel,
    requestId,
    detached: lease.attachment.kind === "detached",
    revoked: lease.revokedAt !== undefined,
    session: sessionIdOf(lease),
  };
}

export function waiterRecord(waiter: Waiter, epoch: number): WaiterRecord {
  const { id, holder, claims, arrivedAt, ttl, trustCancel, keepsOnCancel, requestId, deadline } = waiter;
  return {
    id,
    arrival: waiter.places[0]?.arrival ?? 0,
    holder,
    caller: keptCaller(waiter.caller),
    claims,
    arrivedAt: arrivedAt + epoch,
    ttl,
    trustCancel,
    keepsOnCancel,
    requestId,
    deadline: deadline === Number.POSITIVE_INFINITY ? undefined : deadline + epoch,
    session: waiter.session?.id,
  };
}

export function pastRequestRecord(
  request: { readonly caller: string; readonly requestId: string },
  past: PastRequest,
  epoch: number,
): PastRequestRecord {
  const { requestId } = request;
  const caller = keptCaller(request.caller);
  switch (past.kind) {
    case "ended":
      return { requestId, caller, call: past.call, asked: past.asked, end: past.end, grant: undefined };
    case "spent": {
      const grant = leaseRecord(past.lease, epoch);
      return { requestId, caller, call: past.call, asked: past.asked, end: undefined, grant };
    }
    case "withdrawn":
      return { requestId, caller, call: "acquire", asked: [], end: undefined, grant: undefined, withdrawn: true };
  }
}
