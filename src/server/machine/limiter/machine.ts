/**
 * The machine: it decides what is admitted, and does nothing else. The same commands at the same instants always have the
 * same outcomes; it reads no clock, waits for nothing, stores nothing, and throws only for bugs.
 */

import { acquire, resume, tryAcquire } from "./acquire.ts";
import type { Change, Command, MachineEvent, Outcome, OutcomeOf } from "./command.ts";
import { abandon, cancelWaiter, leave, release, renew, revoke, withdraw } from "./lease-commands.ts";
import { createLimiter, declare, deleteLimiter, updateLimiter } from "./limiter-commands.ts";
import type { Records } from "./record.ts";
import { endLearning, restore, stopGranting } from "./restore.ts";
import { leaveSession, openSession, renewSession, resumeSession } from "./session-commands.ts";
import { settleQueues, settleTime } from "./settle.ts";
import { createState, type MachineOptions, type State } from "./state.ts";

export type { MachineOptions, State } from "./state.ts";

/** What one step has come to. */
export interface Step<O> {
  /** For the asker; it comes before the events. */
  readonly outcome: O;
  /** For the streams of others, in order. */
  readonly events: readonly MachineEvent[];
  /** For the store, in order. */
  readonly changes: readonly Change[];
  /** µs: when the machine wants to be stepped again, if nothing else happens before; Infinity: never. */
  readonly wakeAt: number;
  /** Whether being late for it would lose tokens. */
  readonly precise: boolean;
}

export interface Machine {
  /** Brings the state up to `now` (µs, monotonic; an earlier one counts as the latest so far), then carries the command out. */
  step<C extends Command>(command: C, now: number): Step<OutcomeOf<C>>;
  /** Once, before the first step: brings back what records say. Returns what is no longer to be kept as it was. */
  restore(records: Records, now: number): readonly Change[];
  /** For `read.ts`, which shows it, and `invariants.ts`, which checks it; nothing else may change it. */
  readonly state: State;
}

export function createMachine(options: MachineOptions): Machine {
  const state = createState(options);
  return {
    state,
    restore(records, now) {
      state.now = now;
      state.changes = [];
      restore(state, records);
      return state.changes;
    },
    step<C extends Command>(command: C, now: number) {
      // What was handed out stays its receiver's; most steps have nothing to say to streams, and then no list is made.
      if (state.events.length > 0) state.events = [];
      if (state.changes.length > 0) state.changes = [];
      state.now = Math.max(state.now, now);
      if (state.deadlines.earliest <= state.now) settleTime(state);
      const outcome = carryOut(state, command) as OutcomeOf<C>;
      if (state.unsettled.length > 0) settleQueues(state);
      return {
        outcome,
        events: state.events.length > 0 ? state.events : NOTHING,
        changes: state.changes.length > 0 ? state.changes : NOTHING,
        wakeAt: state.deadlines.earliest,
        precise: state.preciseDeadlines > 0,
      };
    },
  };
}

function carryOut(state: State, command: Command): Outcome {
  switch (command.kind) {
    case "acquire":
      return acquire(state, command);
    case "try-acquire":
      return tryAcquire(state, command);
    case "release":
      return release(state, command);
    case "renew":
      return renew(state, command);
    case "open-session":
      return openSession(state, command);
    case "resume-session":
      return resumeSession(state, command);
    case "renew-session":
      return renewSession(state, command);
    case "leave-session":
      return leaveSession(state, command);
    case "leave":
      return leave(state, command);
    case "resume":
      return resume(state, command);
    case "end-learning":
      return endLearning(state);
    case "stop-granting":
      return stopGranting(state);
    case "withdraw":
      return withdraw(state, command);
    case "abandon":
      return abandon(state, command);
    case "revoke":
      return revoke(state, command);
    case "cancel-waiter":
      return cancelWaiter(state, command);
    case "create-limiter":
      return createLimiter(state, command);
    case "update-limiter":
      return updateLimiter(state, command);
    case "delete-limiter":
      return deleteLimiter(state, command);
    case "declare":
      return declare(state, command);
    case "wake":
      return DONE;
  }
}

const DONE = { kind: "done" } as const;
const NOTHING: readonly never[] = [];
