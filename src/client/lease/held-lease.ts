/** A lease that the client holds. */

import { AdmissionError, LeaseLostError, type LossReason } from "../api/errors.ts";
import type { LeaseEnd, RevokingNotice, WorkOutcome } from "../api/lease.ts";
import { type Attached, Held, type HeldPorts } from "../hold/held.ts";
import type { HeldKind, Loss } from "../hold/held-kind.ts";
import type { Moment } from "../rpc/clock.ts";
import { notify } from "../rpc/notify.ts";
import { type Grant, lossOf } from "../wire/lease.ts";
import type { EndRequest } from "./release.ts";
import type { Credential, RenewAnswer } from "./renew.ts";

export interface HeldLeasePorts extends HeldPorts<Credential, RenewAnswer> {
  /** Tells the server that a lease is released; rejects where that is not confirmed. */
  readonly sayReleased: (request: EndRequest) => Promise<LeaseEnd>;
}

export interface HeldLeaseOptions {
  readonly grant: Grant;
  /** When the request was sent that was answered with the grant, or that confirmed it. */
  readonly sentAt: Moment;
  /** The stream that is the lease, whose notices go to `lease`; undefined for a lease of TryAcquire. */
  readonly attach: ((lease: HeldLease) => Attached) | undefined;
  /** Aborting it gives the lease back. */
  readonly signal: AbortSignal | undefined;
  readonly onRevoking: ((notice: RevokingNotice) => void) | undefined;
  /** Called when the server has confirmed the end, or can no longer be reached, and nothing is left to do. */
  readonly onOver: () => void;
}

type LeaseLoss = Loss<LossReason, LeaseEnd>;

/** The ends that the error of a stream, or of an attempt to take the lease up again, tells. */
const STREAM_ENDS: ReadonlyMap<string, LeaseEnd> = new Map([
  ["LEASE_REVOKED", "revoked"],
  ["LEASE_EXPIRED", "expired"],
  ["LEASE_DISPLACED", "displaced"],
  ["LIMITER_DELETED", "deleted"],
]);

export class HeldLease {
  readonly admittedBy = "server";
  readonly grant: Grant;
  readonly credential: Credential;
  readonly #held: Held<Credential, RenewAnswer, WorkOutcome, LeaseEnd, LossReason, LeaseEnd>;
  readonly #onRevoking: HeldLeaseOptions["onRevoking"];
  #revoking: RevokingNotice | undefined;

  constructor(ports: HeldLeasePorts, { grant, attach, onRevoking, ...options }: HeldLeaseOptions) {
    this.grant = grant;
    this.credential = { leaseId: grant.id, secret: grant.secret };
    this.#onRevoking = onRevoking;
    this.#held = new Held(this.#kindFor(ports), ports, {
      ...options,
      credential: this.credential,
      validFor: grant.validFor,
      attached: attach?.(this),
    });
  }

  /** Aborts when the lease is lost. */
  get signal(): AbortSignal {
    return this.#held.signal;
  }

  get valid(): boolean {
    return this.#held.valid;
  }

  get revoking(): RevokingNotice | undefined {
    return this.#revoking;
  }

  /** An operator asks for it back. */
  revoke(notice: RevokingNotice): void {
    if (!this.#held.valid || this.#revoking !== undefined) return;
    this.#revoking = notice;
    notify(this.#onRevoking, notice);
  }

  /** Gives it back; the first call counts. Never rejects. */
  async release(outcome: WorkOutcome): Promise<LeaseEnd> {
    const { endedByServer } = this.#held;
    if (this.#held.ending === undefined && endedByServer !== undefined) {
      this.#held.forget();
      return endedByServer;
    }
    // Without a word in time the permits come back by their ttl, unless one of the tries that go on gets through.
    return this.#held.endWithin(outcome, () => "unconfirmed").catch(() => "unconfirmed");
  }

  abandon(reason: unknown): Promise<void> {
    return this.#held.abandon(reason);
  }

  leavePage(): void {
    this.#held.leavePage();
  }

  makeWay(): void {
    this.#held.makeWay();
  }

  #kindFor({ sayReleased }: HeldLeasePorts): HeldKind<RenewAnswer, WorkOutcome, LeaseEnd, LossReason, LeaseEnd> {
    const { credential, grant } = this;
    const { leaseId } = credential;
    return {
      readRenewal: (answer) => {
        if (answer.kind !== "renewed") return lossByRenewal(answer);
        if (answer.revokingUntil !== undefined) this.revoke({ endTime: answer.revokingUntil, message: "" });
        return answer;
      },
      readStreamEnd,
      lostError: ({ reason, detail, cause }) => new LeaseLostError(leaseId, reason, detail, cause),
      resuming: (attempt, error) => ({ kind: "resuming", leaseId, attempt, error }),
      resumed: (attempt) => ({ kind: "resumed", leaseId, attempt }),
      sayEnded: (outcome, otherwise) => sayReleased({ credential, outcome, ttl: grant.ttl, otherwise }),
      goesOnAfter: undefined,
      givenBack: "ignored",
      leftPage: "unconfirmed",
    };
  }
}

function lossByRenewal(answer: Exclude<RenewAnswer, { readonly kind: "renewed" }>): LeaseLoss {
  if (answer.kind === "ended") {
    const { end } = answer;
    return { reason: lossOf(end), detail: `the server says that it has ended (${end})`, ended: end };
  }
  const reason = answer.reason === "LEASE_SECRET_MISMATCH" ? answer.reason : "LEASE_NOT_FOUND";
  return { reason, detail: `the server does not know it, or not its secret (${answer.reason})` };
}

/** What the server has said of the lease by this error. */
function readStreamEnd(error: Error | undefined): LeaseLoss | undefined {
  if (error === undefined) return { reason: "LEASE_ENDED", detail: "another client has released it" };
  if (!(error instanceof AdmissionError)) return undefined;
  const lost = { detail: error.message, cause: error };
  const ended = STREAM_ENDS.get(error.reason);
  if (ended !== undefined) return { ...lost, reason: lossOf(ended), ended };
  switch (error.reason) {
    case "LEASE_ENDED":
    case "LEASE_NOT_FOUND":
    case "LEASE_SECRET_MISMATCH":
      return { ...lost, reason: error.reason };
    default:
      // An end that only a newer server knows is one as well.
      return error.code === "ABORTED" ? { ...lost, reason: "LEASE_ENDED" } : undefined;
  }
}
