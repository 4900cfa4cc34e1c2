/** `backpressure board card`: one card in full. */

import { cardFromWire } from "../../../client/card-wire.ts";
import { BoardService, GetCardResponseSchema } from "../../../client/gen/ggen/backpressure/v1/board_service_pb.ts";
import type { BoardContext, DefineBoardCommand } from "../../board-context.ts";
import { cardFields } from "../../card-fields.ts";
import { openCalls } from "../../connection.ts";
import { EXIT } from "../../exit-codes.ts";
import { jsonLine } from "../../json-line.ts";

const HELP = `
Examples:
  backpressure board card LOGIN-7
  backpressure --json board card LOGIN-7 | jq -r .card.result`;

export const defineCard: DefineBoardCommand = (command, handle) => {
  command.argument("<card>", "its id").addHelpText("after", HELP).action(handle(get));
};

async function get({ terminal, address, json, board }: BoardContext, cardId: string): Promise<number> {
  using calls = await openCalls(BoardService, address);
  const response = await calls.unary((rpc, options) => rpc.getCard({ board, cardId }, options));
  if (json) terminal.print(jsonLine(GetCardResponseSchema, response));
  else for (const line of cardFields(cardFromWire(response.card))) terminal.print(line);
  return EXIT.ok;
}
