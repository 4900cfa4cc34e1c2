/** The grant: the one instant at which permits and tokens are charged, together and for all claims. */

import { countIn, keyOfCaller } from "../callers.ts";
import { type Attachment, DETACHED, holdIn, restartTtl } from "../liveness.ts";
import type { Reason } from "../reasons.ts";
import type { Session } from "../session.ts";
import { Slots } from "../structures/slots.ts";
import type { Claim } from "./claim.ts";
import type { Granted } from "./command.ts";
import { closeIfIdle, holdersOf } from "./instances.ts";
import { type HeldClaim, isFirstHeld, type Lease } from "./lease.ts";
import {
  chargedPermits,
  chargedTokens,
  flowOf,
  type Instance,
  type Limiter,
  microsUntilTokens,
  type OpenClaim,
  permitsFit,
} from "./limiter.ts";
import { pastRequest } from "./requests.ts";
import { noteChange, type State } from "./state.ts";

/** Why a claim does not fit an instance now, besides its waiters. */
export type Obstacle =
  | { readonly kind: "learning" }
  | { readonly kind: "paused" }
  | { readonly kind: "permits" }
  /** µs until the tokens are there. */
  | { readonly kind: "tokens"; readonly wait: number };

/** What a request hears of it, as the reason of a refusal or of a wait. */
export const OBSTACLE_REASONS = {
  learning: "LEARNING",
  paused: "PAUSED",
  permits: "CONCURRENCY_EXHAUSTED",
  tokens: "RATE_EXHAUSTED",
} as const satisfies Record<Obstacle["kind"], Reason>;

const LEARNING: Obstacle = { kind: "learning" };
const PAUSED: Obstacle = { kind: "paused" };
const PERMITS: Obstacle = { kind: "permits" };

/** What stands in the way of one claim; undefined: nothing. */
export function obstacle(state: State, instance: Instance, claim: Claim): Obstacle | undefined {
  const closed = closedFor(state, instance.limiter);
  if (closed !== undefined) return closed;
  if (!permitsFit(instance, claim.permits)) return PERMITS;
  const wait = microsUntilTokens(instance, claim.tokens, state.now);
  return wait === 0 ? undefined : { kind: "tokens", wait };
}

/** What keeps a limiter from granting anything. */
export function closedFor(state: State, limiter: Limiter): Obstacle | undefined {
  if (state.learning) return LEARNING;
  return limiter.config.paused ? PAUSED : undefined;
}

/** What of a request, or of the waiter that it became, goes into its lease. */
export interface Grantee {
  readonly id: string;
  readonly call: "acquire" | "try-acquire";
  readonly claims: readonly Claim[];
  readonly holder: string;
  readonly caller: string;
  readonly requestId: string;
  readonly ttl: number;
  readonly trustCancel: boolean;
  readonly keepsOnCancel: boolean;
  readonly arrivedAt: number;
  /** What shows its holder's life. */
  readonly by: Attachment | Session;
}

/** Charges all claims, which fit, and makes the lease; one that holds nothing is not kept. */
export function grant(state: State, grantee: Grantee, open: readonly OpenClaim[]): Granted {
  const { now } = state;
  const { by } = grantee;
  const claims = open.map((one) => charge(state, one));
  const held = claims.some((claim) => claim.permits > 0);
  state.serial += 1;
  const lease: Lease = {
    kind: "lease",
    id: grantee.id,
    serial: state.serial,
    holder: grantee.holder,
    caller: grantee.caller,
    call: grantee.call,
    asked: grantee.claims,
    claims,
    grantedAt: now,
    ttl: grantee.ttl,
    trustCancel: grantee.trustCancel,
    keepsOnCancel: grantee.keepsOnCancel,
    requestId: grantee.requestId,
    attachment: by.kind === "session" ? DETACHED : by,
    promises: 1,
    revokedAt: undefined,
    dueAt: 0,
    heapIndex: -1,
  };
  const waited = now - grantee.arrivedAt;
  for (const { instance, permits, tokens } of claims) {
    const flow = flowOf(instance.limiter);
    const { grants, waits, completions, totals } = flow;
    grants.count(now);
    flow.lastGrantAt = now;
    waits.record(waited, now);
    totals.waits.record(waited);
    totals.tokens += tokens;
    instance.limiter.statistics.activity += 1;
    if (permits > 0) continue;
    completions.count(now);
    closeIfIdle(state, instance);
  }
  if (held) {
    state.leases.set(lease.id, lease);
    countIn(state, lease.caller, "leases");
    for (let index = 0; index < claims.length; index++) {
      if (isFirstHeld(claims, index)) (claims[index] as HeldClaim).instance.limiter.leases += 1;
    }
    if (lease.requestId !== "") state.requests.set(keyOfCaller(lease.caller, lease.requestId), lease);
    if (by.kind === "session") holdIn(state, lease, by, true);
    startClock(state, lease);
    noteChange(state, { kind: "lease-put", lease });
  } else if (lease.requestId !== "") {
    pastRequest(state, lease, { kind: "spent", call: lease.call, asked: lease.asked, lease });
  }
  return { kind: "granted", lease, held, resumed: false };
}

/** Starts the lease's ttl anew; one that is being revoked keeps the time that it has left. */
export function startClock(state: State, lease: Lease): void {
  if (lease.revokedAt === undefined) restartTtl(state, lease);
}

function charge(state: State, { instance, claim }: OpenClaim): HeldClaim {
  const { limiter } = instance;
  const permits = chargedPermits(limiter, claim.permits);
  const tokens = chargedTokens(limiter, claim.tokens);
  instance.permitsInUse += permits;
  limiter.permitsInUse += permits;
  if (permits > 0) holdersOf(instance).add(state.now, permits);
  // `obstacle` has brought the bucket up to now.
  instance.bucket.tokens -= tokens;
  if (tokens > 0) noteChange(state, { kind: "tokens-spent", instance });
  limiter.fencingToken += 1;
  let slots: readonly number[] = NO_SLOTS;
  if (claim.slots && permits > 0) {
    instance.slots ??= new Slots();
    slots = instance.slots.take(permits);
  }
  return { instance, permits, tokens, fencingToken: limiter.fencingToken, slots };
}

const NO_SLOTS: readonly number[] = [];
