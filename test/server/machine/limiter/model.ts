/**
 * What the machine should do, said as simply as can be: arrays that are searched from end to end, sums over all,
 * tokens as BigInt, every rule once, as the contract words it. Slow, and independent of how the machine does it.
 */

import { type Called, type CallerBounds, callerOf } from "../../../../src/server/machine/callers.ts";
import type { Claim } from "../../../../src/server/machine/limiter/claim.ts";
import type { Acquire, Command, Leave, Resume, TryAcquire } from "../../../../src/server/machine/limiter/command.ts";
import type { LimiterConfig } from "../../../../src/server/machine/limiter/limiter.ts";
import type { LeaseEnd } from "../../../../src/server/machine/limiter/outcomes.ts";
import type { Reason } from "../../../../src/server/machine/reasons.ts";
import type { SessionStream } from "../../../../src/server/machine/session.ts";
import {
  endInSession,
  isIn,
  type ModelAttachment,
  type ModelSession,
  newSession,
  streamOf,
} from "../model-sessions.ts";

export interface ModelLimiter {
  config: LimiterConfig;
  declaration: LimiterConfig | undefined;
  revision: number;
  deleting: boolean;
  /** Keys whose bucket was taken from: parts of a token at an instant. Any other is full. */
  buckets: Map<string, { level: bigint; at: number }>;
}

interface Aim {
  readonly limiter: ModelLimiter;
  readonly key: string;
  readonly permits: number;
  readonly tokens: number;
}

export interface ModelLease {
  readonly id: string;
  readonly caller: string;
  readonly call: "acquire" | "try-acquire";
  readonly asked: readonly Claim[];
  readonly holds: readonly Aim[];
  readonly ttl: number;
  readonly trustCancel: boolean;
  keepsOnCancel: boolean;
  readonly requestId: string;
  attachment: ModelAttachment;
  /** What the model counts of a lease in a session only once it is asked back. */
  expiresAt: number;
  revoking: boolean;
  /** How many calls it was promised to. */
  promises: number;
}

export interface ModelWaiter {
  readonly id: string;
  readonly caller: string;
  readonly asked: readonly Claim[];
  readonly aims: readonly Aim[];
  readonly ttl: number;
  trustCancel: boolean;
  keepsOnCancel: boolean;
  readonly requestId: string;
  readonly arrivedAt: number;
  stream: number | undefined;
  monitored: boolean;
  session: ModelSession | undefined;
  deadline: number;
  /** While it is away. */
  keptUntil: number;
}

/** What is said to an asker or to a stream, without what the model does not predict. */
export type Said =
  | { kind: "granted"; id: string; held: boolean; resumed: boolean; claims: SaidClaim[] }
  | {
      kind: "waiting";
      id: string;
      waitersAhead: number | "as surveyed";
      estimatedWait: number | undefined | "by hold times";
    }
  | Refused
  | { kind: "ended"; id: string; end: LeaseEnd; already: boolean }
  | { kind: "renewed"; id: string }
  | { kind: "session-resumed"; leaseIds: string[] }
  | { kind: "session-renewed"; validFor: number | undefined }
  | { kind: "revoking"; id: string; message: string }
  | { kind: "displaced"; reason: string }
  | { kind: "limiter"; name: string; revision: number }
  | { kind: "limiter-deleted"; name: string; drainingLeases: number }
  | { kind: "declared"; created: string[]; changed: string[]; deleted: string[]; refused: string[] }
  | { kind: "withdrawn" }
  | { kind: "done" };

interface Refused {
  kind: "refused";
  reason: Reason;
  limiter: string;
  key: string;
  claim: number;
  retryAfter: number | undefined;
  waitersAhead: number;
}

export interface SaidClaim {
  limiter: string;
  key: string;
  permits: number;
  tokens: number;
  slots: number;
}

export interface ModelStep {
  outcome: Said;
  events: { to: number; about: string; said: Said }[];
  /** Every grant of the step, in order. */
  grants: { id: string; aims: readonly Aim[] }[];
}

const DETACHED_TTL = 30_000_000;
const NEVER = Number.POSITIVE_INFINITY;

export class Model {
  readonly limiters = new Map<string, ModelLimiter>();
  /** In the order of arrival. */
  waiters: ModelWaiter[] = [];
  leases: ModelLease[] = [];
  sessions: ModelSession[] = [];
  readonly ends = new Map<string, { readonly end: LeaseEnd; readonly caller: string }>();
  /** By caller, and request id. */
  readonly #pastRequests = new Map<
    string,
    { call: string; asked: readonly Claim[]; end: LeaseEnd | undefined; claims: SaidClaim[]; id: string }
  >();
  readonly #withdrawn = new Set<string>();
  readonly #maxWaiters: number;
  readonly #callerBounds: CallerBounds | undefined;
  #now = 0;
  #events: ModelStep["events"] = [];
  #grants: ModelStep["grants"] = [];

  constructor(options: { readonly maxWaiters: number; readonly callerBounds?: CallerBounds }) {
    this.#maxWaiters = options.maxWaiters;
    this.#callerBounds = options.callerBounds;
  }

  step(command: Command, now: number): ModelStep {
    this.#now = now;
    this.#events = [];
    this.#grants = [];
    this.#passTime();
    this.#forgetSessions();
    const outcome = this.#carryOut(command);
    this.#admitAll();
    this.#forgetSessions();
    return { outcome, events: this.#events, grants: this.#grants };
  }

  /** When something happens by itself at the earliest, if no command comes. */
  next(): number {
    const expiries = this.leases.map((lease) => this.endsAt(lease));
    const timeouts = this.waiters.map((waiter) => this.#givesUpAt(waiter));
    const grants = this.waiters.map((waiter) => this.#grantableAt(waiter));
    return Math.min(NEVER, ...expiries, ...timeouts, ...grants);
  }

  /** When a lease runs out unless its holder shows itself. */
  endsAt(lease: ModelLease): number {
    const { revoking, expiresAt } = lease;
    return revoking ? expiresAt : (endInSession(lease) ?? expiresAt);
  }

  heldIn(session: ModelSession): ModelLease[] {
    return this.leases.filter((lease) => isIn(session, lease));
  }

  inUse(limiter: ModelLimiter, key: string): number {
    return this.leases
      .flatMap((lease) => lease.holds)
      .filter((held) => held.limiter === limiter && held.key === key)
      .reduce((sum, held) => sum + held.permits, 0);
  }

  holders(limiter: ModelLimiter): ModelLease[] {
    return this.leases.filter((lease) => lease.holds.some((held) => held.limiter === limiter && held.permits > 0));
  }

  /** Present and away, in order. */
  queue(limiter: ModelLimiter, key: string): ModelWaiter[] {
    return this.waiters.filter((waiter) => waiter.aims.some((aim) => aim.limiter === limiter && aim.key === key));
  }

  /** Parts of a token, of the limiter's rate. */
  level(limiter: ModelLimiter, key: string): bigint {
    const { rate } = limiter.config;
    if (rate === undefined) return 0n;
    const bucket = limiter.buckets.get(key);
    const capacity = fullLevel(limiter.config);
    if (bucket === undefined) return capacity;
    const level = bucket.level + BigInt(this.#now - bucket.at) * BigInt(rate.gain);
    return level < capacity ? level : capacity;
  }

  #carryOut(command: Command): Said {
    switch (command.kind) {
      case "acquire":
      case "try-acquire":
        return this.#ask(command);
      case "resume": {
        const lease = this.#own(command);
        if (lease) return this.#attach(lease, command, undefined);
        const past = this.ends.get(command.leaseId);
        return refused(past?.caller === callerOf(command) ? reasonOf(past.end) : "LEASE_NOT_FOUND");
      }
      case "leave":
        return this.#leave(command);
      case "open-session": {
        const caller = callerOf(command);
        const known = this.sessions.find(({ id }) => id === command.sessionId);
        const session = known ?? newSession(command.sessionId, caller, this.#now);
        if (known === undefined) this.sessions.push(session);
        else if (known.caller === caller) known.first = false;
        if (session.caller === caller) this.#takeUp(session, command);
        return { kind: "done" };
      }
      case "resume-session": {
        const session = this.sessions.find(({ id }) => id === command.sessionId);
        if (session?.caller !== callerOf(command)) return refused("SESSION_NOT_FOUND");
        session.first = false;
        this.#takeUp(session, command);
        const held = this.heldIn(session);
        for (const { id, revoking } of held) {
          if (revoking) this.#tell(session.stream, id, { kind: "revoking", id, message: "" });
        }
        return { kind: "session-resumed", leaseIds: held.map(({ id }) => id).sort() };
      }
      case "renew-session": {
        const session = this.#enter(command);
        if (session?.kind === "refused") return session;
        const spans = session === undefined ? [] : this.heldIn(session).flatMap((lease) => this.#reliable(lease));
        return { kind: "session-renewed", validFor: spans.length === 0 ? undefined : Math.min(...spans) };
      }
      case "leave-session": {
        const { sessionId, stream, how } = command;
        const session = this.sessions.find(({ id }) => id === sessionId);
        if (session === undefined || session.stream !== stream) return { kind: "done" };
        for (const waiter of this.waiters.filter((each) => each.session === session)) this.#leaveQueue(waiter, how);
        session.stream = undefined;
        session.aliveAt = this.#now;
        for (const lease of this.heldIn(session)) {
          const { first } = lease.attachment as { first: boolean };
          if (this.#endsWith(lease, how, first && session.first)) this.#end(lease, "cancelled");
        }
        return { kind: "done" };
      }
      case "renew": {
        const lease = this.#own(command);
        if (lease === undefined) return this.#howItEnded(command.leaseId, callerOf(command));
        if (lease.attachment.kind === "in-session") lease.attachment = { ...lease.attachment, since: this.#now };
        this.#startClock(lease);
        return { kind: "renewed", id: lease.id };
      }
      case "end-learning":
      case "stop-granting":
        return { kind: "done" };
      case "release": {
        const session = this.#enter(command);
        if (session?.kind === "refused") return session;
        const lease = this.#own(command);
        if (lease === undefined) return this.#howItEnded(command.leaseId, callerOf(command));
        if (session !== undefined) {
          if (!this.heldIn(session).includes(lease)) return refused("LEASE_NOT_FOUND");
          lease.attachment = { kind: "detached" };
        }
        this.#end(lease, "released");
        return { kind: "ended", id: lease.id, end: "released", already: false };
      }
      case "abandon": {
        const { id, requestId } = command;
        const lease = this.#lease(id) ?? this.leases.find((each) => requestId !== "" && isAsked(each, command));
        if (lease === undefined) return { kind: "done" };
        lease.promises -= 1;
        if (lease.promises > 0) return { kind: "done" };
        // As if it had not been asked for, but for its tokens and its fencing token.
        this.leases = this.leases.filter((other) => other !== lease);
        this.ends.set(lease.id, { end: "cancelled", caller: lease.caller });
        for (const limiter of this.limiters.values()) this.#removeIfDrained(limiter);
        return { kind: "done" };
      }
      case "withdraw": {
        const key = keyOf(command);
        const lease = this.leases.find((each) => isAsked(each, command));
        if (lease) {
          this.#end(lease, "released");
          return { kind: "ended", id: lease.id, end: "released", already: false };
        }
        const waiter = this.waiters.find((each) => isAsked(each, command));
        if (waiter) {
          this.#drop(waiter);
          this.#tell(waiter.stream, waiter.id, refused("REQUEST_WITHDRAWN"));
        }
        const past = waiter === undefined ? this.#pastRequests.get(key) : undefined;
        if (past?.end !== undefined) return { kind: "ended", id: "", end: past.end, already: true };
        if (past !== undefined) return { kind: "ended", id: past.id, end: "released", already: true };
        this.#withdrawn.add(key);
        return { kind: "withdrawn" };
      }
      case "revoke": {
        const lease = this.#lease(command.leaseId);
        if (lease === undefined) return this.#howItEnded(command.leaseId, undefined);
        if (command.force || lease.ttl === 0) {
          this.#end(lease, "revoked");
          return { kind: "ended", id: lease.id, end: "revoked", already: false };
        }
        if (!lease.revoking) lease.expiresAt = Math.min(this.endsAt(lease), this.#now + lease.ttl);
        lease.revoking = true;
        const said: Said = { kind: "revoking", id: lease.id, message: command.message };
        this.#tell(streamOf(lease), lease.id, said);
        return said;
      }
      case "cancel-waiter": {
        const waiter = this.waiters.find((each) => each.id === command.waiterId);
        if (waiter === undefined) return refused("WAITER_NOT_FOUND");
        this.#drop(waiter);
        this.#tell(waiter.stream, waiter.id, refused("WAITER_CANCELLED", waiter.asked[0]));
        return { kind: "done" };
      }
      case "create-limiter": {
        const limiter = this.limiters.get(command.config.name);
        if (limiter && (limiter.deleting || !same(limiter.config, command.config))) {
          return refused("LIMITER_EXISTS", { limiter: command.config.name });
        }
        const made = limiter ?? this.#create(command.config, undefined);
        return { kind: "limiter", name: made.config.name, revision: made.revision };
      }
      case "update-limiter": {
        const { name } = command.config;
        const limiter = this.limiters.get(name);
        if (limiter === undefined || limiter.deleting) return refused("LIMITER_NOT_FOUND", { limiter: name });
        if ((command.revision ?? limiter.revision) !== limiter.revision) {
          return refused("ETAG_MISMATCH", { limiter: name });
        }
        this.#configure(limiter, command.config);
        return { kind: "limiter", name, revision: limiter.revision };
      }
      case "delete-limiter": {
        const { name } = command;
        const limiter = this.limiters.get(name);
        if (limiter === undefined) return refused("LIMITER_NOT_FOUND", { limiter: name });
        if (limiter.declaration) return refused("DECLARED", { limiter: name });
        if ((command.revision ?? limiter.revision) !== limiter.revision) {
          return refused("ETAG_MISMATCH", { limiter: name });
        }
        return { kind: "limiter-deleted", name, drainingLeases: this.#delete(limiter, command.force) };
      }
      case "declare":
        return this.#declare(command.configs, command.undeclared);
      case "wake":
        return { kind: "done" };
    }
  }

  // Asking

  #ask(command: Acquire | TryAcquire): Said {
    const session = this.#enter(command);
    if (session?.kind === "refused") return session;
    const retried = this.#retried(command, session);
    if (retried) return retried;
    const aims: Aim[] = [];
    for (const [index, claim] of command.claims.entries()) {
      const limiter = this.limiters.get(claim.limiter);
      if (limiter === undefined || limiter.deleting) return refused("LIMITER_NOT_FOUND", claim, index);
      if (limiter.config.keyed && claim.key === "") return refused("KEY_REQUIRED", claim, index);
      if (!limiter.config.keyed && claim.key !== "") return refused("KEY_NOT_ALLOWED", claim, index);
      if (!fitsEver(limiter, claim)) return refused("CLAIM_EXCEEDS_LIMIT", claim, index);
      const { permits, tokens } = claim;
      aims.push({ limiter, key: claim.key, permits, tokens });
    }
    const no = this.#refusalNow(command.claims, aims) ?? this.#keysExhausted(aims);
    if (no === undefined) return this.#quota(command, aims, false) ?? this.#grantTo(command, aims, session);
    if (command.kind === "try-acquire") return no;
    const maxWait = Math.min(command.maxWait ?? NEVER, ...aims.map(({ limiter }) => limiter.config.maxWait ?? NEVER));
    if (maxWait === 0) return no;
    if (no.kind === "refused" && no.reason === "KEYS_EXHAUSTED") return no;
    return (
      this.#quota(command, aims, true) ??
      this.#noRoom(command.claims, aims, maxWait) ??
      this.#join(command, aims, session)
    );
  }

  /** What one caller has may be no more than its bounds, with what waits counted as the leases that it will be. */
  #quota(command: Acquire | TryAcquire, aims: readonly Aim[], waits: boolean): Said | undefined {
    const bounds = command.bounds ?? this.#callerBounds;
    if (bounds === undefined) return undefined;
    const own = ({ caller }: { readonly caller: string }) => caller === callerOf(command);
    const waiters = this.waiters.filter(own).length;
    const all = this.leases.filter(own).length + waiters;
    const holds = aims.some(({ limiter, permits }) => permits > 0 && limiter.config.maxConcurrent !== undefined);
    const isOver = (waits && waiters >= bounds.maxWaiters) || (holds && all >= bounds.maxLeases);
    return isOver ? refused("CALLER_QUOTA") : undefined;
  }

  /** The request id has been used: what it stands for. */
  #retried(command: Acquire | TryAcquire, session: ModelSession | undefined): Said | undefined {
    if (command.requestId === "") return undefined;
    const fitting = (call: string, asked: readonly Claim[]) => call === command.kind && same(asked, command.claims);
    const waiter = this.waiters.find((each) => isAsked(each, command));
    if (waiter) {
      if (command.kind !== "acquire" || !fitting("acquire", waiter.asked)) return refused("REQUEST_ID_REUSED");
      return this.#takeOver(waiter, command, session);
    }
    const lease = this.leases.find((each) => isAsked(each, command));
    if (lease) {
      if (!fitting(lease.call, lease.asked)) return refused("REQUEST_ID_REUSED");
      if (command.kind === "acquire") return this.#attach(lease, command, session);
      if (session !== undefined || (lease.attachment.kind === "in-session" && lease.ttl > 0)) {
        return this.#attach(lease, undefined, session);
      }
      lease.promises += 1;
      this.#startClock(lease);
      const claims = lease.holds.map((aim, index) => saidClaim(aim, lease.asked[index] as Claim));
      return { kind: "granted", id: lease.id, held: true, resumed: true, claims };
    }
    const past = this.#pastRequests.get(keyOf(command));
    if (this.#withdrawn.has(keyOf(command))) return refused("REQUEST_WITHDRAWN");
    if (past === undefined) return undefined;
    if (!fitting(past.call, past.asked)) return refused("REQUEST_ID_REUSED");
    if (past.end !== undefined) return refused(reasonOf(past.end));
    return { kind: "granted", id: past.id, held: false, resumed: true, claims: past.claims };
  }

  #takeOver(waiter: ModelWaiter, command: Acquire, session: ModelSession | undefined): Said {
    if (waiter.stream !== command.stream) {
      this.#tell(waiter.stream, waiter.id, { kind: "displaced", reason: "WAITER_DISPLACED" });
    }
    const bounds = waiter.aims.map(({ limiter }) => waiter.arrivedAt + (limiter.config.maxWait ?? NEVER));
    waiter.deadline = Math.min(this.#now + (command.maxWait ?? NEVER), ...bounds);
    if (waiter.deadline <= this.#now) {
      this.#drop(waiter);
      return this.#refusalNow(waiter.asked, waiter.aims) ?? this.#grantTo(command, waiter.aims, session);
    }
    waiter.stream = command.stream;
    waiter.monitored = command.monitored;
    waiter.trustCancel = trusts(waiter.aims);
    waiter.keepsOnCancel = keeps(command, session);
    waiter.session = session;
    return { kind: "waiting", id: waiter.id, waitersAhead: "as surveyed", estimatedWait: "by hold times" };
  }

  /** The first claim that cannot be had now. */
  #refusalNow(asked: readonly Claim[], aims: readonly Aim[]): Said | undefined {
    const reasons = aims.map((aim) => this.#obstacle(aim));
    const index = reasons.findIndex((reason) => reason !== undefined);
    if (index === -1) return undefined;
    // Tokens come by themselves; when permits, an unpaused limiter or the waiters before do is unknown.
    const onlyTokens = reasons.every((reason) => reason === undefined || reason === "RATE_EXHAUSTED");
    const retryAfter = onlyTokens ? Math.max(...aims.map((aim) => this.#tokenWait(aim))) : undefined;
    const waitersAhead = this.#present(aims[index] as Aim).length;
    return { ...refused(reasons[index] as Reason, asked[index], index), retryAfter, waitersAhead };
  }

  #obstacle(aim: Aim): Reason | undefined {
    if (aim.limiter.config.paused) return "PAUSED";
    if (this.#present(aim).length > 0) return "WAITERS_AHEAD";
    if (!this.#permitsFit(aim)) return "CONCURRENCY_EXHAUSTED";
    return this.#tokenWait(aim) > 0 ? "RATE_EXHAUSTED" : undefined;
  }

  /** `max_keys`: a key is in use while something is held, a waiter waits or its bucket is not full. */
  #keysExhausted(aims: readonly Aim[]): Said | undefined {
    let first: ModelLimiter | undefined;
    let retryAfter: number | undefined = 0;
    for (const { limiter } of aims) {
      if (!limiter.config.keyed) continue;
      const inUse = new Set(aims.filter((aim) => aim.limiter === limiter).map((aim) => aim.key));
      for (const { holds } of this.leases) {
        for (const held of holds) if (held.limiter === limiter && held.permits > 0) inUse.add(held.key);
      }
      for (const waiter of this.waiters) for (const aim of waiter.aims) if (aim.limiter === limiter) inUse.add(aim.key);
      const capacity = fullLevel(limiter.config);
      const tokens = limiter.config.rate?.capacity ?? 0;
      const fillTimes: number[] = [];
      for (const key of limiter.buckets.keys()) {
        if (inUse.has(key) || this.level(limiter, key) >= capacity) continue;
        fillTimes.push(this.#tokenWait({ limiter, key, permits: 0, tokens }));
      }
      const excess = inUse.size + fillTimes.length - limiter.config.maxKeys;
      if (excess <= 0) continue;
      first ??= limiter;
      const wait = fillTimes.sort((a, b) => a - b)[excess - 1];
      retryAfter = wait === undefined || retryAfter === undefined ? undefined : Math.max(retryAfter, wait);
    }
    return first && { ...refused("KEYS_EXHAUSTED", { limiter: first.config.name }), retryAfter };
  }

  #noRoom(asked: readonly Claim[], aims: readonly Aim[], maxWait: number): Said | undefined {
    const keys = this.#keysExhausted(aims);
    if (keys) return keys;
    const all = this.waiters.length;
    if (all >= this.#maxWaiters) return { ...refused("QUEUE_FULL"), waitersAhead: all };
    for (const [index, { limiter, key }] of aims.entries()) {
      const queued = this.queue(limiter, key).length;
      if (queued < limiter.config.maxWaiters) continue;
      return { ...refused("QUEUE_FULL", asked[index], index), waitersAhead: queued };
    }
    for (const [index, aim] of aims.entries()) {
      if (!aim.limiter.config.refuseLongWaits) continue;
      const wait = this.#estimate(aim);
      if (wait === undefined || wait === "by hold times" || wait <= maxWait) continue;
      const waitersAhead = this.#present(aim).length;
      return { ...refused("WAIT_TOO_LONG", asked[index], index), retryAfter: wait - maxWait, waitersAhead };
    }
    return undefined;
  }

  #join(command: Acquire, aims: readonly Aim[], session: ModelSession | undefined): Said {
    const estimates = aims.map((aim) => this.#estimate(aim));
    const waitersAhead = Math.max(...aims.map((aim) => this.#present(aim).length));
    const bounds = aims.map(({ limiter }) => limiter.config.maxWait ?? NEVER);
    this.waiters.push({
      id: command.id,
      caller: callerOf(command),
      asked: command.claims,
      aims,
      ttl: ttlOf(command, aims),
      trustCancel: trusts(aims),
      keepsOnCancel: keeps(command, session),
      session,
      requestId: command.requestId,
      arrivedAt: this.#now,
      stream: command.stream,
      monitored: command.monitored,
      deadline: this.#now + Math.min(command.maxWait ?? NEVER, ...bounds),
      keptUntil: NEVER,
    });
    return { kind: "waiting", id: command.id, waitersAhead, estimatedWait: longest(estimates) };
  }

  /** Exact where only the rate limit holds one up: when the tokens of all before, and one's own, have come. */
  #estimate(aim: Aim): Estimate {
    if (aim.limiter.config.paused) return undefined;
    if (aim.limiter.config.maxConcurrent !== undefined) return "by hold times";
    const before = this.#present(aim).map((waiter) => waiter.aims.find((other) => sameQueue(other, aim))?.tokens ?? 0);
    return this.#tokenWait({ ...aim, tokens: before.reduce((sum, tokens) => sum + tokens, aim.tokens) });
  }

  // Granting and ending

  /** Admits each waiter that is first in all its queues and fits, until there is none. */
  #admitAll(): void {
    for (;;) {
      const next = this.waiters.find((waiter) => this.#grantableAt(waiter) <= this.#now);
      if (next === undefined) return;
      this.#drop(next);
      const { stream, monitored, session } = next;
      const attachment: ModelAttachment =
        session === undefined
          ? { kind: "attached", stream: stream as number, monitored, first: true }
          : { kind: "in-session", session, first: true, since: this.#now };
      this.#tell(next.stream, next.id, this.#grant({ ...next, call: "acquire" }, attachment));
    }
  }

  /** When its tokens are there, if nothing else is in its way. */
  #grantableAt(waiter: ModelWaiter): number {
    const { aims, stream } = waiter;
    const first = aims.every((aim) => this.#present(aim)[0] === waiter);
    const free = aims.every((aim) => !aim.limiter.config.paused && this.#permitsFit(aim));
    if (stream === undefined || !first || !free) return NEVER;
    return this.#now + Math.max(...aims.map((aim) => this.#tokenWait(aim)));
  }

  #grantTo(command: Acquire | TryAcquire, aims: readonly Aim[], session: ModelSession | undefined): Said {
    const alone: ModelAttachment =
      command.kind === "acquire"
        ? { kind: "attached", stream: command.stream, monitored: command.monitored, first: true }
        : { kind: "detached" };
    const attachment: ModelAttachment =
      session === undefined ? alone : { kind: "in-session", session, first: true, since: this.#now };
    const { id, requestId, kind, claims } = command;
    const ends = { ttl: ttlOf(command, aims), trustCancel: trusts(aims), keepsOnCancel: keeps(command, session) };
    const grantee = { id, caller: callerOf(command), call: kind, asked: claims, aims, ...ends, requestId };
    return this.#grant(grantee, attachment);
  }

  #grant(grantee: Grantee, attachment: ModelAttachment): Said {
    const { id, caller, call, asked, requestId, ttl, trustCancel, keepsOnCancel } = grantee;
    const holds = grantee.aims.map((aim) => ({
      ...aim,
      permits: aim.limiter.config.maxConcurrent === undefined ? 0 : aim.permits,
      tokens: aim.limiter.config.rate === undefined ? 0 : aim.tokens,
    }));
    for (const { limiter, key, tokens } of holds) {
      const level = this.level(limiter, key) - BigInt(tokens) * unitOf(limiter.config);
      if (tokens > 0) limiter.buckets.set(key, { level, at: this.#now });
    }
    this.#grants.push({ id, aims: holds });
    const held = holds.some((aim) => aim.permits > 0);
    const claims = holds.map((aim, index) => saidClaim(aim, asked[index] as Claim));
    if (held) {
      const lease = {
        id,
        caller,
        call,
        asked,
        holds,
        ttl,
        trustCancel,
        keepsOnCancel,
        requestId,
        attachment,
        expiresAt: NEVER,
        revoking: false,
        promises: 1,
      };
      this.leases.push(lease);
      this.#startClock(lease);
    } else if (requestId !== "") {
      this.#pastRequests.set(keyOf(grantee), { call, asked, end: undefined, id, claims });
    }
    return { kind: "granted", id, held, resumed: false, claims };
  }

  #startClock(lease: ModelLease): void {
    if (lease.revoking) return;
    const { attachment, keepsOnCancel, ttl } = lease;
    if (attachment.kind === "in-session") return;
    const lasts = attachment.kind === "attached" && ((attachment.monitored && !keepsOnCancel) || ttl === 0);
    lease.expiresAt = lasts ? NEVER : this.#now + lease.ttl;
  }

  /** `command` undefined: a call without a stream has asked again. */
  #attach(lease: ModelLease, command: Acquire | Resume | undefined, session: ModelSession | undefined): Said {
    const before = streamOf(lease);
    const stays = session !== undefined && this.heldIn(session).includes(lease);
    if (session !== undefined && !stays) {
      lease.attachment = { kind: "in-session", session, first: false, since: this.#now };
    } else if (session === undefined && command !== undefined) {
      lease.attachment = { kind: "attached", stream: command.stream, monitored: command.monitored, first: false };
    } else if (session === undefined) {
      lease.attachment = { kind: "detached" };
    }
    if (before !== streamOf(lease)) this.#tell(before, lease.id, { kind: "displaced", reason: "LEASE_DISPLACED" });
    lease.promises += 1;
    if (session?.keepsOnCancel ?? command?.keepOnCancel) lease.keepsOnCancel = true;
    this.#startClock(lease);
    const claims = lease.holds.map((aim, index) => saidClaim(aim, lease.asked[index] as Claim));
    return { kind: "granted", id: lease.id, held: true, resumed: true, claims };
  }

  #leave({ id, stream, how }: Leave): Said {
    const waiter = this.waiters.find((each) => each.id === id && each.stream === stream);
    if (waiter) {
      this.#leaveQueue(waiter, how);
      return { kind: "done" };
    }
    const lease = this.#lease(id);
    if (lease?.attachment.kind !== "attached" || lease.attachment.stream !== stream) return refused("WAITER_NOT_FOUND");
    const { first } = lease.attachment;
    lease.attachment = { kind: "orphaned" };
    if (this.#endsWith(lease, how, first)) this.#end(lease, "cancelled");
    else this.#startClock(lease);
    return { kind: "done" };
  }

  #leaveQueue(waiter: ModelWaiter, how: Leave["how"]): void {
    if (waiter.stream === undefined) return;
    waiter.stream = undefined;
    waiter.keptUntil = this.#now + waiter.ttl;
    const leaves = how === "cancelled" && waiter.trustCancel && !waiter.keepsOnCancel;
    if (leaves || waiter.requestId === "" || waiter.ttl === 0) this.#drop(waiter);
  }

  #endsWith({ ttl, trustCancel, keepsOnCancel }: ModelLease, how: Leave["how"], first: boolean): boolean {
    return ttl === 0 || (how === "cancelled" && trustCancel && !keepsOnCancel && first);
  }

  // Sessions

  /** The session of a command, which shows life by that. */
  #enter(command: Pick<Acquire, "session" | "caller">): ModelSession | Refused | undefined {
    const ref = command.session;
    if (ref === undefined) return undefined;
    const session = this.sessions.find(({ id }) => id === ref.id);
    if (session?.caller !== callerOf(command)) return refused("SESSION_NOT_FOUND");
    if (session.stream !== ref.stream) return refused("SESSION_DISPLACED");
    session.aliveAt = this.#now;
    return session;
  }

  #takeUp(session: ModelSession, { stream, monitored, keepOnCancel }: SessionStream): void {
    if (session.stream !== undefined && session.stream !== stream) {
      this.#tell(session.stream, session.id, { kind: "displaced", reason: "SESSION_DISPLACED" });
      for (const waiter of this.waiters.filter((each) => each.session === session)) this.#leaveQueue(waiter, "lost");
    }
    Object.assign(session, { stream, monitored, aliveAt: this.#now });
    if (!keepOnCancel) return;
    session.keepsOnCancel = true;
    for (const lease of this.heldIn(session)) {
      if (!lease.keepsOnCancel && lease.attachment.kind === "in-session") {
        lease.attachment = { ...lease.attachment, since: this.#now };
      }
      lease.keepsOnCancel = true;
    }
  }

  /** µs for which its holder may rely on a lease. */
  #reliable(lease: ModelLease): number[] {
    if (lease.ttl === 0) return [];
    const half = Math.floor(lease.ttl / 2);
    const left = lease.revoking ? lease.expiresAt - this.#now - (lease.ttl - half) : half;
    return [Math.max(0, Math.min(half, left))];
  }

  #forgetSessions(): void {
    this.sessions = this.sessions.filter((session) => this.#lasts(session));
  }

  #lasts(session: ModelSession): boolean {
    return (
      session.stream !== undefined ||
      this.heldIn(session).length > 0 ||
      this.waiters.some((waiter) => waiter.session === session)
    );
  }

  #end(lease: ModelLease, end: LeaseEnd): void {
    this.leases = this.leases.filter((other) => other !== lease);
    this.ends.set(lease.id, { end, caller: lease.caller });
    const { call, asked, id, requestId } = lease;
    if (requestId !== "") this.#pastRequests.set(keyOf(lease), { call, asked, end, id, claims: [] });
    this.#tell(streamOf(lease), lease.id, { kind: "ended", id, end, already: false });
    for (const limiter of this.limiters.values()) this.#removeIfDrained(limiter);
  }

  /** `caller` undefined: an operator asks. */
  #howItEnded(id: string, caller: string | undefined): Said {
    const past = this.ends.get(id);
    if (past === undefined || (caller ?? past.caller) !== past.caller) return refused("LEASE_NOT_FOUND");
    return { kind: "ended", id, end: past.end, already: true };
  }

  // Time

  /** What falls due by now happens now: first what frees, then grants, and then the waiters that are left give up. */
  #passTime(): void {
    for (const lease of this.leases) {
      if (this.endsAt(lease) <= this.#now) this.#end(lease, lease.revoking ? "revoked" : "expired");
    }
    this.#admitAll();
    const late = this.waiters.filter((waiter) => this.#givesUpAt(waiter) <= this.#now);
    for (const waiter of late) {
      if (!this.waiters.includes(waiter)) continue;
      this.#drop(waiter);
      this.#tell(waiter.stream, waiter.id, refused("WAIT_TIMEOUT", waiter.asked[0]));
      this.#admitAll();
    }
  }

  #givesUpAt(waiter: ModelWaiter): number {
    return waiter.stream === undefined ? Math.min(waiter.deadline, waiter.keptUntil) : waiter.deadline;
  }

  // Limiters

  #create(config: LimiterConfig, declaration: LimiterConfig | undefined): ModelLimiter {
    const limiter = { config, declaration, revision: 1, deleting: false, buckets: new Map() };
    this.limiters.set(config.name, limiter);
    return limiter;
  }

  #configure(limiter: ModelLimiter, config: LimiterConfig): void {
    const rated = limiter.config.rate !== undefined;
    const levels = [...limiter.buckets.keys()].map((key) => ({ key, level: this.level(limiter, key) }));
    // A bucket that was full keeps that level: what a raised burst adds has yet to come in.
    const [full, unit] = [fullLevel(limiter.config), unitOf(limiter.config)];
    limiter.config = config;
    limiter.revision += 1;
    const capacity = fullLevel(config);
    const converted = (level: bigint) => (level * unitOf(config)) / unit;
    limiter.buckets = new Map();
    for (const { key, level } of levels) {
      const kept = converted(level);
      const isFull = kept >= capacity;
      if (rated) limiter.buckets.set(key, { level: isFull ? capacity : kept, at: this.#now });
    }
    if (rated && !config.keyed && converted(full) < capacity && !limiter.buckets.has("")) {
      limiter.buckets.set("", { level: converted(full), at: this.#now });
    }
    this.#turnAway(limiter, "CLAIM_EXCEEDS_LIMIT", (aim) => !fitsEver(limiter, aim));
  }

  #delete(limiter: ModelLimiter, force: boolean): number {
    limiter.deleting = true;
    this.#turnAway(limiter, "LIMITER_NOT_FOUND", () => true);
    if (force) for (const lease of this.holders(limiter)) this.#end(lease, "deleted");
    this.#removeIfDrained(limiter);
    return this.holders(limiter).length;
  }

  #removeIfDrained(limiter: ModelLimiter): void {
    if (limiter.deleting && this.holders(limiter).length === 0) this.limiters.delete(limiter.config.name);
  }

  #turnAway(limiter: ModelLimiter, reason: Reason, hopeless: (aim: Aim) => boolean): void {
    for (const waiter of this.waiters) {
      const aim = waiter.aims.find((each) => each.limiter === limiter && hopeless(each));
      if (aim === undefined) continue;
      this.#drop(waiter);
      this.#tell(waiter.stream, waiter.id, refused(reason, { limiter: limiter.config.name, key: aim.key }));
    }
  }

  #declare(configs: readonly LimiterConfig[], undeclared: readonly string[]): Said {
    const created: string[] = [];
    const changed: string[] = [];
    const refusedNames: string[] = [];
    for (const config of configs) {
      const limiter = this.limiters.get(config.name);
      if (limiter === undefined) {
        this.#create(config, config);
        created.push(config.name);
      } else if (limiter.config.keyed !== config.keyed && !this.#isUsed(limiter)) {
        // Another limiter of that name: its buckets are full, and no key is in use.
        this.limiters.delete(config.name);
        this.#create(config, config);
        changed.push(config.name);
      } else {
        const { keyed } = limiter.config;
        if (limiter.deleting || !limiter.declaration || !same(limiter.declaration, config)) {
          limiter.deleting = false;
          limiter.declaration = config;
          this.#configure(limiter, { ...config, keyed });
          changed.push(config.name);
        }
        if (keyed !== config.keyed) refusedNames.push(config.name);
      }
    }
    const deleted: string[] = [];
    for (const name of undeclared) {
      const limiter = this.limiters.get(name);
      if (!limiter?.declaration) continue;
      limiter.declaration = undefined;
      this.#delete(limiter, false);
      deleted.push(name);
    }
    return { kind: "declared", created, changed, deleted, refused: refusedNames };
  }

  #isUsed(limiter: ModelLimiter): boolean {
    return (
      this.holders(limiter).length > 0 || this.waiters.some(({ aims }) => aims.some((aim) => aim.limiter === limiter))
    );
  }

  // Small things

  /** To any caller but its own a lease does not exist. */
  #own(command: Called & { readonly leaseId: string }): ModelLease | undefined {
    return this.leases.find(({ id, caller }) => id === command.leaseId && caller === callerOf(command));
  }

  #lease(id: string): ModelLease | undefined {
    return this.leases.find((lease) => lease.id === id);
  }

  #present(aim: Aim): ModelWaiter[] {
    return this.queue(aim.limiter, aim.key).filter((waiter) => waiter.stream !== undefined);
  }

  #permitsFit({ limiter, key, permits }: Aim): boolean {
    const { maxConcurrent } = limiter.config;
    return maxConcurrent === undefined || permits === 0 || this.inUse(limiter, key) + permits <= maxConcurrent;
  }

  #tokenWait({ limiter, key, tokens }: Aim): number {
    const { rate } = limiter.config;
    if (rate === undefined) return 0;
    const missing = BigInt(tokens) * BigInt(rate.unit) - this.level(limiter, key);
    return missing <= 0n ? 0 : Number((missing + BigInt(rate.gain) - 1n) / BigInt(rate.gain));
  }

  #drop(waiter: ModelWaiter): void {
    this.waiters = this.waiters.filter((other) => other !== waiter);
  }

  #tell(to: number | undefined, about: string, said: Said): void {
    if (to !== undefined) this.#events.push({ to, about, said });
  }
}

type Estimate = number | undefined | "by hold times";

type Grantee = Pick<
  ModelLease,
  "id" | "caller" | "call" | "asked" | "ttl" | "trustCancel" | "keepsOnCancel" | "requestId"
> & {
  readonly aims: readonly Aim[];
};

/** What a request id of a caller stands for is that caller's alone. */
function keyOf({ caller, requestId }: Called & { readonly requestId: string }): string {
  return JSON.stringify([callerOf({ caller }), requestId]);
}

/** Whether it was asked under the request id of the command, by its caller. */
function isAsked(living: ModelWaiter | ModelLease, command: Called & { readonly requestId: string }): boolean {
  return keyOf(living) === keyOf(command);
}

function ttlOf(command: Acquire | TryAcquire, aims: readonly Aim[]): number {
  const configs = aims.map(({ limiter }) => limiter.config);
  const asked = command.ttl ?? Math.min(...configs.map((config) => config.ttl));
  const alone = command.kind === "try-acquire" && command.session === undefined;
  const wanted = alone && asked === 0 ? DETACHED_TTL : asked;
  return Math.min(wanted, ...configs.map((config) => config.maxTtl));
}

function unitOf({ rate }: LimiterConfig): bigint {
  return BigInt(rate?.unit ?? 1);
}

function fullLevel({ rate }: LimiterConfig): bigint {
  return rate === undefined ? 0n : BigInt(rate.capacity) * BigInt(rate.unit);
}

/** Its holder renews it, and an end of its stream is a loss. */
function keeps(command: Acquire | TryAcquire, session: ModelSession | undefined): boolean {
  return session?.keepsOnCancel ?? (command.kind === "acquire" && command.keepOnCancel);
}

/** No limiter takes a cancel for a lost stream. */
function trusts(aims: readonly Aim[]): boolean {
  return aims.every(({ limiter }) => limiter.config.trustCancel);
}

function fitsEver({ config }: ModelLimiter, { permits, tokens }: { permits: number; tokens: number }): boolean {
  return permits <= (config.maxConcurrent ?? NEVER) && tokens <= (config.rate?.capacity ?? NEVER);
}

function longest(estimates: readonly Estimate[]): Estimate {
  if (estimates.includes(undefined)) return undefined;
  return estimates.includes("by hold times") ? "by hold times" : Math.max(...(estimates as number[]));
}

function saidClaim({ limiter, key, permits, tokens }: Aim, { slots }: Claim): SaidClaim {
  return { limiter: limiter.config.name, key, permits, tokens, slots: slots ? permits : 0 };
}

function reasonOf(end: LeaseEnd): Reason {
  if (end === "expired") return "LEASE_EXPIRED";
  if (end === "revoked") return "LEASE_REVOKED";
  return end === "deleted" ? "LIMITER_DELETED" : "LEASE_ENDED";
}

function refused(reason: Reason, about: { limiter?: string; key?: string } = {}, claim = -1): Refused {
  const { limiter = "", key = "" } = about;
  return { kind: "refused", reason, limiter, key, claim, retryAfter: undefined, waitersAhead: 0 };
}

function sameQueue(a: Aim, b: Aim): boolean {
  return a.limiter === b.limiter && a.key === b.key;
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
