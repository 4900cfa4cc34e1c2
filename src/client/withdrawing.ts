/** Telling the server that a request is given up before its client knows what came of it. */

import type { BoardCalls, Calls } from "./calls.ts";
import { type Clock, elapsed } from "./clock.ts";
import { WorkOutcome } from "./gen/ggen/backpressure/v1/lease_pb.ts";
import { type Retries, sleep } from "./retry.ts";

export interface WithdrawingPorts {
  readonly calls: Calls;
  readonly clock: Clock;
  readonly retries: Retries;
  /** Aborts when nothing can be said any more: the connections are closed. */
  readonly closed: AbortSignal;
}

/** Says it once, under the request's id. */
export type Withdrawal = (requestId: string, options: { readonly timeoutMs: number }) => Promise<unknown>;

/** ms for which it is said again; what the server has not heard by then comes back by its ttl. */
const PATIENCE = 10_000;

/** Withdraws an Acquire or a TryAcquire. */
export function withdrawAcquire({ admission }: Calls): Withdrawal {
  return (requestId, options) => admission.release({ requestId, outcome: WorkOutcome.IGNORED }, options);
}

/** Withdraws a pull from a board. */
export function withdrawPull({ board: rpc }: BoardCalls, board: string): Withdrawal {
  return (requestId, options) => rpc.giveBackCard({ board, requestId }, options);
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
      await withdrawal(requestId, { timeoutMs: calls.answerWithin });
      return;
    } catch (thrown) {
      const delay = isUrgent ? retries.patientDelayAfter(calls.toError(thrown), attempts) : undefined;
      if (closed.aborted || delay === undefined || elapsed(since, clock.now()) + delay > PATIENCE) return;
      await sleep(clock, delay, closed).catch(() => {});
    }
  }
}
