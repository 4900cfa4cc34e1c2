/**
 * Limiters as the client shows them. Times that one chooses carry the contract's names (`ttl`, `maxWait`), those that
 * one receives end in `Ms`; both are milliseconds. Instants are `Date`s of the server's wall clock.
 */

import type { Claim, GrantedClaim } from "./claim.ts";
import type { LeaseEnd } from "./lease.ts";
import type { RateAmount, RateInput } from "./rate.ts";
import type { Reason } from "./reasons.ts";

/** What can be chosen of a limiter after it has been made. At least one of the two limits must be there. */
export interface LimiterSettings {
  /** For people. At most 1,024 bytes. */
  readonly description?: string | undefined;
  /**
   * Rate limit: tokens a second, from one in 30 days to 10,000,000; 10 / 60 is exactly 10 a minute. Default: no rate
   * limit. Read back, it is set whenever there is one: where `rate` was given, as the nearest double.
   */
  readonly maxRps?: number | undefined;
  /**
   * Rate limit as an amount per period, exact: `"10/m"`, `"50/d"` or `{ tokens: 10, per: 60_000 }` (ms). It and `maxRps` are
   * one setting: a change of either replaces both.
   */
  readonly rate?: RateInput | undefined;
  /** Rate limit: tokens that an idle limiter has saved up, 1 to 1,000,000,000. Default: what 50 ms bring, at least 1. */
  readonly burstSize?: number | undefined;
  /** Concurrency limit: permits, 1 to 1,000,000. Default: no concurrency limit. */
  readonly maxConcurrent?: number | undefined;
  /** Keys in use at once, 1 to 1,000,000. Default 10,000. Only for a keyed limiter. */
  readonly maxKeys?: number | undefined;
  /** How many may wait at once (for each key), 0 to 1,000,000. Default 10,000. */
  readonly maxWaiters?: number | undefined;
  /** ms that a request waits at most, to 24 hours. Default: as long as the caller likes. */
  readonly maxWait?: number | undefined;
  /** Refuses at once, with WAIT_TOO_LONG, a caller whose estimated wait exceeds what it will wait. Default false. */
  readonly refuseLongWaits?: boolean | undefined;
  /** ms that a lease outlives the last sign of its holder: 0, or 100 to `maxTtl`. Default 30,000. */
  readonly ttl?: number | undefined;
  /** ms: the longest ttl that a request may choose, 100 to 24 hours. Default 5 minutes. */
  readonly maxTtl?: number | undefined;
  /** Whether a stream cancelled over a living connection frees its lease at once. Default true. */
  readonly trustCancel?: boolean | undefined;
  /** Grants nothing and keeps its waiters. Default false. */
  readonly paused?: boolean | undefined;
}

/** What a limiter is made of. */
export interface LimiterConfig extends LimiterSettings {
  /** Names it, for ever: letters, digits and `. _ - /`, at most 128. */
  readonly name: string;
  /** Whether each key has a bucket and a count of permits of its own; for ever. Default false. */
  readonly keyed?: boolean | undefined;
}

/** Changes to a limiter: what is given is changed, `null` goes back to its default, what is not given stays. */
export type LimiterChanges = { readonly [K in keyof LimiterSettings]?: LimiterSettings[K] | null };

/** A limiter as it stands; its configuration shows defaults where the server fills them in. */
export interface Limiter extends LimiterConfig {
  /** Where the limiter was configured by an amount per period. */
  readonly rate: RateAmount | undefined;
  readonly description: string;
  readonly keyed: boolean;
  readonly refuseLongWaits: boolean;
  readonly paused: boolean;
  /** Changes with every change of the configuration. */
  readonly etag: string;
  /** Whether the server's file declares it. */
  readonly declared: boolean;
  /** `"deleting"`: it drains after its deletion, grants nothing, and goes with its last lease. */
  readonly state: "active" | "deleting";
  readonly createTime: Date | undefined;
  readonly updateTime: Date | undefined;
  readonly status: LimiterStatus;
}

/** What goes on in a limiter; over all its keys, unless one was asked for. Rates are means over the last 10 s. */
export interface LimiterStatus {
  readonly permitsInUse: number;
  /** 0 without a concurrency limit; of a keyed limiter that of one key times the keys in use. */
  readonly permitsLimit: number;
  readonly waiters: number;
  /** Of a keyed limiter only where one key was asked for. */
  readonly tokensAvailable: number;
  readonly leases: number;
  /** Those whose connection is lost. */
  readonly orphanedLeases: number;
  readonly keys: number;
  /** Requests a second. */
  readonly arrivalRate: number;
  /** λ: grants a second. */
  readonly admissionRate: number;
  /** μ: leases that ended, a second. */
  readonly completionRate: number;
  /** Undefined while no lease has ended. */
  readonly meanHoldTimeMs: number | undefined;
  /** Half of those granted waited at most so long. Undefined while nothing was granted. */
  readonly waitTimeP50Ms: number | undefined;
  /** All but one in a hundred of those granted waited at most so long. */
  readonly waitTimeP99Ms: number | undefined;
  /** Grants since the server started. */
  readonly grantedCount: number;
  /** Refusals since the server started, by reason; a reason that never occurred is missing. */
  readonly refusals: Readonly<Partial<Record<Reason, number>>>;
  /** Leases since the server started whose holder said `"overloaded"`. */
  readonly overloadedCount: number;
  /** How long the oldest waiter has waited. Undefined while none waits. */
  readonly oldestWaitMs: number | undefined;
  /**
   * How long ago the last grant was; of a keyed limiter that of its oldest waiter's key, or of the key that was asked for.
   * Undefined where it is not known, as while nothing was granted since the server started.
   */
  readonly sinceLastGrantMs: number | undefined;
  /** Requests a second that were refused. */
  readonly refusalRate: number;
  /** What keeps the oldest waiter from its grant; empty while none waits. */
  readonly obstacles: readonly Obstacle[];
}

/** What keeps a waiter from its grant in one of the queues in which it stands. */
export interface Obstacle {
  readonly limiter: string;
  /** Empty for a limiter without keys. */
  readonly key: string;
  /**
   * `"WAITERS_AHEAD"`: it is not the first there. `"CONCURRENCY_EXHAUSTED"`, `"RATE_EXHAUSTED"`: it is, and permits or tokens
   * are missing. `"PAUSED"`, `"LEARNING"`: nothing is granted there.
   */
  readonly reason: Reason;
  /** How many stand before it in that queue. */
  readonly waitersAhead: number;
}

/** How a limiter stood at the end of an interval, and what went through it meanwhile; over all its keys. */
export interface LimiterSample {
  /** When the interval ended. */
  readonly time: Date;
  /** How long it was: 15 s, or a little more. */
  readonly spanMs: number;
  readonly permitsInUse: number;
  /** 0 without a concurrency limit; of a keyed limiter that of one key times the keys in use. */
  readonly permitsLimit: number;
  readonly waiters: number;
  /** How long the oldest of them had waited. Undefined where none waited. */
  readonly oldestWaitMs: number | undefined;
  /** Requests a second, as a mean over the interval, as the three below. */
  readonly arrivalRate: number;
  /** λ: grants a second. */
  readonly admissionRate: number;
  /** μ: leases that ended, a second. */
  readonly completionRate: number;
  /** Refusals a second. */
  readonly refusalRate: number;
}

/** News of limiters: first a snapshot, then what changes; a snapshot again where a connection was lost. */
export type LimiterEvent =
  | { readonly kind: "snapshot"; readonly limiters: readonly Limiter[] }
  | { readonly kind: "changed"; readonly limiter: Limiter }
  | { readonly kind: "removed"; readonly name: string };

/** A lease, as an operator sees it. */
export interface LeaseInfo {
  readonly id: string;
  readonly claims: readonly GrantedClaim[];
  readonly holder: string;
  /** Whose it is, as the server has made sure of it; empty: its client has shown no credential. */
  readonly caller: string;
  readonly grantTime: Date | undefined;
  /** ms that it outlives the last sign of its holder; 0: it ends with its stream. */
  readonly ttlMs: number;
  /** `"attached"`: a stream is open. `"orphaned"`: its connection was lost. `"detached"`: it never had a stream. */
  readonly state: "attached" | "orphaned" | "detached";
  /** When it ends unless its holder shows itself. Undefined while a stream that the server can probe is attached. */
  readonly expireTime: Date | undefined;
  /** An operator asked for it back. */
  readonly revoking: boolean;
}

/** A request in the queue, as an operator sees it. */
export interface WaiterInfo {
  readonly id: string;
  readonly claims: readonly Claim[];
  readonly holder: string;
  /** As of a lease. */
  readonly caller: string;
  /** How many will be granted before; 0 is next. */
  readonly waitersAhead: number;
  /** Undefined where it cannot be known. */
  readonly estimatedWaitMs: number | undefined;
  readonly arriveTime: Date | undefined;
  /** When it gives up. Undefined: when it is cancelled. */
  readonly deadline: Date | undefined;
  /** What keeps it from its grant, in the order of its claims. */
  readonly obstacles: readonly Obstacle[];
  /** Its connection is lost: it blocks no other waiter, and has its place again if it comes back in time. */
  readonly away: boolean;
}

/** What became of a lease that was asked back: it still lives until its `expireTime`, or it has ended. */
export type Revocation =
  | { readonly kind: "revoking"; readonly lease: LeaseInfo }
  | { readonly kind: "ended"; readonly end: LeaseEnd };
