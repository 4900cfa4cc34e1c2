/** What differs between leases and cards that are held. */

import type { ClientEvent } from "../api/events.ts";

/** The reasons for a loss that the client finds by itself, whatever is held. */
export type OwnLossReason = "VALIDITY_EXPIRED" | "CONNECTION_LOST" | "PAGE_HIDDEN";

/** Why it is lost; `D` is what the server may have said of how it ended. */
export interface Loss<R extends string, D> {
  readonly reason: R | OwnLossReason;
  readonly detail: string;
  readonly cause?: unknown;
  /** Undefined: the server may hold it still, and is asked to end it. */
  readonly ended?: D | undefined;
}

/** Good for `validFor` ms from when that was asked; undefined: for as long as its stream. */
export interface Good {
  readonly validFor: number | undefined;
}

/**
 * What differs between leases and cards. `E` is how a holder ends it, `O` what the server answers to that; `R` are the server's
 * reasons for a loss, `D` what it has said of an end, `A` what it answers to a renewal.
 */
export interface HeldKind<A, E, O, R extends string, D> {
  /** Reads the answer to a renewal. */
  readRenewal(answer: A): Good | Loss<R, D>;
  /** Reads what its stream has ended with; undefined: a lost connection, so that it may live. */
  readStreamEnd(error: Error | undefined): Loss<R, D> | undefined;
  /** Makes the error with which its signal aborts. */
  lostError(loss: Loss<R, D>): Error;
  /** Makes the event of a lost stream, for `onEvent`. */
  resuming(attempt: number, error: Error): ClientEvent;
  resumed(attempt: number): ClientEvent;
  /** Tells the server that it is ended, until that is confirmed; `otherwise` gives it back in another way meanwhile. */
  sayEnded(ending: E, otherwise: () => void): Promise<O>;
  /** Whether it goes on as it was after an end that was answered with this; undefined: it never does. */
  readonly goesOnAfter: ((error: unknown) => boolean) | undefined;
  /** How it ends when its holder leaves it without an end. */
  readonly givenBack: E;
  /** What a page that has gone away has said of its end. */
  readonly leftPage: D;
}
