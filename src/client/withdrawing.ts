/** Telling the server that a request is given up before its client knows what came of it. */

import type { Calls } from "./calls.ts";
import { type Clock, elapsed } from "./clock.ts";
import { AdmissionService } from "./gen/ggen/backpressure/v1/admission_service_pb.ts";
import { WorkOutcome } from "./gen/ggen/backpressure/v1/lease_pb.ts";
import type { LastWord } from "./last-word.ts";
import { type Retries, sleep } from "./retry.ts";

export interface WithdrawingPorts {
  readonly calls: Calls;
  readonly clock: Clock;
  readonly retries: Retries;
  /** Aborts when nothing can be said any more: the connections are closed. */
  readonly closed: AbortSignal;
}

/** How a request is withdrawn, under its id. */
export interface Withdrawal {
  /** Says it once. */
  say(requestId: string, options: { readonly timeoutMs: number }): Promise<unknown>;
  /** What says it when the page of its caller goes away. */
  lastWord(requestId: string): LastWord;
}

/** ms for which it is said again; what the server has not heard by then comes back by its ttl. */
const PATIENCE = 10_000;

/** Withdraws an Acquire or a TryAcquire. */
export function withdrawAcquire({ admission }: Calls): Withdrawal {
  const toRequest = (requestId: string) => ({ requestId, outcome: WorkOutcome.IGNORED });
  return {
    say: (requestId, options) => admission.release(toRequest(requestId), options),
    lastWord: (requestId) => ({ method: AdmissionService.method.release, request: toRequest(requestId) }),
  };
}

/**
 * Says it again where no answer came, if it is worth that: `isUrgent` for a caller that gave up, by which the server lives as far
 * as is known. Never rejects, and sets no timer while a call is under way: the transport's deadline bounds it.
 */
export async function sayWithdrawn(
  { calls, clock, retries, closed }: WithdrawingPorts,
  requestId: string,
  { withdrawal, isUrgent }: { readonly withdrawal: Withdrawal; readonly isUrgent: boolean },
): Promise<void> {
  const since = clock.now();
  for (let attempts = 1; ; attempts += 1) {
    try {
      await withdrawal.say(requestId, { timeoutMs: calls.answerWithin });
      return;
    } catch (thrown) {
      const delay = isUrgent ? retries.patientDelayAfter(calls.toError(thrown), attempts) : undefined;
      if (closed.aborted || delay === undefined || elapsed(since, clock.now()) + delay > PATIENCE) return;
      await sleep(clock, delay, closed).catch(() => {});
    }
  }
}
