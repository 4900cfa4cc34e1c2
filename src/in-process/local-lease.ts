/** A lease on an in-process limiter: it cannot be lost, only released, cancelled by its signal, or forgotten. */

import type { GrantedClaim } from "../client/api/claim.ts";
import type { Lease, LeaseEnd, WorkOutcome } from "../client/api/lease.ts";
import type { Leak } from "../client/hold/leak-guard.ts";
import { leakMessage } from "../client/lease/handle.ts";
import type { Engine } from "../server/engine/engine.ts";
import type { HeldClaimView, LeaseView } from "../server/machine/limiter/view.ts";
import type { Forgettable, Observed, YoungLeases } from "./young-leases.ts";

/** What is kept of a lease, apart from its handle, which nothing here refers to. */
class Held implements Forgettable {
  readonly #grant: Grant;
  readonly #engine: Engine;
  /** Aborting it gives the lease back. */
  readonly #given: AbortSignal | undefined;
  /** Made for the first that asks for it. */
  #controller: AbortController | undefined;
  #end: Promise<LeaseEnd> | undefined;
  #aborted = false;

  constructor(grant: Grant, engine: Engine, given: AbortSignal | undefined) {
    this.#grant = grant;
    this.#engine = engine;
    this.#given = given;
    given?.addEventListener("abort", this);
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#aborted) this.#controller.abort(this.#given?.reason);
    }
    return this.#controller.signal;
  }

  get isHeld(): boolean {
    return this.#end === undefined;
  }

  release(workOutcome: WorkOutcome): Promise<LeaseEnd> {
    this.#given?.removeEventListener("abort", this);
    this.#end ??= new Promise((resolve) => {
      this.#engine.submit(
        { kind: "release", leaseId: this.#grant.id, workOutcome, session: undefined },
        (answer) => resolve(answer.kind === "ended" ? answer.end : "unconfirmed"),
        () => resolve("unconfirmed"),
      );
    });
    return this.#end;
  }

  leak(): Leak {
    return { message: leakMessage(this.#grant), giveBack: () => void this.release("ignored") };
  }

  /** The signal that was given has aborted. */
  handleEvent(): void {
    this.#aborted = true;
    void this.release("ignored");
    this.#controller?.abort(this.#given?.reason);
  }
}

/** The lease as its user has it. */
class LocalLease implements Lease {
  readonly granted = true;
  readonly admittedBy = "local";
  readonly id: string;
  readonly claims: readonly GrantedClaim[];
  readonly holder: string;
  readonly grantTime: Date;
  readonly release: (outcome?: WorkOutcome) => Promise<LeaseEnd>;
  readonly #held: Held;

  constructor(grant: Grant, held: Held, release: (outcome?: WorkOutcome) => Promise<LeaseEnd>) {
    this.id = grant.id;
    this.claims = grant.claims;
    this.holder = grant.holder;
    this.grantTime = grant.grantTime;
    this.release = release;
    this.#held = held;
  }

  get signal(): AbortSignal {
    return this.#held.signal;
  }

  get valid(): boolean {
    return this.#held.isHeld;
  }

  get revoking(): undefined {
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }
}

interface LocalLeaseOptions {
  readonly lease: LeaseView;
  readonly engine: Engine;
  readonly young: YoungLeases;
  /** Aborting it gives the lease back. */
  readonly signal: AbortSignal | undefined;
  /** The stack of its acquire. */
  readonly site: string;
}

export function createLocalLease({ lease, engine, young, signal, site }: LocalLeaseOptions): Lease {
  const grant = grantOf(lease);
  const held = new Held(grant, engine, signal);
  let observed: Observed | undefined;
  const handle = new LocalLease(grant, held, (outcome = "success") => {
    if (observed !== undefined) young.forget(observed);
    return held.release(outcome);
  });
  observed = young.observe(handle, held, site);
  return handle;
}

type Grant = Pick<Lease, "id" | "claims" | "holder" | "grantTime">;

/** A grant in the words of the client. */
export function grantOf(lease: LeaseView): Grant {
  return {
    id: lease.id,
    claims: lease.claims.map(claimOf),
    holder: lease.holder,
    grantTime: new Date(lease.grantedAt),
  };
}

function claimOf({ limiter, key, permits, tokens, fencingToken, slots }: HeldClaimView): GrantedClaim {
  return { limiter, key, permits, tokens, fencingToken: BigInt(fencingToken), slots };
}
