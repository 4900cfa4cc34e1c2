/** `backpressure board give-back`: leaves a card undone, for another worker. */

import { Option } from "commander";
import { BoardService, GiveBackCardResponseSchema } from "../../../client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { type EndFlags, endedWords, tokenOption } from "../../options/card-end.ts";
import type { BoardContext, DefineBoardCommand } from "../../session/board-context.ts";
import { openCalls } from "../../session/connection.ts";
import { EXIT } from "../../session/exit-codes.ts";
import { jsonLine } from "../../text/json-line.ts";

interface GiveBackFlags extends EndFlags {
  readonly reason?: string;
  readonly failed?: boolean;
}

const HELP = `
The card waits in its stage, before those of the stage upstream.

Examples:
  backpressure board give-back LOGIN-7
  backpressure board give-back LOGIN-7 --failed --reason "the tests need a database"`;

export const defineGiveBack: DefineBoardCommand = (command, handle) => {
  tokenOption(
    command
      .argument("<card>", "its id")
      .addOption(new Option("--reason <text>", "why"))
      .addOption(new Option("--failed", "count it as an attempt; after the board's max_attempts the card is blocked")),
  )
    .addHelpText("after", HELP)
    .action(handle(giveBack));
};

async function giveBack(context: BoardContext, cardId: string, flags: GiveBackFlags): Promise<number> {
  const { terminal, address, json, board } = context;
  const { token, reason, failed } = flags;
  using calls = await openCalls(BoardService, address);
  const request = { board, cardId, fencingToken: token, reason, failed };
  const response = await calls.unary((rpc, options) => rpc.giveBackCard(request, options));
  if (json) terminal.print(jsonLine(GiveBackCardResponseSchema, response));
  else terminal.print(endedWords("gave back", cardId, response.card));
  return EXIT.ok;
}
