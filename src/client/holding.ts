/**
 * What the client keeps of a lease that it holds: whether it is still good, and how it ends. The user's handle is another
 * object, which nothing here refers to, so that a handle that was forgotten can be collected and its lease released.
 */

import type { Moment } from "./clock.ts";
import { AdmissionError, LeaseLostError, type LossReason } from "./errors.ts";
import type { LeaseEnd, RevokingNotice, WorkOutcome } from "./lease.ts";
import { type Grant, lossOf } from "./lease-wire.ts";
import { notify } from "./notify.ts";
import type { Parting } from "./releasing.ts";
import { type HeldStream, Reliance, type ReliancePorts } from "./reliance.ts";
import type { Credential, RenewAnswer } from "./renewing.ts";

export interface HoldingPorts extends ReliancePorts<Credential, RenewAnswer> {
  /** Says to the server that a lease is released; never rejects. */
  readonly sayReleased: (parting: Parting) => Promise<LeaseEnd>;
}

export interface HoldingOptions {
  readonly grant: Grant;
  /** When the request was sent that was answered with the grant, or that confirmed it. */
  readonly sentAt: Moment;
  /** Undefined for a lease of TryAcquire. */
  readonly stream: HeldStream | undefined;
  /** Aborting it gives the lease back. */
  readonly signal: AbortSignal | undefined;
  readonly onRevoking: ((notice: RevokingNotice) => void) | undefined;
  /** Called once, when the server has been told and nothing is left to do. */
  readonly onOver: () => void;
}

/** The ends that a stream's error tells. */
const STREAM_ENDS: ReadonlyMap<string, LeaseEnd> = new Map([
  ["LEASE_REVOKED", "revoked"],
  ["LEASE_EXPIRED", "expired"],
  ["LEASE_DISPLACED", "displaced"],
  ["LIMITER_DELETED", "deleted"],
]);

export class Holding {
  readonly grant: Grant;
  readonly credential: Credential;
  readonly #ports: HoldingPorts;
  readonly #options: HoldingOptions;
  readonly #reliance: Reliance<Credential, RenewAnswer>;
  /** What the server has said of how it ended, where nobody here has released it. */
  #toldEnd: LeaseEnd | undefined;
  #released: Promise<LeaseEnd> | undefined;
  #revoking: RevokingNotice | undefined;

  constructor(ports: HoldingPorts, options: HoldingOptions) {
    const { grant, sentAt, signal } = options;
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
      ranOut: () => new LeaseLostError(grant.id, "VALIDITY_EXPIRED", "no renewal was confirmed in time"),
    });
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

  /** Its stream has ended, with an error or by the server's will. */
  streamOver(error: Error | undefined): void {
    if (error === undefined) {
      this.#lose("LEASE_ENDED", "somebody else has released it");
      return;
    }
    const end = error instanceof AdmissionError ? STREAM_ENDS.get(error.reason) : undefined;
    if (end !== undefined) this.#lose(lossOf(end), error.message, { end, cause: error });
    else this.#lose("CONNECTION_LOST", `its stream has broken (${error.message})`, { cause: error });
  }

  /** Gives it back; the first call counts. */
  release(outcome: WorkOutcome): Promise<LeaseEnd> {
    if (this.#released === undefined) {
      // Looks at the clocks: what has run out is lost, not released.
      if (this.#reliance.holds) this.#reliance.stop();
      if (this.#toldEnd === undefined) {
        this.#released = this.#giveBack(outcome);
      } else {
        this.#released = Promise.resolve(this.#toldEnd);
        this.#options.onOver();
      }
    }
    return this.#released;
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
    this.#options.stream?.cut();
    this.#options.onOver();
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
      case "refused":
        this.#lose("LEASE_NOT_FOUND", `the server does not know it (${answer.reason})`);
        return;
    }
  }

  #lose(reason: LossReason, detail: string, more: { readonly end?: LeaseEnd; readonly cause?: unknown } = {}): void {
    if (this.#released !== undefined) return;
    this.#toldEnd = more.end ?? this.#toldEnd;
    this.#reliance.lose(new LeaseLostError(this.grant.id, reason, detail, more.cause));
  }

  async #giveBack(outcome: WorkOutcome): Promise<LeaseEnd> {
    const { stream, onOver } = this.#options;
    const { credential } = this;
    const { ttl } = this.grant;
    // A cancel over a connection that lives frees the permits as well, and at once.
    const end = await this.#ports.sayReleased({ credential, outcome, ttl, otherwise: () => stream?.cut() });
    // Whoever asks for the next lease finds this one's stream gone.
    await stream?.finish();
    onOver();
    return end;
  }
}
