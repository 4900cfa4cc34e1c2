/**
 * The limiter; for each of its keys an instance with a bucket, a count of permits and a queue; and the waiters in them.
 */

import type { Queuer } from "../liveness.ts";
import type { Reason, RefusalNumbers } from "../reasons.ts";
import type { Session } from "../session.ts";
import type { Member } from "../structures/arrival-index.ts";
import { Fifo, type FifoNode } from "../structures/fifo.ts";
import { type Due, IndexedHeap } from "../structures/indexed-heap.ts";
import type { Meter } from "../structures/meter.ts";
import type { Slots } from "../structures/slots.ts";
import type { Claim } from "./claim.ts";
import { type EarlierRate, refilled } from "./earlier-rates.ts";
import { createFlow, type Flow } from "./flow.ts";
import type { Holders } from "./holders.ts";
import { type Rate, sameRate } from "./rate.ts";
import { type Bucket, fullBucket, microsUntil, microsUntilFull } from "./token-bucket.ts";

/** What an operator decides about a limiter; every default has been filled in. Times in µs. */
export interface LimiterConfig {
  readonly name: string;
  readonly description: string;
  readonly rate: Rate | undefined;
  /** Permits; undefined: no concurrency limit. */
  readonly maxConcurrent: number | undefined;
  readonly keyed: boolean;
  readonly maxKeys: number;
  readonly maxWaiters: number;
  readonly maxWait: number | undefined;
  readonly refuseLongWaits: boolean;
  readonly ttl: number;
  readonly maxTtl: number;
  readonly trustCancel: boolean;
  readonly paused: boolean;
}

/** What holds where an operator says nothing. */
export const LIMITER_DEFAULTS: Omit<LimiterConfig, "name"> = {
  description: "",
  rate: undefined,
  maxConcurrent: undefined,
  keyed: false,
  maxKeys: 10_000,
  maxWaiters: 10_000,
  maxWait: undefined,
  refuseLongWaits: false,
  ttl: 30_000_000,
  maxTtl: 300_000_000,
  trustCancel: true,
  paused: false,
};

export interface Limiter extends Due {
  readonly kind: "limiter";
  config: LimiterConfig;
  /** The file's last word on it; undefined if it was made by RPC. */
  declaration: LimiterConfig | undefined;
  /** Rises with each change of `config`. */
  revision: number;
  readonly createdAt: number;
  updatedAt: number;
  /** µs of the machine's time, below 0 if that was before the start: what is kept of buckets from before is another limiter's. */
  readonly bornAt: number;
  /** How often the rate has changed, and what it was before each of the last changes, until no bucket is counted so any more. */
  rateChanges: number;
  readonly earlierRates: EarlierRate[];
  deleting: boolean;
  readonly instances: Map<string, Instance>;
  /** Instances of which nothing is held or waited for, by the instant at which their bucket is full. */
  readonly idle: IndexedHeap<Instance>;
  /** Instances whose queue has waiters, present or away. */
  readonly queued: Set<Instance>;
  /** The highest token that was granted. */
  fencingToken: number;
  /** Counts over all instances, kept so that they need not be added up. */
  leases: number;
  orphanedLeases: number;
  permitsInUse: number;
  waiters: number;
  readonly statistics: Statistics;
}

/** One key's share of a limiter; a limiter without keys has one, under the empty key. */
export interface Instance extends Due {
  readonly kind: "instance";
  readonly limiter: Limiter;
  readonly key: string;
  readonly bucket: Bucket;
  /** How many of its limiter's changes of the rate the bucket has been through. */
  rateChanges: number;
  permitsInUse: number;
  /** `NO_QUEUE` until there is a waiter. */
  queue: Fifo<Place>;
  /** Sums over those present in the queue. */
  queuedPermits: number;
  queuedTokens: number;
  slots: Slots | undefined;
  /** Since when its permits are held; undefined where none have been since it was idle. */
  holders: Holders | undefined;
  /** In `limiter.idle`, whose heap then has its deadline; otherwise that is when its head will have its tokens. */
  idle: boolean;
  /** Waking late for its deadline would lose tokens: the bucket has no room for what comes in meanwhile. */
  precise: boolean;
  /** Noted for another look at its queue before the step ends. */
  unsettled: boolean;
  /** Whether its queue has changed since its waiters last heard of it. */
  queueMoved: boolean;
}

/** What must be served until a claim is granted. */
export interface Demand {
  /** Permits and tokens of all claims that are granted before, and of the claim itself. */
  permits: number;
  tokens: number;
  /** The most permits that one of these claims asks for: so many have to be free at one instant. */
  largest: number;
}

/** A claim, and the instance of which it asks. */
export interface OpenClaim {
  readonly claim: Claim;
  readonly instance: Instance;
}

/** A waiter's place in one queue, with what had to be served until its turn when the queue was last surveyed. */
export interface Place extends OpenClaim, FifoNode<Place>, Demand {
  readonly waiter: Waiter;
  /** How many present waiters stood before it then. */
  ahead: number;
}

export interface Waiter extends Queuer, Member<Waiter> {
  readonly kind: "waiter";
  /** The id of the lease that it will have. */
  readonly id: string;
  readonly holder: string;
  readonly caller: string;
  readonly claims: readonly Claim[];
  /** One for each claim; none before it stands in its queues. */
  places: readonly Place[];
  readonly arrivedAt: number;
  /** µs; the ttl of the lease that it will have, and of its place once its connection is lost. */
  readonly ttl: number;
  /** Whether its limiters believe a cancel; else it is a lost connection to them. */
  trustCancel: boolean;
  /** Whose stream it waits on; undefined: it has one of its own. */
  session: Session<Waiter> | undefined;
  /** `ahead` as last sent on its stream. */
  sentAhead: number;
}

/** What is measured of a limiter. */
export interface Statistics {
  /** µs: since when it is measured. */
  readonly since: number;
  /** Made for the first request: of many limiters most are idle. */
  flow: Flow | undefined;
  readonly refusals: Map<Reason, number>;
  /** Made for the first refusal. */
  refused: Meter | undefined;
  overloaded: number;
  /** Rises with everything above and with every change of the limiter: what a watcher compares. */
  activity: number;
}

export function flowOf({ statistics }: Limiter): Flow {
  statistics.flow ??= createFlow(statistics.since);
  return statistics.flow;
}

interface LimiterOrigin {
  readonly config: LimiterConfig;
  readonly declaration: LimiterConfig | undefined;
  /** Its first grant gets a fencing token above this. */
  readonly fencingToken: number;
}

export function createLimiter({ config, declaration, fencingToken }: LimiterOrigin, now: number): Limiter {
  return {
    kind: "limiter",
    config,
    declaration,
    revision: 1,
    createdAt: now,
    updatedAt: now,
    bornAt: now,
    rateChanges: 0,
    earlierRates: [],
    deleting: false,
    instances: new Map(),
    idle: new IndexedHeap(),
    queued: new Set(),
    fencingToken,
    leases: 0,
    orphanedLeases: 0,
    permitsInUse: 0,
    waiters: 0,
    statistics: { since: now, flow: undefined, refusals: new Map(), refused: undefined, overloaded: 0, activity: 0 },
    dueAt: 0,
    heapIndex: -1,
  };
}

/** The queue of all instances that have had no waiter yet, as most keys never do. Nothing is put into it. */
export const NO_QUEUE: Fifo<Place> = new Fifo();

export function createInstance(limiter: Limiter, key: string, now: number): Instance {
  return {
    kind: "instance",
    limiter,
    key,
    bucket: fullBucket(limiter.config.rate, now),
    rateChanges: limiter.rateChanges,
    permitsInUse: 0,
    queue: NO_QUEUE,
    queuedPermits: 0,
    queuedTokens: 0,
    slots: undefined,
    holders: undefined,
    idle: false,
    precise: false,
    unsettled: false,
    queueMoved: false,
    dueAt: 0,
    heapIndex: -1,
  };
}

/** Whether two configurations come to the same, however their rates are written. */
export function sameConfig(a: LimiterConfig, b: LimiterConfig): boolean {
  const { rate: rateA, ...restA } = a;
  const { rate: rateB, ...restB } = b;
  return (
    sameRate(rateA, rateB) &&
    (Object.keys(restA) as (keyof typeof restA)[]).every((field) => restA[field] === restB[field])
  );
}

/** Permits that a claim charges: none without a concurrency limit. */
export function chargedPermits(limiter: Limiter, permits: number): number {
  return limiter.config.maxConcurrent === undefined ? 0 : permits;
}

/** Tokens that a claim charges: none without a rate limit. */
export function chargedTokens(limiter: Limiter, tokens: number): number {
  return limiter.config.rate === undefined ? 0 : tokens;
}

/** Whether the limiter, when idle, has what the claim asks. */
export function canEverFit({ config }: Limiter, permits: number, tokens: number): boolean {
  return (
    (config.maxConcurrent === undefined || permits <= config.maxConcurrent) &&
    (config.rate === undefined || tokens <= config.rate.capacity)
  );
}

/** What of a claim is more than the limiter has when it is idle, and those limits; undefined: it fits. */
export function excessOf(limiter: Limiter, permits: number, tokens: number): RefusalNumbers | undefined {
  if (canEverFit(limiter, permits, tokens)) return undefined;
  const { maxConcurrent, rate } = limiter.config;
  const burstSize = rate?.capacity;
  return {
    ...(maxConcurrent !== undefined && permits > maxConcurrent ? { permits, maxConcurrent } : {}),
    ...(burstSize !== undefined && tokens > burstSize ? { tokens, burstSize } : {}),
  };
}

export function permitsFit(instance: Instance, permits: number): boolean {
  const { maxConcurrent } = instance.limiter.config;
  return maxConcurrent === undefined || permits === 0 || instance.permitsInUse + permits <= maxConcurrent;
}

/** µs from `now` until the instance has gained so many tokens. */
export function microsUntilTokens(instance: Instance, tokens: number, now: number): number {
  const { rate } = instance.limiter.config;
  if (rate === undefined || tokens === 0) return 0;
  return microsUntil(refilled(instance, rate, now), rate, tokens);
}

/** µs from `now` until the bucket is full: with nothing held, the instance then cannot be distinguished from a new one. */
export function microsUntilAsNew(instance: Instance, now: number): number {
  const { rate } = instance.limiter.config;
  if (rate === undefined) return 0;
  return microsUntilFull(refilled(instance, rate, now), rate);
}
