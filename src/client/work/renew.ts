/** Renewing work: many cards of a board in one call, an answer each back. */

import { AdmissionError } from "../api/errors.ts";
import type { ClientEvent } from "../api/events.ts";
import { createRenewer, type Renewer } from "../hold/renewer.ts";
import type { BoardCalls, UnaryOptions } from "../rpc/calls.ts";
import type { Clock } from "../rpc/clock.ts";
import { notify } from "../rpc/notify.ts";
import type { Random } from "../rpc/random.ts";
import { type CardCredential, type CardRenewal, renewalFromWire } from "../wire/work.ts";

export type CardRenewer = Renewer<CardCredential, CardRenewal>;

export interface CardRenewers {
  /** Renews work on the cards of one board: a call is for one board. */
  of(board: string): CardRenewer;
}

interface CardRenewersOptions {
  readonly calls: BoardCalls;
  readonly clock: Clock;
  readonly random: Random;
  readonly onEvent: ((event: ClientEvent) => void) | undefined;
}

export function createCardRenewers({ calls, clock, random, onEvent }: CardRenewersOptions): CardRenewers {
  const renewers = new Map<string, CardRenewer>();
  const onFailed = ({ board, cardId: card }: CardCredential, remainingMs: number, error: Error) =>
    notify(onEvent, { kind: "work-renewal-failed", board, card, remainingMs, error });
  return {
    of(board) {
      let renewer = renewers.get(board);
      if (renewer === undefined) {
        const renew = (cards: readonly CardCredential[], options: UnaryOptions) =>
          renewCards(calls, board, cards, options);
        renewer = createRenewer({ clock, random, renew, onFailed });
        renewers.set(board, renewer);
      }
      return renewer;
    },
  };
}

/** Renews work on up to 1,000 cards of one board; the answers stand in their order. */
export async function renewCards(
  calls: BoardCalls,
  board: string,
  credentials: readonly CardCredential[],
  options: UnaryOptions = {},
): Promise<readonly CardRenewal[]> {
  const cards = credentials.map(({ cardId, fencingToken }) => ({ cardId, fencingToken }));
  try {
    const { results } = await calls.unary(
      (rpcOptions) => calls.board.renewCards({ board, cards }, rpcOptions),
      options,
    );
    return cards.map((_, index) => renewalFromWire(results[index]));
  } catch (error) {
    // With its board all work is gone; any other error says nothing about it.
    if (!(error instanceof AdmissionError) || error.reason !== "BOARD_NOT_FOUND") throw error;
    return cards.map(() => ({ kind: "refused", reason: error.reason, message: error.message }));
  }
}
