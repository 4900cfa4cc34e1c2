/** Limits that look wrong. */

import type { Limiter } from "../../client/api/limiter.ts";
import { standingOf } from "../../explain/standing.ts";
import { formatDuration, formatRoughly } from "../../text/duration.ts";
import { formatCount, formatNumber } from "../../text/number.ts";
import { type Finding, type Level, ok, some } from "./finding.ts";
import { medianOf, type Observations } from "./observations.ts";

/** A holder may rely on its lease for half its ttl: in that time a renewal has to be sent, answered, and sent once more. */
const ROUND_TRIPS_A_HALF = 4;
/** s: a bucket with less room than what comes in so long makes the server poll its clock. */
const POLLS_BELOW = 0.002;
/** Of the leases that ended, the share whose holder said OVERLOADED from which on the resource is. */
const OVERLOADED_SHARE = 0.2;

/** One kind of what looks wrong; it finds all limiters at once, of which there may be thousands. */
interface Check {
  readonly level: Level;
  readonly check: string;
  /** What is said of one; undefined: it is as it should be. */
  readonly look: (limiter: Limiter, roundTrip: number) => string | undefined;
  readonly what: string;
  readonly why: string;
  readonly todo: string;
}

const CHECKS: readonly Check[] = [
  {
    level: "problem",
    check: "stuck",
    look: (limiter) => {
      const { state, oldestWaitMs = 0 } = standingOf(limiter);
      return state === "stuck" ? `for ${formatRoughly(oldestWaitMs)}` : undefined;
    },
    what: "requests wait and nothing is granted",
    why: "a holder does not release, or another limiter of the same requests is in the way",
    todo: "`backpressure explain NAME` says which",
  },
  {
    level: "problem",
    check: "ttl-round-trips",
    look: ({ ttl = 0 }, roundTrip) =>
      ttl > 0 && ttl / 2 < ROUND_TRIPS_A_HALF * roundTrip ? `ttl ${formatDuration(ttl)}` : undefined,
    what: "the ttl is too short for how far the server is",
    why: "a holder may rely on a lease for half its ttl, and has to renew it within that, with a second attempt: leases are lost in healthy operation",
    todo: "raise ttl, or run the server nearer to its clients",
  },
  {
    level: "warning",
    check: "paused",
    look: ({ paused, status }) =>
      paused && status.waiters > 0 ? `${formatNumber(status.waiters)} waiting` : undefined,
    what: "paused while requests wait",
    why: "they wait until it is resumed, or until their max_wait has passed",
    todo: "`backpressure limiters resume NAME`",
  },
  {
    level: "warning",
    check: "shedding",
    look: (limiter) =>
      standingOf(limiter).state === "shedding" ? `${formatNumber(limiter.status.refusalRate)}/s` : undefined,
    what: "requests are refused now",
    why: "more is asked for than it admits",
    todo: "`backpressure explain NAME`; raise its limits if what it guards bears more, else have callers wait",
  },
  {
    level: "warning",
    check: "claim-exceeds-limit",
    look: ({ status, burstSize, maxConcurrent }) => {
      const count = status.refusals.CLAIM_EXCEEDS_LIMIT ?? 0;
      if (count === 0) return undefined;
      const limits = [
        ...(burstSize === undefined ? [] : [`burst_size ${formatNumber(burstSize)}`]),
        ...(maxConcurrent === undefined ? [] : [`max_concurrent ${formatNumber(maxConcurrent)}`]),
      ];
      return `${formatNumber(count)} refused, ${limits.join(", ")}`;
    },
    what: "requests ask for more than it ever has",
    why: "a claim of more tokens than burst_size, or more permits than max_concurrent, can never be granted",
    todo: "raise burst_size or max_concurrent, or ask for less at once",
  },
  {
    level: "warning",
    check: "queue-full",
    look: ({ status: { refusals }, maxWaiters = 0 }) =>
      maxWaiters > 0 && (refusals.QUEUE_FULL ?? 0) > 0
        ? `${formatNumber(refusals.QUEUE_FULL ?? 0)} refused, max_waiters ${formatNumber(maxWaiters)}`
        : undefined,
    what: "its queue was full",
    why: "those that came then were refused",
    todo: "raise max_waiters if callers can wait for longer, or its limits",
  },
  {
    level: "warning",
    check: "keys-exhausted",
    look: ({ status: { refusals }, maxKeys = 0 }) =>
      (refusals.KEYS_EXHAUSTED ?? 0) > 0
        ? `${formatNumber(refusals.KEYS_EXHAUSTED ?? 0)} refused, max_keys ${formatNumber(maxKeys)}`
        : undefined,
    what: "it had no room for another key",
    why: "requests under keys that were new then were refused",
    todo: "raise max_keys",
  },
  {
    level: "warning",
    check: "overloaded",
    look: ({ status: { overloadedCount, grantedCount } }) =>
      overloadedCount > OVERLOADED_SHARE * grantedCount
        ? `${formatNumber(overloadedCount)} of ${formatNumber(grantedCount)}`
        : undefined,
    what: "holders say that what it guards is overloaded",
    why: "the limits admit more than it bears",
    todo: "lower max_concurrent or the rate",
  },
  {
    level: "warning",
    check: "orphaned",
    look: ({ status: { leases, orphanedLeases } }) =>
      orphanedLeases >= 10 && orphanedLeases * 2 > leases
        ? `${formatNumber(orphanedLeases)} of ${formatNumber(leases)}`
        : undefined,
    what: "most leases have lost their holder's connection",
    why: "clients have crashed or are cut off; their permits come back when the ttl has passed",
    todo: "look at the network and the clients' logs; behind a proxy see docs/proxies.md",
  },
  {
    level: "note",
    check: "max-wait-zero",
    look: ({ maxWait, maxWaiters = 0 }) =>
      maxWait === 0 && maxWaiters > 0 ? `max_waiters ${formatNumber(maxWaiters)}` : undefined,
    what: "max_wait is 0, so that no request waits, and its queue is never used",
    why: "a request that finds no room is refused at once",
    todo: "set max_waiters to 0 if that is meant, else raise max_wait",
  },
  {
    level: "note",
    check: "max-waiters-zero",
    look: ({ maxWait = 0, maxWaiters }) =>
      maxWaiters === 0 && maxWait > 0 ? `max_wait ${formatDuration(maxWait)}` : undefined,
    what: "max_waiters is 0, so that max_wait has no effect",
    why: "no request waits",
    todo: "raise max_waiters, or leave max_wait out",
  },
  {
    level: "note",
    check: "burst-polls",
    look: ({ maxRps = 0, burstSize = 0 }) =>
      maxRps > 0 && burstSize < maxRps * POLLS_BELOW
        ? `burst_size ${formatNumber(burstSize)} at ${formatNumber(maxRps)}/s`
        : undefined,
    what: "burst_size is less than what 2 ms bring",
    why: "under full load the server polls its clock to deliver the rate, which costs a core",
    todo: "leave burst_size out: it is then what 50 ms bring",
  },
  {
    level: "note",
    check: "ttl-zero",
    look: ({ ttl, name }) => (ttl === 0 && name !== "sample" ? "ttl 0s" : undefined),
    what: "leases end with their stream, whichever way that ends",
    why: "while a connection fails the limit is approximate: a holder may work on while its successor starts",
    todo: "set a ttl where the limit has to hold",
  },
];

export function checkLimiters({ limiters, roundTrips }: Pick<Observations, "limiters" | "roundTrips">): Finding[] {
  const roundTrip = medianOf(roundTrips);
  const findings = CHECKS.flatMap(({ look, ...finding }) => {
    const found = limiters.flatMap((limiter) => {
      const words = look(limiter, roundTrip);
      return words === undefined ? [] : [`${limiter.name} (${words})`];
    });
    return found.length === 0 ? [] : [{ ...finding, what: `${some(found)}: ${finding.what}` }];
  });
  const bad = findings.some(({ level }) => level === "problem" || level === "warning");
  return bad
    ? findings
    : [ok("limiters", `nothing looks wrong with ${formatCount(limiters.length, "limiter")}`), ...findings];
}
