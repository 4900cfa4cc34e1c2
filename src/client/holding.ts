/**
 * What the client keeps of a lease that it holds: whether it is still good, and how it ends. The user's handle is another
 * object, which nothing here refers to, so that a handle that was forgotten can be collected and its lease released.
 */

import { type Attachment, type AttachmentPorts, createAttachment, type ReopenListener } from "./attachment.ts";
import type { ClientEvent } from "./client-event.ts";
import type { Moment } from "./clock.ts";
import { AdmissionError, LeaseLostError, type LossReason } from "./errors.ts";
import type { LeaseEnd, RevokingNotice, WorkOutcome } from "./lease.ts";
import { type Grant, lossOf } from "./lease-wire.ts";
import { notify } from "./notify.ts";
import type { Parting } from "./releasing.ts";
import { type HeldStream, Reliance, type ReliancePorts } from "./reliance.ts";
import type { Credential, RenewAnswer } from "./renewing.ts";
import { within } from "./within.ts";

export interface HoldingPorts extends ReliancePorts<Credential, RenewAnswer>, AttachmentPorts {
  /** Says to the server that a lease is released; never rejects. */
  readonly sayReleased: (parting: Parting) => Promise<LeaseEnd>;
  /** ms for a holder that releases to wait for the server's word; less while the server is known to be away. */
  readonly confirmWithin: () => number;
  readonly onEvent: ((event: ClientEvent) => void) | undefined;
}

/** Asks the server to take up again what `holding` holds; notices are told to that. */
export type ReopenLease = (holding: Holding, listener: ReopenListener<Grant>) => HeldStream;

export interface HoldingOptions {
  readonly grant: Grant;
  /** When the request was sent that was answered with the grant, or that confirmed it. */
  readonly sentAt: Moment;
  /** The stream that is the lease, and what opens it anew; undefined for a lease of TryAcquire. */
  readonly attached: { readonly stream: HeldStream; readonly reopen: ReopenLease } | undefined;
  /** Aborting it gives the lease back. */
  readonly signal: AbortSignal | undefined;
  readonly onRevoking: ((notice: RevokingNotice) => void) | undefined;
  /** Called once, when the server has been told and nothing is left to do. */
  readonly onOver: () => void;
}

/** The ends that the error of a stream, or of an attempt to take the lease up again, tells. */
const STREAM_ENDS: ReadonlyMap<string, LeaseEnd> = new Map([
  ["LEASE_REVOKED", "revoked"],
  ["LEASE_EXPIRED", "expired"],
  ["LEASE_DISPLACED", "displaced"],
  ["LIMITER_DELETED", "deleted"],
]);

export class Holding {
  readonly admittedBy = "server";
  readonly grant: Grant;
  readonly credential: Credential;
  readonly #ports: HoldingPorts;
  readonly #options: HoldingOptions;
  readonly #reliance: Reliance<Credential, RenewAnswer>;
  /** Undefined for a lease of TryAcquire. */
  readonly #attachment: Attachment | undefined;
  /** What the server has said of how it ended, where this client has not released it. */
  #toldEnd: LeaseEnd | undefined;
  #released: Promise<LeaseEnd> | undefined;
  #revoking: RevokingNotice | undefined;
  /** To what its stream was lost, or the last attempt to open that anew, while it is not made good. */
  #connectionError: Error | undefined;

  constructor(ports: HoldingPorts, options: HoldingOptions) {
    const { grant, sentAt, attached, signal } = options;
    this.#ports = ports;
    this.#options = options;
    this.grant = grant;
    this.credential = { leaseId: grant.id, secret: grant.secret };
    this.#reliance = new Reliance(ports, {
      credential: this.credential,
      sentAt,
      validFor: grant.validFor,
      signal,
      onAbort: (reason) => void this.abandon(reason),
      onRenewed: (answer, confirmedAt) => this.#renewed(answer, confirmedAt),
      ranOut: () => this.#ranOut(),
    });
    this.#attachment = attached && this.#attach(attached);
    this.#reliance.signal.addEventListener("abort", () => this.#attachment?.stop(), { once: true });
  }

  /** Aborts when the lease is lost. */
  get signal(): AbortSignal {
    return this.#reliance.signal;
  }

  get valid(): boolean {
    return this.#reliance.holds;
  }

  get revoking(): RevokingNotice | undefined {
    return this.#revoking;
  }

  /** An operator asks for it back. */
  revoke(notice: RevokingNotice): void {
    if (!this.#reliance.holds || this.#revoking !== undefined) return;
    this.#revoking = notice;
    notify(this.#options.onRevoking, notice);
  }

  /**
   * Goes on without a stream, on renewals alone, so that a renewal finds its connection free. A lease that is bound to its stream
   * keeps it.
   */
  makeWay(): void {
    if (this.grant.validFor !== undefined && this.#reliance.holds) this.#attachment?.cut();
  }

  /** Its stream, or an attempt to open that anew, has ended, with an error or by the server's will. */
  streamOver(error: Error | undefined): void {
    if (error === undefined) {
      this.#lose("LEASE_ENDED", "another client has released it");
      return;
    }
    const verdict = verdictOf(error);
    if (verdict !== undefined) {
      this.#lose(verdict.reason, error.message, { end: verdict.end, cause: error });
    } else if (this.grant.validFor === undefined) {
      this.#lose("CONNECTION_LOST", `its stream has broken (${error.message})`, { cause: error });
    } else if (this.#released === undefined && this.#reliance.holds) {
      this.#connectionError = error;
      this.#attachment?.reattach();
    }
  }

  /** Gives it back; the first call counts. */
  release(outcome: WorkOutcome): Promise<LeaseEnd> {
    if (this.#released === undefined) {
      // Looks at the clocks: what has run out is lost, not released.
      if (this.#reliance.holds) this.#reliance.stop();
      this.#attachment?.stop();
      if (this.#toldEnd === undefined) {
        this.#released = this.#giveBack(outcome);
      } else {
        this.#released = Promise.resolve(this.#toldEnd);
        this.#options.onOver();
      }
    }
    // Without a word in time the permits come back by their ttl, unless one of the tries that go on gets through.
    return within(this.#ports.clock, this.#ports.confirmWithin(), this.#released, () => "unconfirmed");
  }

  /** Gives it back because its holder may not go on, for a reason of its own. */
  abandon(reason: unknown): Promise<LeaseEnd> {
    if (this.#reliance.holds) this.#reliance.lose(reason);
    return this.release("ignored");
  }

  /** The page goes away, and has said so to the server as well as it can. */
  leavePage(): void {
    this.#lose("PAGE_HIDDEN", "the browser has left the page");
    if (this.#released !== undefined) return;
    this.#released = Promise.resolve("unconfirmed");
    this.#attachment?.cut();
    this.#options.onOver();
  }

  #attach({ stream, reopen }: NonNullable<HoldingOptions["attached"]>): Attachment {
    const leaseId = this.grant.id;
    const { onEvent } = this.#ports;
    return createAttachment<Grant>(this.#ports, {
      stream,
      reopen: (listener) => reopen(this, listener),
      onAttempt: (attempt) => {
        const error = this.#connectionError;
        if (error !== undefined) notify(onEvent, { kind: "resuming", leaseId, attempt, error });
      },
      onResumed: ({ validFor }, sentAt, attempt) => {
        if (!this.#reliance.holds) return;
        this.#connectionError = undefined;
        if (validFor !== undefined) this.#reliance.confirm(validFor, sentAt);
        notify(onEvent, { kind: "resumed", leaseId, attempt });
      },
      onOver: (error) => this.streamOver(error),
    });
  }

  #ranOut(): LeaseLostError {
    const cause = this.#connectionError;
    const detail = "no renewal was confirmed in time";
    const why =
      cause === undefined ? detail : `${detail}, and its connection could not be made good (${cause.message})`;
    return new LeaseLostError(this.grant.id, "VALIDITY_EXPIRED", why, cause);
  }

  #renewed(answer: RenewAnswer, sentAt: Moment): void {
    switch (answer.kind) {
      case "renewed":
        if (!this.#reliance.holds) return;
        if (answer.validFor !== undefined) this.#reliance.confirm(answer.validFor, sentAt);
        if (answer.revokingUntil !== undefined) this.revoke({ endTime: answer.revokingUntil, message: "" });
        return;
      case "ended":
        this.#lose(lossOf(answer.end), `the server says that it has ended (${answer.end})`, { end: answer.end });
        return;
      case "refused": {
        const reason = answer.reason === "LEASE_SECRET_MISMATCH" ? answer.reason : "LEASE_NOT_FOUND";
        this.#lose(reason, `the server does not know it, or not its secret (${answer.reason})`);
        return;
      }
    }
  }

  #lose(
    reason: LossReason,
    detail: string,
    more: { readonly end?: LeaseEnd | undefined; readonly cause?: unknown } = {},
  ): void {
    if (this.#released !== undefined) return;
    this.#toldEnd = more.end ?? this.#toldEnd;
    this.#reliance.lose(new LeaseLostError(this.grant.id, reason, detail, more.cause));
  }

  async #giveBack(outcome: WorkOutcome): Promise<LeaseEnd> {
    const { credential } = this;
    const { ttl } = this.grant;
    // A browser that has as many connections open as it may has one for the next try then; with a ttl of zero it is the end.
    const end = await this.#ports.sayReleased({ credential, outcome, ttl, otherwise: () => this.#attachment?.cut() });
    // The next request for a lease finds this one's stream gone.
    if (end === "unconfirmed") this.#attachment?.cut();
    else await this.#attachment?.finish();
    this.#options.onOver();
    return end;
  }
}

/** What the server has said of the lease by this error; undefined: nothing, so that it may live. */
function verdictOf(error: Error): { readonly reason: LossReason; readonly end: LeaseEnd | undefined } | undefined {
  if (!(error instanceof AdmissionError)) return undefined;
  const end = STREAM_ENDS.get(error.reason);
  if (end !== undefined) return { reason: lossOf(end), end };
  switch (error.reason) {
    case "LEASE_ENDED":
    case "LEASE_NOT_FOUND":
    case "LEASE_SECRET_MISMATCH":
      return { reason: error.reason, end: undefined };
    default:
      // An end that only a newer server knows is one as well.
      return error.code === "ABORTED" ? { reason: "LEASE_ENDED", end: undefined } : undefined;
  }
}
