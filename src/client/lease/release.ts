/** Telling the server that a lease is released. */

import type { LeaseEnd, WorkOutcome } from "../api/lease.ts";
import { AdmissionService } from "../gen/ggen/backpressure/v1/admission_service_pb.ts";
import { WorkOutcome as WireOutcome } from "../gen/ggen/backpressure/v1/lease_pb.ts";
import type { Calls } from "../rpc/calls.ts";
import type { LastWord } from "../rpc/page.ts";
import { type SayPorts, sayAgain } from "../rpc/say-again.ts";
import type { Withdrawal } from "../rpc/withdrawal.ts";
import { leaseEndFromWire, workOutcomeToWire } from "../wire/lease.ts";
import type { Credential } from "./renew.ts";

export interface ReleasingPorts extends SayPorts {
  readonly calls: Calls;
}

/** ms; a lease of a shorter ttl is given as long to be released. */
const SHORTEST_TRY = 1000;

/** What releases a lease when the page of its holder goes away. */
export function lastRelease(credential: Credential): LastWord<typeof AdmissionService.method.release> {
  return { method: AdmissionService.method.release, request: { ...credential, outcome: WireOutcome.IGNORED } };
}

export interface EndRequest {
  readonly credential: Credential;
  readonly outcome: WorkOutcome;
  /** ms. */
  readonly ttl: number;
  /** Gives the lease back in another way; called when the first try has failed. */
  readonly otherwise: () => void;
}

/**
 * Repeats it until the lease's ttl has passed, after which the lease is over anyway. Rejects where the server has not confirmed it, or no
 * longer knows the lease.
 */
export function sayReleased(
  { calls, ...ports }: ReleasingPorts,
  { credential, outcome, ttl, otherwise }: EndRequest,
): Promise<LeaseEnd> {
  const patience = Math.max(SHORTEST_TRY, ttl);
  const request = { ...credential, outcome: workOutcomeToWire(outcome) };
  const options = { within: Math.min(calls.answerWithin, patience) };
  return sayAgain(ports, { patience, onAgain: otherwise }, async () => {
    const { end } = await calls.unary((rpcOptions) => calls.admission.release(request, rpcOptions), options);
    return leaseEndFromWire(end);
  });
}

/** Withdraws an Acquire or a TryAcquire. */
export function withdrawAcquire({ admission }: Calls): Withdrawal {
  const toRequest = (requestId: string) => ({ requestId, outcome: WireOutcome.IGNORED });
  return {
    say: (requestId, options) => admission.release(toRequest(requestId), options),
    lastWord: (requestId) => ({ method: AdmissionService.method.release, request: toRequest(requestId) }),
  };
}
