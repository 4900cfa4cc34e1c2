/** The leases that users hold in their hands. */

import type { AdmittedBy, Lease, LeaseEnd, RevokingNotice, WorkOutcome } from "../api/lease.ts";
import type { Leak, LeakGuard } from "../hold/leak-guard.ts";

/** What is kept of a lease that is held, apart from its handle. */
export interface LeaseCore {
  readonly grant: Pick<Lease, "id" | "claims" | "holder" | "grantTime">;
  readonly admittedBy: AdmittedBy;
  readonly signal: AbortSignal;
  readonly valid: boolean;
  readonly revoking: RevokingNotice | undefined;
  release(outcome: WorkOutcome): Promise<LeaseEnd>;
}

/** A handle for a lease that is held; `site` is the stack of its acquire. */
export function createLease(held: LeaseCore, guard: LeakGuard, site: string): Lease {
  const { id, claims, holder, grantTime } = held.grant;
  const { admittedBy } = held;
  const lease: Lease = {
    granted: true,
    admittedBy,
    id,
    claims,
    holder,
    grantTime,
    get signal() {
      return held.signal;
    },
    get valid() {
      return held.valid;
    },
    get revoking() {
      return held.revoking;
    },
    release,
    [Symbol.asyncDispose]: async () => void (await release()),
  };

  function release(outcome: WorkOutcome = "success"): Promise<LeaseEnd> {
    guard.forget(leak);
    return held.release(outcome);
  }

  const leak = leakOf(held);
  guard.watch(lease, leak, site);
  return lease;
}

function leakOf(held: LeaseCore): Leak {
  return { message: leakMessage(held.grant), giveBack: () => void held.release("ignored") };
}

/** The warning to a developer about a lease that was forgotten. */
export function leakMessage({ id, claims }: Pick<Lease, "id" | "claims">): string {
  const names = claims.map(({ limiter }) => limiter).join(", ");
  return (
    `a lease on ${names} (${id}) was collected as garbage before it was released; hold it with ` +
    "`await using`, or call release()"
  );
}

/** A handle for a grant that holds nothing: it has been released already. */
export function createSpentLease({ id, claims, holder, grantTime }: LeaseCore["grant"], admittedBy: AdmittedBy): Lease {
  const { signal } = new AbortController();
  return {
    granted: true,
    admittedBy,
    id,
    claims,
    holder,
    grantTime,
    signal,
    valid: false,
    revoking: undefined,
    release: async () => "released",
    [Symbol.asyncDispose]: async () => {},
  };
}
