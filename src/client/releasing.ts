/** Telling the server that a lease is released. */

import type { Calls } from "./calls.ts";
import { type Clock, elapsed } from "./clock.ts";
import { AdmissionService } from "./gen/ggen/backpressure/v1/admission_service_pb.ts";
import { WorkOutcome as WireOutcome } from "./gen/ggen/backpressure/v1/lease_pb.ts";
import type { LastWord } from "./last-word.ts";
import type { LeaseEnd, WorkOutcome } from "./lease.ts";
import { leaseEndFromWire, workOutcomeToWire } from "./lease-wire.ts";
import type { Credential } from "./renewing.ts";
import { type Retries, sleep } from "./retry.ts";

export interface ReleasingPorts {
  readonly calls: Calls;
  readonly clock: Clock;
  readonly retries: Retries;
  /** Aborts when nothing can be said any more: the connections are closed. */
  readonly closed: AbortSignal;
}

/** ms; a lease of a shorter ttl is given as long to be released. */
const SHORTEST_TRY = 1000;

/** What releases a lease when the page of its holder goes away. */
export function lastRelease(credential: Credential): LastWord<typeof AdmissionService.method.release> {
  return { method: AdmissionService.method.release, request: { ...credential, outcome: WireOutcome.IGNORED } };
}

export interface Parting {
  readonly credential: Credential;
  readonly outcome: WorkOutcome;
  /** ms. */
  readonly ttl: number;
  /** Gives the lease back in another way; called when the first try has failed. */
  readonly otherwise?: (() => void) | undefined;
}

/**
 * Says it again where no answer came, until the lease's ttl has passed, after which it is over anyway. Never rejects:
 * `"unconfirmed"` where the server could not be told, or no longer knows the lease.
 */
export async function sayReleased(
  { calls, clock, retries, closed }: ReleasingPorts,
  { credential, outcome, ttl, otherwise }: Parting,
): Promise<LeaseEnd> {
  const since = clock.now();
  const patience = Math.max(SHORTEST_TRY, ttl);
  const request = { ...credential, outcome: workOutcomeToWire(outcome) };
  const options = { within: Math.min(calls.answerWithin, patience) };
  for (let attempts = 1; ; attempts += 1) {
    try {
      const { end } = await calls.unary((rpcOptions) => calls.admission.release(request, rpcOptions), options);
      return leaseEndFromWire(end);
    } catch (error) {
      if (attempts === 1) otherwise?.();
      const delay = retries.patientDelayAfter(error, attempts);
      if (closed.aborted || delay === undefined || elapsed(since, clock.now()) + delay > patience) return "unconfirmed";
      await sleep(clock, delay, closed).catch(() => {});
    }
  }
}
