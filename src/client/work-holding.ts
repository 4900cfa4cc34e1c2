/**
 * What the client keeps of a card that it works on: whether it may still be relied on, and how the work ends. The user's
 * handle is another object, which nothing here refers to, so that a handle that was forgotten can be collected and its card
 * given back.
 */

import { type Attachment, type AttachmentPorts, createAttachment, type Reopen } from "./attachment.ts";
import type { Calls } from "./calls.ts";
import type { Card } from "./card.ts";
import type { ClientEvent } from "./client-event.ts";
import type { Moment } from "./clock.ts";
import { AdmissionError, type WorkLossReason, WorkLostError } from "./errors.ts";
import { notify } from "./notify.ts";
import type { Reason } from "./reasons.ts";
import { type HeldStream, Reliance, type ReliancePorts } from "./reliance.ts";
import { within } from "./within.ts";
import type { WorkEnd } from "./work.ts";
import type { Ending, WorkParting } from "./work-ending.ts";
import type { CardCredential, CardRenewal, Pulled } from "./work-wire.ts";

export interface WorkHoldingPorts extends ReliancePorts<CardCredential, CardRenewal>, AttachmentPorts {
  readonly onEvent: ((event: ClientEvent) => void) | undefined;
  /** Says to the server how the work has ended; rejects where that is not so. */
  readonly sayEnded: (parting: WorkParting) => Promise<Card>;
  /** ms for a worker that ends its work to wait for the server's word; less while the server is known to be away. */
  readonly confirmWithin: () => number;
  /** The error for a server that has not said it in time. */
  readonly unavailable: Calls["unavailable"];
}

export interface WorkHoldingOptions {
  readonly pulled: Pulled;
  /** When the request was sent that was answered with the card, or that confirmed it. */
  readonly sentAt: Moment;
  /** The stream that is the lease on the card, and what opens it anew; undefined for work of TryPullCard. */
  readonly attached: { readonly stream: HeldStream; readonly reopen: Reopen<Pulled> } | undefined;
  /** Aborting it gives the card back. */
  readonly signal: AbortSignal | undefined;
  /** Called when nothing is left to do. */
  readonly onOver: () => void;
}

/** The reasons of the server that say that the work is over. */
const SERVER_LOSSES: ReadonlySet<Reason> = new Set<Extract<Reason, WorkLossReason>>([
  "LEASE_EXPIRED",
  "LEASE_DISPLACED",
  "LEASE_REVOKED",
  "LIMITER_DELETED",
  "STALE_FENCING_TOKEN",
  "CARD_DELETED",
  "CARD_BLOCKED",
  "CARD_NOT_FOUND",
  "BOARD_NOT_FOUND",
]);

interface Loss {
  readonly reason: WorkLossReason;
  readonly detail: string;
  readonly cause?: unknown;
  /** Whether the server knows: then there is nothing to tell it. */
  readonly told: boolean;
}

export class WorkHolding {
  readonly pulled: Pulled;
  readonly #ports: WorkHoldingPorts;
  readonly #options: WorkHoldingOptions;
  readonly #reliance: Reliance<CardCredential, CardRenewal>;
  /** What the worker has said of its end. */
  #ending: { readonly kind: WorkEnd; readonly card: Promise<Card> } | undefined;
  /** Undefined for work of TryPullCard. */
  readonly #attachment: Attachment | undefined;
  /** To what its stream was lost, or the last attempt to open that anew, while it is not made good. */
  #connectionError: Error | undefined;
  /** Whether the server is known to have ended the work by itself. */
  #isToldOver = false;
  /** What was heard of while the end was being told, and has to be done if nothing comes of that. */
  #meanwhile: (() => void) | undefined;

  constructor(ports: WorkHoldingPorts, options: WorkHoldingOptions) {
    const { pulled, sentAt, signal } = options;
    this.#ports = ports;
    this.#options = options;
    this.pulled = pulled;
    this.#reliance = new Reliance(ports, {
      credential: pulled.credential,
      sentAt,
      validFor: pulled.validFor,
      signal,
      onAbort: (reason) => void this.abandon(reason),
      onRenewed: (renewal, confirmedAt) => this.#renewed(renewal, confirmedAt),
      ranOut: () => this.#ranOut(),
    });
    this.#attachment = options.attached && this.#attach(options.attached);
    this.#reliance.signal.addEventListener("abort", () => this.#attachment?.stop(), { once: true });
  }

  /** Aborts when the work is lost. */
  get signal(): AbortSignal {
    return this.#reliance.signal;
  }

  get valid(): boolean {
    return this.#reliance.holds && this.#ending === undefined;
  }

  get end(): WorkEnd | undefined {
    return this.#ending?.kind;
  }

  /** Its stream, or an attempt to open that anew, has ended, with an error or by the server's will. */
  streamOver(error: Error | undefined): void {
    if (error === undefined) {
      this.#lose({ reason: "LEASE_ENDED", detail: "another client has ended it", told: true });
    } else if (error instanceof AdmissionError && isServerLoss(error.reason)) {
      this.#lose({ reason: error.reason, detail: error.message, cause: error, told: true });
    } else if (error instanceof AdmissionError && error.code === "ABORTED") {
      // An end that only a newer server knows is one as well.
      this.#lose({ reason: "LEASE_ENDED", detail: error.message, cause: error, told: true });
    } else if (this.pulled.validFor !== undefined) {
      this.#reattach(error);
    } else {
      const detail = `its stream has broken (${error.message})`;
      this.#lose({ reason: "CONNECTION_LOST", detail, cause: error, told: false });
    }
  }

  /**
   * Ends the work; the first end counts, unless the server finds that it breaks a rule. Rejects with a
   * `ServerUnavailableError` where the server has not confirmed it in time: the end is told on until the card's ttl has
   * passed, and concluding in the same way again waits on.
   */
  conclude(ending: Ending): Promise<Card> {
    if (this.#ending === undefined) {
      this.#ending = { kind: ending.kind, card: this.#say(ending) };
    } else if (this.#ending.kind !== ending.kind) {
      return Promise.reject(endedError(this.pulled, `it was ${this.#ending.kind} already`));
    }
    return this.#confirmed(this.#ending.card);
  }

  /** Gives the card back, unless the work has ended. Never rejects. */
  async leave(): Promise<void> {
    if (this.#ending !== undefined) await this.#confirmed(this.#ending.card).catch(() => {});
    if (this.#ending !== undefined) return;
    if (this.#isToldOver) this.#options.onOver();
    else await this.conclude({ kind: "given-back", reason: "", failed: false }).catch(() => {});
  }

  /** Gives the card back because its worker may not go on, for a reason of its own. */
  abandon(reason: unknown): Promise<void> {
    if (this.valid) this.#reliance.lose(reason);
    return this.leave();
  }

  /** The page goes away, and has said so to the server as well as it can. */
  leavePage(): void {
    this.#lose({ reason: "PAGE_HIDDEN", detail: "the browser has left the page", told: true });
    this.#attachment?.cut();
    this.#options.onOver();
  }

  #attach({ stream, reopen }: NonNullable<WorkHoldingOptions["attached"]>): Attachment {
    const { board, cardId: card } = this.pulled.credential;
    const { onEvent } = this.#ports;
    return createAttachment<Pulled>(this.#ports, {
      stream,
      reopen,
      onAttempt: (attempt) => {
        const error = this.#connectionError;
        if (error !== undefined) notify(onEvent, { kind: "work-resuming", board, card, attempt, error });
      },
      onResumed: ({ validFor }, sentAt, attempt) => {
        if (!this.#reliance.holds) return;
        this.#connectionError = undefined;
        if (validFor !== undefined) this.#reliance.confirm(validFor, sentAt);
        notify(onEvent, { kind: "work-resumed", board, card, attempt });
      },
      onOver: (error) => this.streamOver(error),
    });
  }

  #reattach(error: Error): void {
    if (this.#ending !== undefined) {
      this.#meanwhile = () => this.#reattach(error);
    } else if (this.#reliance.holds) {
      this.#connectionError = error;
      this.#attachment?.reattach();
    }
  }

  #ranOut(): WorkLostError {
    const cause = this.#connectionError;
    const detail = "no renewal was confirmed in time";
    if (cause === undefined) return this.#lostError({ reason: "VALIDITY_EXPIRED", detail });
    const why = `${detail}, and its connection could not be made good (${cause.message})`;
    return this.#lostError({ reason: "VALIDITY_EXPIRED", detail: why, cause });
  }

  #renewed(renewal: CardRenewal, sentAt: Moment): void {
    if (renewal.kind === "renewed") {
      if (renewal.validFor !== undefined) this.#reliance.confirm(renewal.validFor, sentAt);
      return;
    }
    const reason = isServerLoss(renewal.reason) ? renewal.reason : "STALE_FENCING_TOKEN";
    this.#lose({ reason, detail: renewal.message, told: true });
  }

  #lose(loss: Loss): void {
    if (this.#ending !== undefined) {
      this.#meanwhile = () => this.#lose(loss);
      return;
    }
    this.#isToldOver ||= loss.told;
    this.#reliance.lose(this.#lostError(loss));
  }

  #lostError(loss: Omit<Loss, "told">): WorkLostError {
    const { board, cardId } = this.pulled.credential;
    return new WorkLostError({ board, card: cardId }, loss);
  }

  #confirmed(card: Promise<Card>): Promise<Card> {
    const { clock, confirmWithin, unavailable } = this.#ports;
    const time = confirmWithin();
    return within(clock, time, card, () => {
      throw unavailable(
        `it has not confirmed the end of the work within ${time} ms; it is tried again while the card's ttl lasts`,
      );
    });
  }

  async #say(ending: Ending): Promise<Card> {
    const { credential, ttl } = this.pulled;
    try {
      // A browser that has as many connections open as it may has one for the next try then; with a ttl of zero it is the end.
      const card = await this.#ports.sayEnded({ credential, ending, ttl, otherwise: () => this.#attachment?.cut() });
      this.#reliance.stop();
      // The next pull finds this one's stream gone.
      await this.#attachment?.finish();
      this.#options.onOver();
      return card;
    } catch (error) {
      if (error instanceof AdmissionError && error.reason === "INVALID_REQUEST") this.#goOn();
      else this.#giveUp();
      throw error;
    }
  }

  /** Nothing has come of the end: the work goes on. */
  #goOn(): void {
    this.#ending = undefined;
    const meanwhile = this.#meanwhile;
    this.#meanwhile = undefined;
    meanwhile?.();
  }

  #giveUp(): void {
    this.#reliance.stop();
    this.#attachment?.cut();
    this.#options.onOver();
  }
}

/** Work that has nothing left to end. */
export function endedError({ credential, card }: Pulled, detail: string): AdmissionError {
  return new AdmissionError(`work on card ${card.id} of board ${credential.board} has ended: ${detail}`, {
    reason: "STALE_FENCING_TOKEN",
    code: "ABORTED",
    board: credential.board,
    card: card.id,
  });
}

function isServerLoss(reason: Reason): reason is Extract<Reason, WorkLossReason> {
  return SERVER_LOSSES.has(reason);
}
