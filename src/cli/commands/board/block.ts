/** `backpressure board block` and `unblock`: keeps a card from being pulled, and lets it be pulled again. */

import { Option } from "commander";
import {
  BlockCardResponseSchema,
  BoardService,
  UnblockCardResponseSchema,
} from "../../../client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { type EndFlags, endedWords } from "../../options/card-end.ts";
import { tokenValue } from "../../options/values.ts";
import type { BoardContext, DefineBoardCommand } from "../../session/board-context.ts";
import { openCalls } from "../../session/connection.ts";
import { EXIT } from "../../session/exit-codes.ts";
import { jsonLine } from "../../text/json-line.ts";

interface BlockFlags extends EndFlags {
  readonly reason: string;
}

const HELP = `
The card counts where it stands. Work on it ends, whichever worker has it; with --token only that of this fencing token.

Examples:
  backpressure board block LOGIN-7 --reason "waits for the customer"
  backpressure board unblock LOGIN-7`;

export const defineBlock: DefineBoardCommand = (command, handle) => {
  command
    .argument("<card>", "its id")
    .addOption(new Option("--reason <text>", "why").makeOptionMandatory())
    .addOption(new Option("--token <n>", "only if it is worked on under this fencing token").argParser(tokenValue))
    .addHelpText("after", HELP)
    .action(handle(block));
};

export const defineUnblock: DefineBoardCommand = (command, handle) => {
  command.argument("<card>", "its id").action(handle(unblock));
};

async function block(context: BoardContext, cardId: string, { token, reason }: BlockFlags): Promise<number> {
  const { terminal, address, json, board } = context;
  using calls = await openCalls(BoardService, address);
  const request = { board, cardId, fencingToken: token, reason };
  const response = await calls.unary((rpc, options) => rpc.blockCard(request, options));
  if (json) terminal.print(jsonLine(BlockCardResponseSchema, response));
  else terminal.print(endedWords("blocked", cardId, response.card));
  return EXIT.ok;
}

async function unblock({ terminal, address, json, board }: BoardContext, cardId: string): Promise<number> {
  using calls = await openCalls(BoardService, address);
  const response = await calls.unary((rpc, options) => rpc.unblockCard({ board, cardId }, options));
  if (json) terminal.print(jsonLine(UnblockCardResponseSchema, response));
  else terminal.print(endedWords("unblocked", cardId, response.card));
  return EXIT.ok;
}
