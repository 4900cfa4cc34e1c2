/** What is always true of the counts of callers, of leases and waiters as of work and pullers. */

import { ANONYMOUS_CALLER, type CallerHouse, type CallerTally } from "./callers.ts";
import { counts, holds } from "./structures/invariant.ts";

interface Owned {
  readonly caller: string;
}

/** Each is counted with its caller, and nobody is known of whom nothing lives. O(n) in all that lives. */
export function assertCallers(
  { callers }: CallerHouse,
  { leases, waiters }: { readonly leases: Iterable<Owned>; readonly waiters: Iterable<Owned> },
): void {
  const there = new Map<string, CallerTally>([[ANONYMOUS_CALLER, noneOf(ANONYMOUS_CALLER)]]);
  const tallyOf = (name: string) => {
    const tally = there.get(name) ?? noneOf(name);
    there.set(name, tally);
    return tally;
  };
  for (const { caller } of leases) tallyOf(caller).leases += 1;
  for (const { caller } of waiters) tallyOf(caller).waiters += 1;
  counts(callers.size, there.size, "machine", "callers of whom something lives");
  for (const [name, tally] of there) {
    const counted = callers.get(name);
    holds(counted?.name === name, `caller ${name}`, "it is kept under its name");
    counts(counted?.leases ?? 0, tally.leases, `caller ${name}`, "leases");
    counts(counted?.waiters ?? 0, tally.waiters, `caller ${name}`, "waiters");
  }
}

function noneOf(name: string): CallerTally {
  return { name, leases: 0, waiters: 0 };
}
