/** `backpressure board show`: the board, drawn. */

import { Option } from "commander";
import { BoardService, GetBoardResponseSchema } from "../../../client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { cardCountValue } from "../../options/values.ts";
import { drawBoard } from "../../output/board-drawing.ts";
import { readBoardView } from "../../reading/board-view.ts";
import type { BoardContext, DefineBoardCommand } from "../../session/board-context.ts";
import { openCalls } from "../../session/connection.ts";
import { EXIT } from "../../session/exit-codes.ts";
import { jsonLine } from "../../text/json-line.ts";

interface ShowFlags {
  readonly cards: number;
}

/** Cards of a stage that are drawn unless a number is given. */
export const MOST_CARDS = 20;

const HELP = `
Each card shows its id, title, age, worker and state: · waits, ▸ is worked on, ✓ is finished and
waits to be pulled, ↩ is sent back for rework, ✗ is blocked; ×2: begun for the second time. Rates are means over the last
hour: λ is what came in, μ what went on, W how long it took; L = λW where work comes and goes evenly.

Examples:
  backpressure board show
  backpressure board show --board release --cards 5
  backpressure --json board show | jq '.cards[] | select(.state == "CARD_STATE_BLOCKED")'`;

export const defineShow: DefineBoardCommand = (command, handle) => {
  command.addOption(cardsOption()).addHelpText("after", HELP).action(handle(show));
};

export function cardsOption(): Option {
  return new Option("--cards <n>", "draw so many cards of each stage, those that came first")
    .argParser(cardCountValue)
    .default(MOST_CARDS);
}

export async function show({ terminal, address, json, board }: BoardContext, { cards }: ShowFlags): Promise<number> {
  using calls = await openCalls(BoardService, address);
  if (json) {
    const response = await calls.unary((rpc, options) => rpc.getBoard({ name: board, cards: true }, options));
    terminal.print(jsonLine(GetBoardResponseSchema, response));
    return EXIT.ok;
  }
  const view = await readBoardView(calls, board, cards);
  for (const line of drawBoard(view, { width: terminal.size()?.columns, most: cards })) terminal.print(line);
  return EXIT.ok;
}
