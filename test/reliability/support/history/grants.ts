/** A history seen from the limiters: what was granted, and what waited. */

import type { Attempt, HeldClaim } from "./history.ts";

/** A claim of one lease. */
export interface Grant extends HeldClaim {
  readonly leaseId: string;
  /** Between these two it was granted. */
  readonly sent: number;
  readonly heard: number;
  /** From `heard` until then it was surely held. */
  readonly until: number;
}

/** A claim of one request that stood in line. */
export interface Waiter {
  readonly limiter: string;
  readonly key: string;
  /** By then it stood there. */
  readonly queued: number;
  readonly end:
    | { readonly kind: "granted"; readonly fencingToken: number }
    | { readonly kind: "not granted"; readonly waitedUntil: number };
}

export interface Sight {
  readonly grants: readonly Grant[];
  readonly waiters: readonly Waiter[];
  /** Request ids under which more than one lease was granted. */
  readonly twice: readonly string[];
}

export function lookFromLimiters(attempts: readonly Attempt[]): Sight {
  const grants: Grant[] = [];
  const waiters: Waiter[] = [];
  const twice: string[] = [];
  for (const request of requestsOf(attempts)) {
    const leases = leasesOf(request);
    if (leases.length > 1) twice.push(request[0]?.requestId ?? "");
    grants.push(...leases.flat());
    waiters.push(...waitersOf(request, leases[0]));
  }
  return { grants, waiters, twice };
}

/** What was asked again under one id is one request. */
function requestsOf(attempts: readonly Attempt[]): readonly (readonly Attempt[])[] {
  const withId = new Map<string, Attempt[]>();
  const requests: Attempt[][] = [];
  for (const attempt of attempts) {
    const before = attempt.requestId === "" ? undefined : withId.get(attempt.requestId);
    if (before !== undefined) {
      before.push(attempt);
      continue;
    }
    const request = [attempt];
    requests.push(request);
    if (attempt.requestId !== "") withId.set(attempt.requestId, request);
  }
  return requests;
}

/** The claims of each lease that a request has brought. */
function leasesOf(request: readonly Attempt[]): readonly (readonly Grant[])[] {
  const sent = Math.min(...request.map((attempt) => attempt.sent));
  const leases = new Map<string, Grant[]>();
  for (const { outcome } of request) {
    if (outcome.kind !== "granted") continue;
    const { leaseId, held, heard, until } = outcome;
    const before = leases.get(leaseId)?.[0];
    const span = {
      leaseId,
      sent,
      heard: Math.min(heard, before?.heard ?? heard),
      until: Math.min(until, before?.until ?? until),
    };
    leases.set(
      leaseId,
      held.map((claim) => ({ ...claim, ...span })),
    );
  }
  return [...leases.values()];
}

function waitersOf(request: readonly Attempt[], lease: readonly Grant[] | undefined): readonly Waiter[] {
  const queued = Math.min(...request.map((attempt) => attempt.queued ?? Number.POSITIVE_INFINITY));
  if (queued === Number.POSITIVE_INFINITY) return [];
  const waitedUntil = Math.max(...request.map(({ outcome }) => (outcome.kind === "granted" ? 0 : outcome.waitedUntil)));
  const claims = request[0]?.claims ?? [];
  return claims.map(({ limiter, key }, index) => {
    const fencingToken = lease?.[index]?.fencingToken;
    return {
      limiter,
      key,
      queued,
      end: fencingToken === undefined ? { kind: "not granted", waitedUntil } : { kind: "granted", fencingToken },
    };
  });
}
