/**
 * A machine on a stage: time passes when the test says so, each wake comes at the very µs that the machine asked for, and
 * what streams hear and when each lease was admitted is written down. After each step all invariants are checked.
 */

import type { Claim } from "../../../../src/server/machine/limiter/claim.ts";
import type {
  Acquire,
  Command,
  MachineEvent,
  MachineNews,
  OutcomeOf,
  TryAcquire,
} from "../../../../src/server/machine/limiter/command.ts";
import { assertMachine } from "../../../../src/server/machine/limiter/invariants.ts";
import type { Lease } from "../../../../src/server/machine/limiter/lease.ts";
import type { LimiterConfig } from "../../../../src/server/machine/limiter/limiter.ts";
import { createMachine, type MachineOptions, type State } from "../../../../src/server/machine/limiter/machine.ts";
import type { LeaseEnd } from "../../../../src/server/machine/limiter/outcomes.ts";
import { limiterOf } from "../../../support/limiter-config.ts";

interface Asked<C extends Acquire | TryAcquire> {
  readonly id: string;
  /** 0 for a TryAcquire. */
  readonly stream: number;
  readonly outcome: OutcomeOf<C>;
}

interface Admission {
  /** µs. */
  readonly at: number;
  readonly lease: Lease;
}

type AcquireOptions = Partial<
  Pick<Acquire, "maxWait" | "ttl" | "requestId" | "monitored" | "keepOnCancel" | "session">
>;
type TryOptions = Partial<Pick<TryAcquire, "ttl" | "requestId" | "session">>;

export interface Scene {
  /** µs. */
  readonly now: number;
  readonly wakeAt: number;
  readonly precise: boolean;
  readonly state: State;
  /** The events of all streams, in order. */
  readonly heard: readonly MachineEvent[];
  /** Every grant that was no retry's, in order. */
  readonly admissions: readonly Admission[];
  /** Every end of a lease that the machine had recorded, in order. */
  readonly ends: readonly { readonly id: string; readonly end: LeaseEnd }[];
  step<C extends Command>(command: C): OutcomeOf<C>;
  create(config: Partial<LimiterConfig> & { readonly name: string }): LimiterConfig;
  /** Changes some fields of a limiter. */
  update(config: Partial<LimiterConfig> & { readonly name: string }): OutcomeOf<{ kind: "update-limiter" } & Command>;
  acquire(claims: readonly Claim[], options?: AcquireOptions): Asked<Acquire>;
  tryAcquire(claims: readonly Claim[], options?: TryOptions): Asked<TryAcquire>;
  release(id: string): OutcomeOf<{ kind: "release" } & Command>;
  leave(asked: { readonly id: string; readonly stream: number }, how: "cancelled" | "lost"): void;
  /** Lets so many µs pass, waking the machine whenever it asked for it, and at the end. */
  pass(micros: number): void;
  /** Lets so many µs pass without a wake of the machine. */
  oversleep(micros: number): void;
  /** The events of one stream. */
  heardBy(stream: number): readonly MachineNews[];
  /** Whether the lease of this id lives. */
  holds(id: string): boolean;
}

export function createScene(options: Partial<MachineOptions> = {}): Scene {
  const machine = createMachine({ maxWaiters: 100_000, ...options });
  const heard: MachineEvent[] = [];
  const admissions: Admission[] = [];
  const ends: { id: string; end: LeaseEnd }[] = [];
  let now = 0;
  let wakeAt = Number.POSITIVE_INFINITY;
  let precise = false;
  let serial = 0;

  function step<C extends Command>(command: C): OutcomeOf<C> {
    const { outcome, events, changes, ...rest } = machine.step(command, now);
    ({ wakeAt, precise } = rest);
    for (const change of changes) {
      if (change.kind === "lease-ended") ends.push({ id: change.lease.id, end: change.end });
    }
    const granted = [outcome, ...events.map(({ news }) => news)].filter(
      (said) => said.kind === "granted" && !said.resumed,
    ) as {
      lease: Lease;
    }[];
    // Fencing tokens tell in which order: what the step settled before its own command came before the outcome.
    granted.sort((a, b) => a.lease.serial - b.lease.serial);
    for (const { lease } of granted) admissions.push({ at: now, lease });
    heard.push(...events);
    assertMachine(machine.state);
    return outcome;
  }

  return {
    get now() {
      return now;
    },
    get wakeAt() {
      return wakeAt;
    },
    get precise() {
      return precise;
    },
    state: machine.state,
    heard,
    admissions,
    ends,
    step,
    create(fields) {
      const config = limiterOf(fields);
      const outcome = step({ kind: "create-limiter", config });
      if (outcome.kind !== "limiter") throw new Error(`limiter ${config.name} was not created: ${outcome.reason}`);
      return config;
    },
    update(fields) {
      const limiter = machine.state.limiters.get(fields.name);
      if (limiter === undefined) throw new Error(`no limiter ${fields.name}`);
      return step({ kind: "update-limiter", config: { ...limiter.config, ...fields }, revision: undefined });
    },
    acquire(claims, { maxWait, ttl, requestId = "", monitored = true, keepOnCancel = false, session } = {}) {
      serial += 1;
      const stream = session?.stream ?? serial;
      const id = `${serial}`;
      const outcome = step({
        kind: "acquire",
        id,
        claims,
        holder: `holder ${id}`,
        maxWait,
        ttl,
        requestId,
        stream,
        monitored,
        keepOnCancel,
        session,
      });
      return { id, stream, outcome };
    },
    tryAcquire(claims, { ttl, requestId = "", session } = {}) {
      serial += 1;
      const id = `${serial}`;
      const outcome = step({ kind: "try-acquire", id, claims, holder: `holder ${id}`, ttl, requestId, session });
      return { id, stream: 0, outcome };
    },
    release: (leaseId) => step({ kind: "release", leaseId, workOutcome: "success", session: undefined }),
    leave({ id, stream }, how) {
      step({ kind: "leave", id, stream, how });
    },
    pass(micros) {
      const until = now + micros;
      while (wakeAt <= until) {
        now = wakeAt;
        step({ kind: "wake" });
      }
      now = until;
      step({ kind: "wake" });
    },
    oversleep(micros) {
      now += micros;
    },
    heardBy: (stream) => heard.flatMap(({ to, news }) => (to === stream ? [news] : [])),
    holds: (id) => machine.state.leases.has(id),
  };
}
