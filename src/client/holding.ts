/**
 * What the client keeps of a lease that it holds: whether it is still good, and how it ends. The user's handle is another
 * object, which nothing here refers to, so that a handle that was forgotten can be collected and its lease released.
 */

import type { Clock, Moment } from "./clock.ts";
import { AdmissionError, LeaseLostError, type LossReason } from "./errors.ts";
import type { LeaseEnd, RevokingNotice, WorkOutcome } from "./lease.ts";
import { type Grant, lossOf } from "./lease-wire.ts";
import { notify } from "./notify.ts";
import type { Parting } from "./releasing.ts";
import type { Renewable, Renewer } from "./renewer.ts";
import type { Credential, RenewAnswer } from "./renewing.ts";
import { createValidity, type Validity } from "./validity.ts";

/** The stream that is the lease. */
export interface HeldStream {
  /** The lease was released: waits for the server to end the stream, and cancels it if that takes too long. */
  finish(): Promise<void>;
  /** Cancels it now. */
  cut(): void;
}

export interface HoldingPorts {
  readonly clock: Clock;
  readonly renewer: Renewer;
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

type Phase =
  | { readonly kind: "held" }
  /** Not released yet; `end` where the server has said how it ended. */
  | { readonly kind: "lost"; readonly end: LeaseEnd | undefined }
  | { readonly kind: "released"; readonly end: Promise<LeaseEnd> };

/** The ends that a stream's error tells. */
const STREAM_ENDS: ReadonlyMap<string, LeaseEnd> = new Map([
  ["LEASE_REVOKED", "revoked"],
  ["LEASE_EXPIRED", "expired"],
  ["LEASE_DISPLACED", "displaced"],
  ["LIMITER_DELETED", "deleted"],
]);

const HELD: Phase = { kind: "held" };

export class Holding implements Renewable {
  readonly grant: Grant;
  readonly credential: Credential;
  readonly #ports: HoldingPorts;
  readonly #options: HoldingOptions;
  readonly #controller = new AbortController();
  readonly #validity: Validity | undefined;
  #phase: Phase = HELD;
  #revoking: RevokingNotice | undefined;

  constructor(ports: HoldingPorts, options: HoldingOptions) {
    const { grant, sentAt, signal } = options;
    this.#ports = ports;
    this.#options = options;
    this.grant = grant;
    this.credential = { leaseId: grant.id, secret: grant.secret };
    signal?.addEventListener("abort", this.#onAbort);
    if (grant.validFor === undefined) return;
    this.#validity = createValidity(ports.clock, { sentAt, validFor: grant.validFor }, () => this.#runOut());
    if (this.#phase === HELD) ports.renewer.add(this);
  }

  /** Aborts when the lease is lost. */
  get signal(): AbortSignal {
    this.#look();
    return this.#controller.signal;
  }

  get valid(): boolean {
    this.#look();
    return this.#phase.kind === "held";
  }

  get revoking(): RevokingNotice | undefined {
    return this.#revoking;
  }

  remaining(): number {
    return this.#validity?.remaining() ?? Number.POSITIVE_INFINITY;
  }

  /** An operator asks for it back. */
  revoke(notice: RevokingNotice): void {
    if (this.#phase.kind !== "held" || this.#revoking !== undefined) return;
    this.#revoking = notice;
    notify(this.#options.onRevoking, notice);
  }

  renewed(answer: RenewAnswer, sentAt: Moment): void {
    this.#look();
    switch (answer.kind) {
      case "renewed":
        if (this.#phase.kind !== "held") return;
        if (answer.validFor !== undefined) this.#validity?.confirm({ sentAt, validFor: answer.validFor });
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
    this.#look();
    if (this.#phase.kind === "released") return this.#phase.end;
    const known = this.#phase.kind === "lost" ? this.#phase.end : undefined;
    const end = known === undefined ? this.#giveBack(outcome) : Promise.resolve(known);
    this.#phase = { kind: "released", end };
    this.#letGo();
    if (known !== undefined) this.#options.onOver();
    return end;
  }

  /** Gives it back because its holder may not go on, for a reason of its own. */
  abandon(reason: unknown): Promise<LeaseEnd> {
    if (this.#phase.kind === "held") this.#abort(reason, undefined);
    return this.release("ignored");
  }

  /** The page goes away, and has said so to the server as well as it can. */
  leavePage(): void {
    this.#lose("PAGE_HIDDEN", "the browser has left the page");
    if (this.#phase.kind === "released") return;
    this.#phase = { kind: "released", end: Promise.resolve("unconfirmed") };
    this.#options.stream?.cut();
    this.#options.onOver();
  }

  readonly #onAbort = () => {
    void this.abandon(this.#options.signal?.reason);
  };

  /** Believes the clocks, whatever timers have fired. */
  #look(): void {
    if (this.#phase.kind === "held" && this.remaining() <= 0) this.#runOut();
  }

  #runOut(): void {
    this.#lose("VALIDITY_EXPIRED", "no renewal was confirmed in time");
  }

  #lose(reason: LossReason, detail: string, more: { readonly end?: LeaseEnd; readonly cause?: unknown } = {}): void {
    if (this.#phase.kind === "held") {
      this.#abort(new LeaseLostError(this.grant.id, reason, detail, more.cause), more.end);
    } else if (this.#phase.kind === "lost" && more.end !== undefined) {
      this.#phase = { kind: "lost", end: more.end };
    }
  }

  #abort(reason: unknown, end: LeaseEnd | undefined): void {
    this.#phase = { kind: "lost", end };
    this.#letGo();
    this.#controller.abort(reason);
  }

  #letGo(): void {
    this.#validity?.stop();
    this.#ports.renewer.remove(this);
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
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
