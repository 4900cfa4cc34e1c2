/** Callers, as a machine knows them: by name, with how much of each lives. */

import { type Refusal, refusal } from "./reasons.ts";

/** The caller of what names none: its client has shown no credential. */
export const ANONYMOUS_CALLER = "anonymous";

/** Stands where somebody looks who is asked for no caller: an operator. It is the name of none. */
export const NO_CALLER = "";

/** How much one caller may have at once. What it has already stays when a bound is lowered. */
export interface CallerBounds {
  readonly maxWaiters: number;
  /** Leases, or work on cards. What waits counts, too: it will be one. */
  readonly maxLeases: number;
}

/** What of a caller lives. */
export interface CallerTally {
  readonly name: string;
  waiters: number;
  leases: number;
}

/** What says of a command who gives it; of an operator's no machine asks. */
export interface Called {
  /** The caller's name. Unset: `ANONYMOUS_CALLER`. */
  readonly caller?: string | undefined;
}

/** The same of a command that may take something new. */
export interface CalledWithin extends Called {
  /** Unset: the machine's own bounds. */
  readonly bounds?: CallerBounds | undefined;
}

/** What of a machine's state counts callers. */
export interface CallerHouse {
  /** Those of whom something lives, and the anonymous. */
  readonly callers: Map<string, CallerTally>;
  /** For commands that bring none; undefined: there are none. */
  callerBounds: CallerBounds | undefined;
}

/** Counts of something that lives, and is its caller's. */
export type Counted = Exclude<keyof CallerTally, "name">;

export function createCallers(): CallerHouse["callers"] {
  return new Map([[ANONYMOUS_CALLER, { name: ANONYMOUS_CALLER, waiters: 0, leases: 0 }]]);
}

export function callerOf({ caller }: Called): string {
  return caller ?? ANONYMOUS_CALLER;
}

/** Counts something that the caller has from now on. */
export function countIn({ callers }: CallerHouse, name: string, what: Counted): void {
  let tally = callers.get(name);
  if (tally === undefined) {
    tally = { name, waiters: 0, leases: 0 };
    callers.set(name, tally);
  }
  tally[what] += 1;
}

/** It has it no more. */
export function countOut({ callers }: CallerHouse, name: string, what: Counted): void {
  const tally = callers.get(name) as CallerTally;
  tally[what] -= 1;
  if (tally.leases + tally.waiters === 0 && name !== ANONYMOUS_CALLER) callers.delete(name);
}

/** Whether anything bounds what the caller may have. */
export function isBounded({ callerBounds }: CallerHouse, { bounds }: CalledWithin): boolean {
  return bounds !== undefined || callerBounds !== undefined;
}

/** Refuses what would be one too many of its caller: a lease, if it `holds`, or a waiter, if it `waits`. */
export function overQuota(
  { callers, callerBounds }: CallerHouse,
  command: CalledWithin,
  holds: boolean,
  waits: boolean,
): Refusal | undefined {
  const bounds = command.bounds ?? callerBounds;
  if (bounds === undefined) return undefined;
  const { leases, waiters } = callers.get(callerOf(command)) ?? NOTHING;
  const { maxWaiters, maxLeases } = bounds;
  if (waits && waiters >= maxWaiters) return refusal("CALLER_QUOTA", { numbers: { waiters, maxWaiters } });
  if (!holds || leases + waiters < maxLeases) return undefined;
  return refusal("CALLER_QUOTA", { numbers: { leases, waiters, maxLeases } });
}

/**
 * Returns under which key something of a caller's own choice, or for its eyes alone, is found: another caller finds nothing there,
 * whatever it names. Most have no credential, and their ids no line break: those are their own keys.
 */
export function keyOfCaller(caller: string, id: string): string {
  // With its length before it no name can end in what another's id begins with.
  return caller === ANONYMOUS_CALLER && !id.includes("\n") ? id : `${caller.length}\n${caller}${id}`;
}

/** Returns what a record says of a caller. Most have no credential, and their records are as long as ever. */
export function keptCaller(caller: string): string | undefined {
  return caller === ANONYMOUS_CALLER ? undefined : caller;
}

const NOTHING = { leases: 0, waiters: 0 };
