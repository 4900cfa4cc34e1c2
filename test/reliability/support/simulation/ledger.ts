/** What has been granted, kept beside the machine that grants it, and what must be true of it whatever fails. */

import { assertMachine } from "../../../../src/server/machine/limiter/invariants.ts";
import type { LimiterConfig } from "../../../../src/server/machine/limiter/limiter.ts";
import { sameRate } from "../../../../src/server/machine/limiter/rate.ts";
import type { State } from "../../../../src/server/machine/limiter/state.ts";

/** Parts of a token, of the limiter's rate, at an instant (µs). */
interface Bucket {
  level: number;
  at: number;
}

export interface Ledger {
  /** What was broken; empty: nothing. */
  readonly violations: ReadonlySet<string>;
  violate(what: string): void;
  /** After each turn of a machine that began at `startedAt`. */
  look(state: State, startedAt: number): void;
  /** A client has heard of the grant, so it must not be forgotten. */
  tell(leaseId: string): void;
  /** The machine is gone at this instant; what no client has heard of may be, too. */
  crash(at: number): void;
  /** The most permits of the limiter that may be at work: holders beyond a lowered limit may finish. */
  bound(limiter: string): number;
}

/** µs of which a crash may leave no sign: a mark comes each 250 ms, and a commit takes 200 ms at most. */
const UNPROVED = 1_000_000;

interface Grant {
  readonly leaseId: string;
  readonly requestId: string;
  readonly at: number;
  readonly tokens: number;
}

interface Account {
  readonly config: LimiterConfig;
  bound: number;
  lastToken: number;
  /** As of the last start: whatever happens, so much was granted. */
  settled: Bucket;
  /** As of the last grant. */
  current: Bucket;
  /** Since the last start. */
  grants: Grant[];
}

export function createLedger(configs: readonly LimiterConfig[]): Ledger {
  const violations = new Set<string>();
  const heard = new Set<string>();
  const byRequest = new Map<string, string>();
  const accounts = new Map(configs.map((config) => [config.name, open(config)]));
  let startedAt = -1;
  let crashedAt = 0;
  let lastSerial = 0;

  function violate(what: string): void {
    violations.add(what);
  }

  /** What was decided and is not kept was never said, or it should have been. */
  function reconcile(state: State): void {
    lastSerial = state.serial;
    for (const account of accounts.values()) {
      for (const grant of account.grants) {
        if (heard.has(grant.leaseId) || state.leases.has(grant.leaseId)) spend(account.settled, account.config, grant);
        else if (byRequest.get(grant.requestId) === grant.leaseId) byRequest.delete(grant.requestId);
      }
      // Downtime earns nothing.
      refill(account.settled, account.config, crashedAt);
      account.settled.at = startedAt;
      compareBucket(account, state);
      account.current = { ...account.settled };
      account.grants = [];
    }
  }

  /** A bucket has gained nothing by the restart, and has lost at most what came in since the last mark. */
  function compareBucket({ config, settled }: Account, state: State): void {
    const limiter = state.limiters.get(config.name);
    const bucket = limiter?.instances.get("")?.bucket;
    const rate = limiter?.config.rate;
    // An operator may have changed the rate, which the ledger does not follow.
    if (bucket === undefined || rate === undefined || !sameRate(rate, config.rate)) return;
    const level = bucket.tokens * rate.unit + bucket.parts;
    if (level > settled.level)
      violate(`${config.name}: ${level} parts of tokens after a restart, above ${settled.level}`);
    const unproved = UNPROVED * rate.gain;
    if (level < settled.level - unproved)
      violate(`${config.name}: ${level} parts of tokens after a restart, of ${settled.level}`);
  }

  function enter(account: Account, grant: Grant, fencingToken: number): void {
    if (fencingToken <= account.lastToken) violate(`fencing token ${fencingToken} after ${account.lastToken}`);
    account.lastToken = fencingToken;
    account.grants.push(grant);
    spend(account.current, account.config, grant);
    if (account.current.level < 0) violate(`${account.config.name}: more tokens than its rate, at ${grant.at} µs`);
  }

  return {
    violations,
    violate,
    look(state, started) {
      try {
        assertMachine(state);
      } catch (error) {
        violate(String(error));
      }
      if (started !== startedAt) {
        startedAt = started;
        reconcile(state);
      }
      for (const lease of state.leases.values()) {
        if (lease.serial <= lastSerial) continue;
        lastSerial = lease.serial;
        const { requestId, grantedAt } = lease;
        if (byRequest.has(requestId)) violate(`two leases for request id ${requestId}`);
        byRequest.set(requestId, lease.id);
        for (const { instance, tokens, fencingToken } of lease.claims) {
          const account = accounts.get(instance.limiter.config.name);
          const grant = { leaseId: lease.id, requestId, at: startedAt + grantedAt, tokens };
          if (account !== undefined) enter(account, grant, fencingToken);
        }
      }
      for (const account of accounts.values()) {
        const limiter = state.limiters.get(account.config.name);
        const limit = limiter?.config.maxConcurrent ?? 0;
        if (limit > account.bound || (limiter?.permitsInUse ?? 0) <= limit) account.bound = limit;
      }
    },
    tell: (leaseId) => heard.add(leaseId),
    crash(at) {
      crashedAt = at;
      startedAt = -1;
    },
    bound: (limiter) => accounts.get(limiter)?.bound ?? 0,
  };
}

function open(config: LimiterConfig): Account {
  const full = { level: fullLevel(config), at: 0 };
  return { config, bound: 0, lastToken: 0, settled: { ...full }, current: { ...full }, grants: [] };
}

// The ledger's buckets are its own, so that a mistake in those of the machine is not made here as well.

function fullLevel({ rate }: LimiterConfig): number {
  return rate === undefined ? 0 : rate.capacity * rate.unit;
}

function refill(bucket: Bucket, config: LimiterConfig, now: number): void {
  if (config.rate === undefined) return;
  bucket.level = Math.min(fullLevel(config), bucket.level + (now - bucket.at) * config.rate.gain);
  bucket.at = now;
}

function spend(bucket: Bucket, config: LimiterConfig, { at, tokens }: Grant): void {
  refill(bucket, config, at);
  bucket.level -= tokens * (config.rate?.unit ?? 0);
}
