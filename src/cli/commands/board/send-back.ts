/** `backpressure board send-back`: the stage upstream shall do its work again. */

import { Option } from "commander";
import { BoardService, SendBackCardResponseSchema } from "../../../client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { type EndFlags, endedWords, tokenOption } from "../../options/card-end.ts";
import type { BoardContext, DefineBoardCommand } from "../../session/board-context.ts";
import { openCalls } from "../../session/connection.ts";
import { EXIT } from "../../session/exit-codes.ts";
import { jsonLine } from "../../text/json-line.ts";

interface SendBackFlags extends EndFlags {
  readonly reason: string;
}

const HELP = `
The card counts where it stands until the stage upstream pulls it.

Examples:
  backpressure board send-back LOGIN-7 --reason "the tests are red"`;

export const defineSendBack: DefineBoardCommand = (command, handle) => {
  tokenOption(
    command
      .argument("<card>", "its id")
      .addOption(new Option("--reason <text>", "what is to be done again").makeOptionMandatory()),
  )
    .addHelpText("after", HELP)
    .action(handle(sendBack));
};

async function sendBack(context: BoardContext, cardId: string, { token, reason }: SendBackFlags): Promise<number> {
  const { terminal, address, json, board } = context;
  using calls = await openCalls(BoardService, address);
  const request = { board, cardId, fencingToken: token, reason };
  const response = await calls.unary((rpc, options) => rpc.sendBackCard(request, options));
  if (json) terminal.print(jsonLine(SendBackCardResponseSchema, response));
  else terminal.print(endedWords("sent back", cardId, response.card));
  return EXIT.ok;
}
