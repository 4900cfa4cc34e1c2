/** Taking a card for a person, who keeps it until the work is ended. */

import {
  BoardService,
  type PulledCard,
  TryPullCardResponseSchema,
} from "../../client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { cardFromWire } from "../../client/wire/card.ts";
import { refusalFromWire } from "../../client/wire/lease.ts";
import { cardName } from "../output/card-words.ts";
import type { BoardContext } from "../session/board-context.ts";
import { openCalls } from "../session/connection.ts";
import { userAtHost } from "../session/environment.ts";
import { EXIT } from "../session/exit-codes.ts";
import { retryWords } from "../session/failure.ts";
import { jsonLine } from "../text/json-line.ts";

export interface HandPull {
  readonly stage: string;
  /** Undefined: the user. */
  readonly worker: string | undefined;
  /** Undefined: the best. */
  readonly cardId: string | undefined;
}

export async function pullByHand(context: BoardContext, { stage, worker, cardId }: HandPull): Promise<number> {
  const { terminal, address, json, board } = context;
  using calls = await openCalls(BoardService, address);
  const request = { board, stage, worker: worker ?? userAtHost(), cardId };
  const response = await calls.unary((rpc, options) => rpc.tryPullCard(request, options));
  const { result } = response;
  if (json) terminal.print(jsonLine(TryPullCardResponseSchema, response));
  else if (result.case === "pulled") for (const line of pulledLines(context, stage, result.value)) terminal.print(line);
  else if (result.case === "none") {
    const { message, reason, retryAfterMs } = refusalFromWire(result.value);
    terminal.print(`refused: ${message} (${reason})${retryWords(retryAfterMs)}`);
  }
  return result.case === "pulled" ? EXIT.ok : EXIT.refused;
}

/** What it is, and how to end the work on it. */
function pulledLines({ board }: BoardContext, stage: string, pulled: PulledCard): string[] {
  const card = cardFromWire(pulled.card);
  if (card.state !== "active") return [`moved ${cardName(card)}: it is in ${card.stage}`];
  const details = [card.description, card.data, card.reason].filter((text) => text !== "");
  const onBoard = `backpressure board --board ${board}`;
  return [
    `pulled into ${stage}: ${cardName(card)}`,
    ...details.map((text) => `  ${text}`),
    `finish it:    ${onBoard} finish ${quoted(card.id)} --result TEXT`,
    `give it back: ${onBoard} give-back ${quoted(card.id)} --reason TEXT`,
  ];
}

/** As a shell takes it: to one, a word that begins with # is a comment. */
function quoted(id: string): string {
  return id.startsWith("#") ? `'${id}'` : id;
}
