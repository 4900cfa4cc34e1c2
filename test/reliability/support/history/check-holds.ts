/** What is held at one time: never more permits than there are, and no slot by two. */

import type { Violation } from "./check-history.ts";
import type { Grant } from "./grants.ts";

/** Takes only the time in which each was surely held, from when it was heard of. */
export function checkHolds(name: string, grants: readonly Grant[], maxConcurrent: number): readonly Violation[] {
  const changes = surelyHeld(grants).flatMap(({ heard, until, permits, leaseId }) => [
    { at: heard, by: permits, leaseId },
    { at: until, by: -permits, leaseId },
  ]);
  // What is released at an instant is free for a grant that is heard of at the same.
  changes.sort((a, b) => a.at - b.at || a.by - b.by);
  const violations: Violation[] = [];
  let inUse = 0;
  for (const { at, by, leaseId } of changes) {
    inUse += by;
    if (by < 0 || inUse <= maxConcurrent) continue;
    violations.push({ rule: "permits", what: `${name}: ${inUse} of ${maxConcurrent} held at ${at}, with ${leaseId}` });
  }
  return violations;
}

export function checkSlots(name: string, grants: readonly Grant[], maxConcurrent: number): readonly Violation[] {
  const violations: Violation[] = [];
  const violate = (what: string) => violations.push({ rule: "slots", what: `${name}: ${what}` });
  /** The last grant that was seen on each slot. */
  const last = new Map<number, Grant>();
  for (const grant of surelyHeld(grants).sort((a, b) => a.heard - b.heard)) {
    const { slots, permits, leaseId, heard } = grant;
    if (slots.length === 0) continue;
    const areSlots = slots.every((slot) => slot >= 0 && slot < maxConcurrent);
    if (!areSlots || new Set(slots).size !== permits) violate(`${leaseId} has slots ${slots} for ${permits} permits`);
    for (const slot of slots) {
      const before = last.get(slot);
      if (before !== undefined && before.until > heard) {
        violate(`slot ${slot} is held by ${before.leaseId} and by ${leaseId} at ${heard}`);
      }
      // Each surely held it when it was heard of, and not both at once: so this is the order in which they held it.
      if (before !== undefined && before.fencingToken >= grant.fencingToken) {
        violate(`slot ${slot} came from token ${before.fencingToken} to ${grant.fencingToken}`);
      }
      last.set(slot, grant);
    }
  }
  return violations;
}

function surelyHeld(grants: readonly Grant[]): Grant[] {
  return grants.filter(({ permits, heard, until }) => permits > 0 && until > heard);
}
