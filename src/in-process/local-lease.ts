/** A lease on an in-process limiter: it cannot be lost, only released, cancelled by its signal, or forgotten. */

import type { Lease, LeaseEnd, WorkOutcome } from "../client/lease.ts";
import type { Clock } from "../server/clock.ts";
import type { Engine } from "../server/engine/engine.ts";
import type { Granted } from "../server/machine/command.ts";

export interface LocalLease {
  readonly handle: Lease;
  /** Its holder's signal has aborted and given it back. */
  lose(reason: unknown): void;
}

interface LocalLeaseOptions {
  readonly granted: Granted;
  readonly clock: Clock;
  readonly engine: Engine;
  /** Called once, when it has ended by a release. */
  readonly onEnd: () => void;
}

export function openLocalLease({ granted, clock, engine, onEnd }: LocalLeaseOptions): LocalLease {
  const { lease } = granted;
  const controller = new AbortController();
  let end: Promise<LeaseEnd> | undefined = granted.held ? undefined : Promise.resolve("released");

  function release(workOutcome: WorkOutcome = "success"): Promise<LeaseEnd> {
    end ??= new Promise((resolve) => {
      onEnd();
      engine.submit([{ kind: "release", leaseId: lease.id, workOutcome }], ([outcome]) => {
        resolve(outcome.kind === "ended" ? outcome.end : "unconfirmed");
      });
    });
    return end;
  }

  const handle: Lease = {
    granted: true,
    id: lease.id,
    claims: lease.claims.map(({ instance, permits, tokens, fencingToken, slots }) => ({
      limiter: instance.limiter.config.name,
      key: instance.key,
      permits,
      tokens,
      fencingToken: BigInt(fencingToken),
      slots,
    })),
    holder: lease.holder,
    grantTime: new Date(clock.wallTime(lease.grantedAt)),
    signal: controller.signal,
    get valid() {
      return end === undefined;
    },
    revoking: undefined,
    release,
    async [Symbol.asyncDispose]() {
      await release();
    },
  };
  return {
    handle,
    lose(reason) {
      end ??= Promise.resolve("cancelled");
      controller.abort(reason);
    },
  };
}
