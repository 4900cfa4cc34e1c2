/**
 * Whether a history can have come about on a server that keeps its promises. Each rule is sound: it holds whenever the
 * server decided what it decided, between asked and heard, so what breaks it is a bug and not a race.
 */

import { checkHolds, checkSlots } from "./check-holds.ts";
import { checkFencingTokens, checkQueue } from "./check-order.ts";
import { checkRate } from "./check-rate.ts";
import { lookFromLimiters } from "./grants.ts";
import type { HistoryLine } from "./history.ts";
import { type CheckedLimiter, nameOf } from "./limiters.ts";

export type Rule =
  | "permits"
  | "slots"
  | "fencing tokens"
  | "first come, first served"
  | "rate"
  | "request ids"
  | "answers";

export interface Violation {
  readonly rule: Rule;
  readonly what: string;
}

/** `floors`: the highest fencing token of each limiter before this history; they are brought up to its end. */
export function checkHistory(
  lines: readonly HistoryLine[],
  limiters: readonly CheckedLimiter[],
  floors: Map<string, number> = new Map(),
): readonly Violation[] {
  const violations: Violation[] = [];
  const attempts = lines.filter((line) => line.kind === "attempt");
  for (const line of lines) if (line.kind === "surprise") violations.push({ rule: "answers", what: line.what });
  const { grants, waiters, twice } = lookFromLimiters(attempts);
  for (const id of twice) violations.push({ rule: "request ids", what: `${id} has brought two leases` });

  const grantsByLimiter = Map.groupBy(grants, ({ limiter }) => limiter);
  const grantsByInstance = Map.groupBy(grants, ({ limiter, key }) => nameOf(limiter, key));
  const waitersByInstance = Map.groupBy(waiters, ({ limiter, key }) => nameOf(limiter, key));
  for (const limiter of limiters) {
    const ofLimiter = grantsByLimiter.get(limiter.name) ?? [];
    violations.push(...checkFencingTokens(ofLimiter, floors.get(limiter.name) ?? 0));
    floors.set(
      limiter.name,
      ofLimiter.reduce((most, grant) => Math.max(most, grant.fencingToken), floors.get(limiter.name) ?? 0),
    );
    for (const key of limiter.keys) {
      const name = nameOf(limiter.name, key);
      const own = grantsByInstance.get(name) ?? [];
      const { maxConcurrent, rate } = limiter;
      if (maxConcurrent !== undefined) {
        violations.push(...checkHolds(name, own, maxConcurrent), ...checkSlots(name, own, maxConcurrent));
      }
      if (rate !== undefined) violations.push(...checkRate(name, own, rate));
      violations.push(...checkQueue(name, own, waitersByInstance.get(name) ?? []));
    }
  }
  return violations;
}
