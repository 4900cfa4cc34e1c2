/** Leases that are held unusually long. */

import type { LeaseInfo } from "../client/api/limiter.ts";
import { heldFor, permitsOf, type Sight } from "./sight.ts";

export interface OverdueLease {
  readonly lease: LeaseInfo;
  /** Permits that it holds of what is looked at. */
  readonly permits: number;
  readonly heldMs: number;
  /** How long leases are held there, as those show that have ended in the last minute or two; undefined: none has. */
  readonly usualMs: number | undefined;
}

/** So many times as long as usual is unusual. */
const TIMES_USUAL = 10;
/** ms: what is held for less is never unusual. */
const LEAST = 10_000;
/** ms: from here on, where no lease has ended for a minute or two, so that nothing is usual. */
const LONG = 60_000;

/** Returns the leases with permits that are held unusually long, the longest held first. */
export function overdueLeases(sight: Sight): OverdueLease[] {
  const usualMs = sight.limiter.status.meanHoldTimeMs;
  const bound = usualMs === undefined ? LONG : Math.max(LEAST, TIMES_USUAL * usualMs);
  return sight.leases
    .map((lease) => ({
      lease,
      permits: permitsOf(sight, lease),
      heldMs: heldFor(lease, sight.readAt),
      usualMs,
    }))
    .filter(({ permits, heldMs }) => permits > 0 && heldMs >= bound);
}
