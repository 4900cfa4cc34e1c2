/** One board, for clients that add cards, work on them, and read it. */

import type { BoardEvent, BoardSnapshot, Flow } from "./board.ts";
import type { Card, CardChanges, CardState, NewCard } from "./card.ts";
import type { CallOptions, ListOptions } from "./limiters.ts";
import type { Refusal } from "./refusal.ts";
import type { PullOptions, TryPullOptions, Work } from "./work.ts";
import type { WorkHandler, WorkLoop, WorkLoopOptions } from "./work-loop.ts";

/** Which work an end is meant for. */
export interface EndOptions extends CallOptions {
  /** That of the pull. Default: that of a person's work, whose card has no ttl. */
  readonly fencingToken?: bigint | undefined;
}

/**
 * A board of the service, by name. Calls reject with an `AdmissionError` (BOARD_NOT_FOUND, CARD_NOT_FOUND, …) or a
 * `ServerUnavailableError`; `add`, the pulls and the ends of `Work` are made again where no answer came.
 */
export interface BoardClient {
  readonly name: string;

  /**
   * Adds a card to the first stage; again with the same id and content is harmless. A stage that pulls by itself may have
   * taken it already. CARD_EXISTS, STAGE_FULL, BOARD_FULL.
   */
  add(card: NewCard, options?: CallOptions): Promise<Card>;
  /** Reads a card. */
  get(cardId: string, options?: CallOptions): Promise<Card>;
  /** Reads cards, by stage from the last to the first, in it in the order in which they came; of one stage, in some states, or all. */
  list(
    options?: ListOptions & {
      readonly stage?: string | undefined;
      readonly states?: readonly CardState[] | undefined;
    },
  ): AsyncIterable<Card>;
  /** Changes a card's words and priority, if the etag (where one is given) still stands. ETAG_MISMATCH. */
  update(
    cardId: string,
    changes: CardChanges,
    options?: CallOptions & { readonly etag?: string | undefined },
  ): Promise<Card>;
  /** Deletes a card, wherever it stands; work on it ends with CARD_DELETED. ETAG_MISMATCH. */
  remove(cardId: string, options?: CallOptions & { readonly etag?: string | undefined }): Promise<void>;
  /** Keeps the card from being pulled until it is unblocked; without a fencing token work on it ends with CARD_BLOCKED, of any worker. */
  block(cardId: string, reason?: string, options?: EndOptions): Promise<Card>;
  /** The card waits in its stage again, with its attempts counted anew. CARD_STATE for one that is not blocked. */
  unblock(cardId: string, options?: CallOptions): Promise<Card>;

  /**
   * The board and its cards at a glance, at most 1,000 of them, or about 1 MB: those at work first, the completed last, of
   * which the latest come first.
   */
  snapshot(options?: CallOptions): Promise<BoardSnapshot>;
  /**
   * What stands on the board, then what changes, until the loop is left. A lost connection is made good, and the news go on
   * where they were.
   */
  watch(options?: CallOptions): AsyncIterable<BoardEvent>;
  /** How many cards each stage had, from then on, or as far back as is kept. */
  flow(from?: Date, options?: CallOptions): Promise<Flow>;

  /**
   * Waits for a card and holds it until the work is ended: `await using work = await board.pull("InProgress")`. First comes
   * a card that a worker left in the stage, then one that the next stage has sent back, then the best of the stage before. A
   * lost connection is made good while waiting, with the old place in the queue.
   *
   * Rejects with an `AdmissionError` when the service says no, a `ServerUnavailableError` when it cannot be reached, a
   * `TooManyStreamsError` when this client may hold no more, or the reason of `options.signal`.
   */
  pull(stage: string, options?: PullOptions): Promise<Work>;
  /**
   * Takes a card if there is one now, and never waits. A refusal is an answer: look at `granted`. The work has no stream:
   * without a `ttl` the card stays the worker's for ever, and may be ended from another process by `finish` and the others.
   */
  tryPull(stage: string, options?: TryPullOptions): Promise<Work | Refusal>;
  /** Pulls, works and finishes, again and again, until it is stopped. */
  work(stage: string, handler: WorkHandler, options?: WorkLoopOptions): WorkLoop;

  /**
   * Ends work that was begun elsewhere: it is done. `result`: a string as it is, anything else as JSON; default: the card
   * keeps what an earlier finish brought. STALE_FENCING_TOKEN.
   */
  finish(cardId: string, options?: EndOptions & { readonly result?: unknown }): Promise<Card>;
  /** Ends work that was begun elsewhere: it is left undone; `failed` counts an attempt. STALE_FENCING_TOKEN. */
  giveBack(
    cardId: string,
    options?: EndOptions & { readonly reason?: string | undefined; readonly failed?: boolean | undefined },
  ): Promise<Card>;
  /** Ends work that was begun elsewhere: the stage upstream shall do it again. STALE_FENCING_TOKEN. */
  sendBack(cardId: string, options?: EndOptions & { readonly reason?: string | undefined }): Promise<Card>;
}
