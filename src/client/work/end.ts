/** Telling the server how work on a card has ended. */

import type { CallOptions as RpcOptions } from "@connectrpc/connect";
import type { Card } from "../api/card.ts";
import { AdmissionError } from "../api/errors.ts";
import { BoardService } from "../gen/ggen/backpressure/v1/board_service_pb.ts";
import type { BoardCalls } from "../rpc/calls.ts";
import type { LastWord } from "../rpc/page.ts";
import { type SayPorts, sayAgain } from "../rpc/say-again.ts";
import { cardFromWire } from "../wire/card.ts";
import type { CardCredential } from "../wire/work.ts";

/** How work has ended, and what is said of that. */
export type Ending =
  | { readonly kind: "finished"; readonly result: string }
  | { readonly kind: "given-back"; readonly reason: string; readonly failed: boolean }
  | { readonly kind: "sent-back"; readonly reason: string }
  | { readonly kind: "blocked"; readonly reason: string };

/** Makes the call for an end; a fencing token of 0 stands for any worker of the card, as far as the contract lets it. */
export async function sendEnding(
  { board: rpc }: Pick<BoardCalls, "board">,
  { credential, ending }: { readonly credential: CardCredential; readonly ending: Ending },
  options: RpcOptions,
): Promise<Card> {
  switch (ending.kind) {
    case "finished":
      return cardFromWire((await rpc.finishCard({ ...credential, result: ending.result }, options)).card);
    case "given-back": {
      const { reason, failed } = ending;
      return cardFromWire((await rpc.giveBackCard({ ...credential, reason, failed }, options)).card);
    }
    case "sent-back":
      return cardFromWire((await rpc.sendBackCard({ ...credential, reason: ending.reason }, options)).card);
    case "blocked":
      return cardFromWire((await rpc.blockCard({ ...credential, reason: ending.reason }, options)).card);
  }
}

/** What gives a card back when the page of its worker goes away. */
export function lastGiveBack(credential: CardCredential): LastWord<typeof BoardService.method.giveBackCard> {
  return { method: BoardService.method.giveBackCard, request: credential };
}

export interface EndingPorts extends SayPorts {
  readonly calls: BoardCalls;
}

export interface WorkEndRequest {
  readonly credential: CardCredential;
  readonly ending: Ending;
  /** ms; undefined: for ever. */
  readonly ttl: number | undefined;
  /** Gives the card back in another way; called when the first try of a give-back has failed. */
  readonly otherwise: () => void;
}

/** ms; a card of a shorter ttl is given as long to be ended. */
const SHORTEST_TRY = 1000;
/** ms; for the card of a person, which has no ttl. */
const PERSONS_TRY = 10_000;

/** Tells it until the card's ttl has passed, after which another worker may have it anyway. */
export function sayEnded(
  { calls, ...ports }: EndingPorts,
  { credential, ending, ttl, otherwise }: WorkEndRequest,
): Promise<Card> {
  const patience = ttl === undefined ? PERSONS_TRY : Math.max(SHORTEST_TRY, ttl);
  const options = { within: Math.min(calls.answerWithin, patience) };
  const isGivenBack = ending.kind === "given-back";
  return sayAgain(ports, { patience, onAgain: isGivenBack ? otherwise : undefined }, async (attempt) => {
    try {
      return await calls.unary((rpcOptions) => sendEnding(calls, { credential, ending }, rpcOptions), options);
    } catch (error) {
      // The try before has got through, or another client was faster: either way this worker does not have the card.
      if (isGivenBack && attempt > 1 && isStale(error)) return await readCard(calls, credential);
      throw error;
    }
  });
}

function isStale(error: unknown): boolean {
  return error instanceof AdmissionError && error.reason === "STALE_FENCING_TOKEN";
}

async function readCard(calls: BoardCalls, { board, cardId }: CardCredential): Promise<Card> {
  return cardFromWire((await calls.unary((rpcOptions) => calls.board.getCard({ board, cardId }, rpcOptions))).card);
}
