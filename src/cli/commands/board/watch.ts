/** `backpressure board watch`: the board as it changes. */

import type { Board } from "../../../client/api/board.ts";
import type { Card } from "../../../client/api/card.ts";
import {
  BoardService,
  type WatchBoardResponse,
  WatchBoardResponseSchema,
} from "../../../client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { type Clock, createSystemClock } from "../../../client/rpc/clock.ts";
import { boardFromWire } from "../../../client/wire/board.ts";
import { cardFromWire } from "../../../client/wire/card.ts";
import { drawBoard } from "../../output/board-drawing.ts";
import type { BoardContext, DefineBoardCommand } from "../../session/board-context.ts";
import { openCalls } from "../../session/connection.ts";
import { EXIT } from "../../session/exit-codes.ts";
import { ENDING_SIGNALS, hearSignals } from "../../session/signals.ts";
import type { Terminal } from "../../session/terminal.ts";
import { jsonLine } from "../../text/json-line.ts";
import { cardsOption } from "./show.ts";

interface WatchFlags {
  readonly cards: number;
}

const HELP = `
On a terminal this is the board, drawn again at each change; elsewhere, one JSON object a line: first a snapshot, then
what changes. Ctrl-C ends it.

Examples:
  backpressure board watch
  backpressure --json board watch --board release | jq -c '.changes.cards[]?.id'`;

export const defineWatch: DefineBoardCommand = (command, handle) => {
  command.addOption(cardsOption()).addHelpText("after", HELP).action(handle(watch));
};

async function watch({ terminal, address, json, board }: BoardContext, { cards }: WatchFlags): Promise<number> {
  const ended = new AbortController();
  const end = () => ended.abort();
  terminal.closed.addEventListener("abort", end);
  using _signals = hearSignals(ENDING_SIGNALS, end);
  using calls = await openCalls(BoardService, address);
  const { signal } = ended;
  const showsJson = json || terminal.size() === undefined;
  const show = showsJson ? createJson(terminal) : createScreen(terminal, cards, createSystemClock());
  try {
    for await (const news of calls.stream((rpc) => rpc.watchBoard({ name: board }, { signal }), signal)) show(news);
  } finally {
    terminal.restore();
  }
  return EXIT.ok;
}

type Show = (news: WatchBoardResponse) => void;

function createJson(terminal: Terminal): Show {
  return (news) => terminal.print(jsonLine(WatchBoardResponseSchema, news));
}

function createScreen(terminal: Terminal, most: number, clock: Clock): Show {
  const cards = new Map<string, Read>();
  return (news) => {
    const now = clock.now().monotonic;
    const board = take(cards, news, now);
    if (board === undefined) return;
    const aged = Array.from(cards.values(), (read) => agedTo(now, read));
    terminal.redraw(drawBoard({ board, cards: aged }, { width: terminal.size()?.columns, most }));
  };
}

/** A card, and when it was read: its ages are as of then. */
interface Read {
  readonly card: Card;
  readonly readAt: number;
}

/** The board as the news have it; undefined for news that only a newer server has. */
function take(cards: Map<string, Read>, { event }: WatchBoardResponse, readAt: number): Board | undefined {
  if (event.case === undefined) return undefined;
  if (event.case === "snapshot") cards.clear();
  for (const wire of event.value.cards) cards.set(wire.id, { card: cardFromWire(wire), readAt });
  if (event.case === "changes") for (const id of event.value.removedCardIds) cards.delete(id);
  return boardFromWire(event.value.board);
}

function agedTo(now: number, { card, readAt }: Read): Card {
  const elapsed = now - readAt;
  return { ...card, ageMs: card.ageMs + elapsed, stageAgeMs: card.stageAgeMs + elapsed };
}
