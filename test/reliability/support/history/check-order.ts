/** In which order grants were made: their fencing tokens say it, and what was heard when must agree. */

import type { Violation } from "./check-history.ts";
import type { Grant, Waiter } from "./grants.ts";

/** Of one limiter. No token comes twice, and what was asked for after another was heard of has the higher one. */
export function checkFencingTokens(grants: readonly Grant[], floor: number): readonly Violation[] {
  const violations: Violation[] = [];
  const violate = (what: string) => violations.push({ rule: "fencing tokens", what });
  const seen = new Set<number>();
  for (const { fencingToken, limiter, leaseId } of grants) {
    if (seen.has(fencingToken)) violate(`${limiter}: ${fencingToken} comes twice, with ${leaseId}`);
    if (fencingToken <= floor) violate(`${limiter}: ${fencingToken} is not above ${floor}`);
    seen.add(fencingToken);
  }
  const byHeard = grants.toSorted((a, b) => a.heard - b.heard);
  let next = 0;
  let highest = Number.NEGATIVE_INFINITY;
  for (const { sent, fencingToken, limiter, leaseId } of grants.toSorted((a, b) => a.sent - b.sent)) {
    for (let heard = byHeard[next]; heard && heard.heard < sent; heard = byHeard[++next]) {
      highest = Math.max(highest, heard.fencingToken);
    }
    if (fencingToken < highest) violate(`${limiter}: ${fencingToken} of ${leaseId} was asked for after ${highest}`);
  }
  return violations;
}

/** Of one instance. A client that asks after another is known to wait is granted after it, whatever else they claim. */
export function checkQueue(name: string, grants: readonly Grant[], waiters: readonly Waiter[]): readonly Violation[] {
  const violations: Violation[] = [];
  const byQueued = waiters.toSorted((a, b) => a.queued - b.queued);
  let next = 0;
  let highest = Number.NEGATIVE_INFINITY;
  let longest = Number.NEGATIVE_INFINITY;
  for (const { sent, heard, fencingToken, leaseId } of grants.toSorted((a, b) => a.sent - b.sent)) {
    for (let before = byQueued[next]; before && before.queued < sent; before = byQueued[++next]) {
      if (before.end.kind === "granted") highest = Math.max(highest, before.end.fencingToken);
      else longest = Math.max(longest, before.end.waitedUntil);
    }
    const overtaken = fencingToken < highest ? `token ${highest}` : heard < longest ? `one that waited on` : undefined;
    if (overtaken === undefined) continue;
    violations.push({
      rule: "first come, first served",
      what: `${name}: ${leaseId}, token ${fencingToken}, has overtaken ${overtaken}`,
    });
  }
  return violations;
}
