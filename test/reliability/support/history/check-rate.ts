/** In no window of time are more tokens granted than its rate allows. */

import type { Violation } from "./check-history.ts";
import type { Grant } from "./grants.ts";

/** µs by which the server's clock, which counts whole ones, may be off in a window. */
const ROUNDING = 2;

/**
 * Of one instance. When each was granted is not known, but they were granted in the order of their fencing tokens: each not
 * before any of its predecessors was asked for, nor after any of its successors was heard of. A window that is too full
 * however they are placed between these bounds is a violation.
 */
export function checkRate(
  name: string,
  grants: readonly Grant[],
  { maxRps, burstSize }: { readonly maxRps: number; readonly burstSize: number },
): readonly Violation[] {
  const inOrder = grants.filter(({ tokens }) => tokens > 0).sort((a, b) => a.fencingToken - b.fencingToken);
  const latest: number[] = [];
  let bound = Number.POSITIVE_INFINITY;
  for (const { heard } of inOrder.toReversed()) {
    bound = Math.min(bound, heard);
    latest.push(bound);
  }
  latest.reverse();

  const perMicro = maxRps / 1e6;
  const violations: Violation[] = [];
  let earliest = Number.NEGATIVE_INFINITY;
  let spent = 0;
  // The window that is fullest for its length, of all that end at the grant at hand: where it begins, and what came before.
  let fullest = { from: 0, spentBefore: 0, credit: Number.NEGATIVE_INFINITY };
  for (const [index, { sent, tokens }] of inOrder.entries()) {
    earliest = Math.max(earliest, sent);
    const credit = earliest * perMicro - spent;
    if (credit > fullest.credit) fullest = { from: earliest, spentBefore: spent, credit };
    spent += tokens;
    const window = (latest[index] as number) - fullest.from + ROUNDING;
    const granted = spent - fullest.spentBefore;
    if (granted <= burstSize + window * perMicro) continue;
    const ms = (window / 1000).toFixed(1);
    violations.push({
      rule: "rate",
      what: `${name}: ${granted} tokens in ${ms} ms, at ${maxRps}/s, burst ${burstSize}`,
    });
  }
  return violations;
}
