/** The machine's state, which one owner changes in place, and what a step has to say about it. */

import { type CallerBounds, type CallerHouse, createCallers } from "../callers.ts";
import type { Session, Term } from "../session.ts";
import { ArrivalIndex } from "../structures/arrival-index.ts";
import { GenerationMap } from "../structures/generation-map.ts";
import { IndexedHeap } from "../structures/indexed-heap.ts";
import { SortedNames } from "../structures/sorted-names.ts";
import { type Chores, createChores } from "./chore.ts";
import type { Change, MachineEvent } from "./command.ts";
import type { Lease } from "./lease.ts";
import { EndTable } from "./lease-ends.ts";
import type { Instance, Limiter, Waiter } from "./limiter.ts";
import type { LeaseEnd } from "./outcomes.ts";
import type { PastRequest } from "./past-request.ts";

export interface MachineOptions {
  /** How many may wait at once, over all limiters; can be changed later. */
  readonly maxWaiters: number;
  /** How many limiters may exist that no file declares, for a command to make another; can be changed later. Unset: any number. */
  readonly maxLimiters?: number;
  /** How much one caller may have whose command does not say it; can be changed later. Unset: any amount. */
  readonly callerBounds?: CallerBounds | undefined;
  /**
   * µs to add to the machine's time for the fencing token of a limiter's first grant. With the wall clock's µs since
   * 1970 at the machine's time zero, tokens rise across restarts too: no limiter grants more than once a µs, so a later
   * start is above all tokens of an earlier one. 0 without restarts.
   */
  readonly fencingEpoch?: number;
  /**
   * Not all leases of before the start are known: nothing is granted until the command `end-learning`, but leases that are
   * known are resumed, renewed and released.
   */
  readonly learning?: boolean;
  /** Keys that a change of a limiter goes through in its own step; more are gone through later, in steps of their own. Unset: 32. */
  readonly keysAtOnce?: number;
  /** µs for which the end of a lease, and what became of a request id, is remembered. Unset: ten minutes. */
  readonly rememberFor?: number;
}

export interface State extends CallerHouse {
  /** µs: the instant to which everything below has been brought up. */
  now: number;
  maxWaiters: number;
  maxLimiters: number;
  readonly fencingEpoch: number;
  learning: boolean;
  /** When records were taken up; undefined: they never were. */
  restoredAt: number | undefined;
  /** The highest fencing token of the limiters that are gone: one of the same name goes on above it. */
  fencingFloor: number;
  readonly limiters: Map<string, Limiter>;
  readonly limiterNames: SortedNames;
  /** How many of them a file declares. */
  declaredLimiters: number;
  /** In the order of their grants. */
  readonly leases: Map<string, Lease>;
  readonly waiters: ArrivalIndex<Waiter>;
  readonly sessions: Map<string, Session<Waiter>>;
  /** What a request id stands for, by `keyOfCaller`. */
  readonly requests: Map<string, Waiter | Lease>;
  /** By `keyOfCaller`, and for operators by that of no caller. */
  readonly pastLeases: GenerationMap<LeaseEnd>;
  /** By `keyOfCaller`. */
  readonly pastRequests: GenerationMap<PastRequest>;
  /** Everything that happens by itself: ttls, bounds of waiting, tokens for a head, idle instances to forget. */
  readonly deadlines: IndexedHeap<Waiter | Lease | Term | Instance | Limiter | Chores>;
  readonly keysAtOnce: number;
  /** What is left to do for the keys of limiters that were changed or are gone. */
  readonly chores: Chores;
  /** Instances whose queue wants another look before the step ends. */
  readonly unsettled: Instance[];
  /** Instances whose queue has moved since the last survey. */
  readonly moved: Instance[];
  /** How many deadlines in the heap must be met to the µs. */
  preciseDeadlines: number;
  /** The last arrival and the last grant. */
  arrival: number;
  serial: number;
  /** What this step has to say. */
  events: MachineEvent[];
  changes: Change[];
}

/** Of each kind; at most twice as many are kept, and the oldest go first when more come within ten minutes. */
const MAX_REMEMBERED = 200_000;
const TEN_MINUTES = 600_000_000;

export function createState(options: MachineOptions): State {
  const recall = { keepFor: options.rememberFor ?? TEN_MINUTES, maxEntries: MAX_REMEMBERED };
  return {
    now: 0,
    maxWaiters: options.maxWaiters,
    callers: createCallers(),
    callerBounds: options.callerBounds,
    maxLimiters: options.maxLimiters ?? Number.POSITIVE_INFINITY,
    fencingEpoch: options.fencingEpoch ?? 0,
    learning: options.learning ?? false,
    restoredAt: undefined,
    fencingFloor: 0,
    limiters: new Map(),
    limiterNames: new SortedNames(),
    declaredLimiters: 0,
    leases: new Map(),
    waiters: new ArrivalIndex(),
    sessions: new Map(),
    requests: new Map(),
    pastLeases: new GenerationMap({ ...recall, newEntries: (expected) => new EndTable(expected) }),
    pastRequests: new GenerationMap({ ...recall, askedInVain: true }),
    deadlines: new IndexedHeap(),
    keysAtOnce: options.keysAtOnce ?? 32,
    chores: createChores(),
    unsettled: [],
    moved: [],
    preciseDeadlines: 0,
    arrival: 0,
    serial: 0,
    events: [],
    changes: [],
  };
}

/**
 * Adds a record to what the step has to say. Most steps have one or two: a list that begins with them takes a fifth of the memory
 * of one that grows.
 */
export function noteChange(state: State, change: Change): void {
  const { changes } = state;
  if (changes.length === 0) state.changes = [change];
  else if (changes.length === 1) state.changes = [changes[0] as Change, change];
  else changes.push(change);
}
