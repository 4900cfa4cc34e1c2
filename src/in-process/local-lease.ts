/** A lease on an in-process limiter: it cannot be lost, only released, cancelled by its signal, or forgotten. */

import type { Lease, LeaseEnd, WorkOutcome } from "../client/api/lease.ts";
import type { LeaseCore } from "../client/lease/handle.ts";
import type { Engine } from "../server/engine/engine.ts";
import type { LeaseView } from "../server/machine/limiter/view.ts";

interface LocalLeaseOptions {
  readonly lease: LeaseView;
  readonly engine: Engine;
  /** Aborting it gives the lease back. */
  readonly signal: AbortSignal | undefined;
}

/** What is kept of a lease, apart from its handle, which nothing here refers to. */
export function createLocalLease({ lease, engine, signal }: LocalLeaseOptions): LeaseCore {
  const controller = new AbortController();
  let end: Promise<LeaseEnd> | undefined;

  function release(workOutcome: WorkOutcome): Promise<LeaseEnd> {
    signal?.removeEventListener("abort", onAbort);
    end ??= new Promise((resolve) => {
      engine.submit(
        { kind: "release", leaseId: lease.id, workOutcome, session: undefined },
        (answer) => resolve(answer.kind === "ended" ? answer.end : "unconfirmed"),
        () => resolve("unconfirmed"),
      );
    });
    return end;
  }

  function onAbort(): void {
    void release("ignored");
    controller.abort(signal?.reason);
  }

  signal?.addEventListener("abort", onAbort);
  return {
    grant: grantOf(lease),
    admittedBy: "local",
    signal: controller.signal,
    get valid() {
      return end === undefined;
    },
    revoking: undefined,
    release,
  };
}

/** A grant in the words of the client. */
export function grantOf(lease: LeaseView): Pick<Lease, "id" | "claims" | "holder" | "grantTime"> {
  return {
    id: lease.id,
    claims: lease.claims.map((claim) => ({ ...claim, fencingToken: BigInt(claim.fencingToken) })),
    holder: lease.holder,
    grantTime: new Date(lease.grantedAt),
  };
}
