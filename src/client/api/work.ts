/** Work on a card: how it is asked for, and how it is ended. Free of any transport. */

import type { Card } from "./card.ts";
import type { DrainingNotice } from "./lease.ts";
import type { Reason } from "./reasons.ts";

/** A puller's place in the queue. */
export interface PullNotice {
  /** How many will be served before; 0 is next. */
  readonly pullersAhead: number;
  /** What is missing: NO_CARD, STAGE_FULL, or CONCURRENCY_EXHAUSTED and RATE_EXHAUSTED of the stage's limiter. */
  readonly missing: Reason;
}

interface AnyPullOptions {
  /** Names the worker, for operators. At most 256 bytes. Default: the client's `holder`. */
  readonly worker?: string | undefined;
  /**
   * 16 to 128 printable characters, as good as a secret. The client makes one for each call, so that its own retries
   * are harmless; give one to make yours harmless too.
   */
  readonly requestId?: string | undefined;
  /** Aborting it gives the card back, before and after the pull; `work.signal` then aborts with the same reason. */
  readonly signal?: AbortSignal | undefined;
  /** Headers of this request, beside the client's and before them: as a `traceparent`. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** How to take a card, now or not at all. */
export interface TryPullOptions extends AnyPullOptions {
  /**
   * ms that the card is held after the last sign of its worker, 100 to 24 hours; the client gives signs until the work
   * ends. Default: for ever, as a person's card is, whatever becomes of this process.
   */
  readonly ttl?: number | undefined;
  /** Only this card, if it can be pulled into the stage. Default: the best. */
  readonly cardId?: string | undefined;
}

/** How to wait for a card. */
export interface PullOptions extends AnyPullOptions {
  /** ms that the card outlives the last sign of its worker: 0 (it ends with its stream), or 100 to 24 hours. Default: the board's. */
  readonly ttl?: number | undefined;
  /** ms to wait at most, to 24 hours. Default: as long as it takes. 0: now or not at all, a refusal as an error. */
  readonly maxWait?: number | undefined;
  /** Called with the place in the queue whenever the worker has to wait, and when that changes. */
  readonly onWaiting?: ((notice: PullNotice) => void) | undefined;
  /** Called when the server is about to stop: end the work before `endTime`. */
  readonly onDraining?: ((notice: DrainingNotice) => void) | undefined;
}

/** How a worker has ended its work. */
export type WorkEnd = "finished" | "given-back" | "sent-back" | "blocked";

/**
 * A card in a worker's hands. Hold it with `await using`: left without an end it is given back.
 *
 * The four ends ask the server, which goes by the fencing token: they reject with an `AdmissionError`
 * (STALE_FENCING_TOKEN) where the work had ended otherwise, and change nothing then; with a `ServerUnavailableError` where
 * the server has not confirmed it before the card's ttl was over. The same end twice is harmless; another one after it rejects.
 * A request that breaks a rule (INVALID_REQUEST: a result that is too long) leaves the work as it is.
 *
 * A pull into a queue only moves its card: nothing is held, and there is nothing to end.
 */
export interface Work extends AsyncDisposable {
  /** True; a refusal says false. */
  readonly granted: true;
  /** The board's name. */
  readonly board: string;
  /** As it was pulled. */
  readonly card: Card;
  /** That of the pull, for whatever the work changes (see `CardLease`); 0 where nothing is held. */
  readonly fencingToken: bigint;
  /** Whether there was anything to hold: false for a pull into a queue. */
  readonly held: boolean;
  /**
   * Aborts when the work is lost, with a `WorkLostError` that says why: stop then. An end does not abort it. Reading it
   * checks the clocks, so that a process that was frozen sees an aborted signal before any timer has fired.
   */
  readonly signal: AbortSignal;
  /** Whether the worker may rely on the card now: neither ended nor lost. Checks the clocks, as `signal` does. */
  readonly valid: boolean;
  /** How the worker has ended it; undefined while it has not. */
  readonly end: WorkEnd | undefined;
  /**
   * The work of this stage is done: the next stage may pull the card.
   *
   * @param result what it brought, for operators and for the next worker: a string as it is, anything else as JSON. At most
   *   64 KiB. Without one, or with an empty one, the card keeps what an earlier finish brought.
   */
  finish(result?: unknown): Promise<Card>;
  /**
   * Leaves the card undone in its stage, for another worker.
   *
   * @param reason why, at most 1,024 bytes.
   * @param options `failed`: it counts as an attempt, and after the board's `maxAttempts` the card is blocked.
   */
  giveBack(reason?: string, options?: { readonly failed?: boolean | undefined }): Promise<Card>;
  /** The card needs rework: the stage upstream shall pull it back. `reason`: what is to be done again, at most 1,024 bytes. */
  sendBack(reason: string): Promise<Card>;
  /** Keeps the card from being pulled until it is unblocked. `reason`: why, at most 1,024 bytes. */
  block(reason: string): Promise<Card>;
  /** Gives the card back, unless the work has ended. Never rejects. */
  [Symbol.asyncDispose](): Promise<void>;
}
