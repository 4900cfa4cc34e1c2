/** Work under a lease that is released whatever happens. */

import { OverloadedError } from "../api/errors.ts";
import type { GuardedWork, Lease, OutcomeOptions, WorkOutcome } from "../api/lease.ts";

/** Does the work, and releases the lease as it went. */
export async function workUnder<T>(
  lease: Lease,
  work: GuardedWork<T>,
  { outcomeOf = defaultOutcome }: OutcomeOptions,
): Promise<T> {
  let outcome: WorkOutcome = "ignored";
  try {
    const result = await work(lease, lease.signal);
    outcome = "success";
    return result;
  } catch (error) {
    outcome = outcomeOf(error);
    throw error;
  } finally {
    await lease.release(outcome);
  }
}

function defaultOutcome(error: unknown): WorkOutcome {
  return error instanceof OverloadedError ? "overloaded" : "ignored";
}
