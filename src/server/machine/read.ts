/** Looking at the machine: copies for people and pages, none of which changes what it decides. */

import { estimateOf, survey, waitersAhead } from "./estimate.ts";
import type { Lease } from "./lease.ts";
import type { Instance, Limiter, Waiter } from "./limiter.ts";
import type { State } from "./state.ts";
import { levelOf, refill } from "./token-bucket.ts";
import { type LeaseView, type LimiterStatus, type LimiterView, type Page, viewLease, type WaiterView } from "./view.ts";

export interface Filter {
  /** Empty: any. */
  readonly limiter: string;
  /** Empty: any. */
  readonly key: string;
  /** `next` of the page before; empty: from the start. */
  readonly after: string;
  readonly limit: number;
}

/** One limiter; with a key, the status is that of the key alone. */
export function viewLimiter(state: State, limiter: Limiter, key = ""): LimiterView {
  return {
    config: limiter.config,
    declared: limiter.declaration !== undefined,
    deleting: limiter.deleting,
    revision: limiter.revision,
    createdAt: limiter.createdAt,
    updatedAt: limiter.updatedAt,
    status: statusOf(state, limiter, key),
  };
}

/** Limiters by name, those after `after`. */
export function pageLimiters(
  state: State,
  query: { readonly after: string; readonly limit: number },
): Page<LimiterView> {
  const names = [...state.limiters.keys()].filter((name) => name > query.after).sort();
  const page = names.slice(0, query.limit);
  return {
    items: page.map((name) => viewLimiter(state, state.limiters.get(name) as Limiter)),
    next: names.length > page.length ? (page.at(-1) ?? "") : "",
  };
}

/** Leases in the order of their grants. */
export function pageLeases(state: State, filter: Filter): Page<LeaseView> {
  const after = serialOf(filter.after);
  const items: LeaseView[] = [];
  let last = "";
  for (const lease of state.leases.values()) {
    if (lease.serial <= after || !holds(lease, filter)) continue;
    if (items.length === filter.limit) return { items, next: last };
    items.push(viewLease(lease));
    last = String(lease.serial);
  }
  return { items, next: "" };
}

/** Waiters in the order of their arrival. */
export function pageWaiters(state: State, filter: Filter): Page<WaiterView> {
  const after = serialOf(filter.after);
  const limiter = state.limiters.get(filter.limiter);
  for (const instance of limiter?.instances.values() ?? []) if (instance.queue.size > 0) survey(instance);
  const items: WaiterView[] = [];
  let last = "";
  // The map is in the order of arrival.
  for (const waiter of state.waiters.values()) {
    const arrival = waiter.places[0]?.arrival ?? 0;
    if (arrival <= after || !asks(waiter, filter)) continue;
    if (items.length === filter.limit) return { items, next: last };
    items.push(viewWaiter(waiter, state.now));
    last = String(arrival);
  }
  return { items, next: "" };
}

/** A waiter with its place as last surveyed, and what that lets expect as of `now`. */
export function viewWaiter(waiter: Waiter, now: number): WaiterView {
  return {
    id: waiter.id,
    claims: waiter.claims,
    holder: waiter.holder,
    waitersAhead: waitersAhead(waiter),
    estimatedWait: estimateOf(waiter, now),
    arrivedAt: waiter.arrivedAt,
    deadline: waiter.deadline === Number.POSITIVE_INFINITY ? undefined : waiter.deadline,
  };
}

/**
 * Surveys the queues that have moved, and names the waiters whose place is nearer by a tenth or more than they were
 * last told: word of every step would cost a long queue more than the grants do.
 */
export function takeMoved(state: State): Waiter[] {
  const moved: Waiter[] = [];
  for (const instance of state.moved.splice(0)) {
    instance.queueMoved = false;
    survey(instance);
    for (const { waiter } of instance.queue.present()) {
      const ahead = waitersAhead(waiter);
      if (ahead > waiter.toldAhead * 0.9 || ahead === waiter.toldAhead) continue;
      waiter.toldAhead = ahead;
      moved.push(waiter);
    }
  }
  return moved;
}

function statusOf(state: State, limiter: Limiter, key: string): LimiterStatus {
  const { now } = state;
  const { statistics, config } = limiter;
  const one = key === "" && config.keyed ? undefined : limiter.instances.get(key);
  const ofKey = key !== "" ? (one ?? UNUSED) : undefined;
  return {
    permitsInUse: ofKey?.permitsInUse ?? limiter.permitsInUse,
    permitsLimit: (config.maxConcurrent ?? 0) * (config.keyed && key === "" ? limiter.instances.size : 1),
    waiters: ofKey?.queue.presentCount ?? limiter.waiters,
    tokensAvailable: tokensAvailable(limiter, one, key, now),
    leases: limiter.leases,
    orphanedLeases: limiter.orphanedLeases,
    keys: config.keyed ? limiter.instances.size : 0,
    arrivalRate: statistics.arrivals.rate(now),
    admissionRate: statistics.grants.rate(now),
    completionRate: statistics.completions.rate(now),
    meanHoldTime: statistics.holds.mean(now),
    waitTimeP50: statistics.waits.percentile(0.5, now),
    waitTimeP99: statistics.waits.percentile(0.99, now),
    granted: statistics.grants.total,
    refusals: new Map(statistics.refusals),
    overloaded: statistics.overloaded,
  };
}

/** What a key that nobody uses would show. */
const UNUSED = { permitsInUse: 0, queue: { presentCount: 0 } };

function tokensAvailable(limiter: Limiter, one: Instance | undefined, key: string, now: number): number | undefined {
  const { rate, keyed } = limiter.config;
  if (rate === undefined || (keyed && key === "")) return undefined;
  if (one === undefined) return rate.capacity;
  refill(one.bucket, rate, now);
  return levelOf(one.bucket, rate);
}

function holds(lease: Lease, { limiter, key }: Filter): boolean {
  if (limiter === "") return true;
  return lease.claims.some(
    ({ instance, permits }) =>
      permits > 0 && instance.limiter.config.name === limiter && (key === "" || instance.key === key),
  );
}

function asks(waiter: Waiter, { limiter, key }: Filter): boolean {
  return waiter.claims.some((claim) => claim.limiter === limiter && (key === "" || claim.key === key));
}

function serialOf(token: string): number {
  return token === "" ? 0 : Number(token);
}
