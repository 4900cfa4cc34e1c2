/** `backpressure board finish`: the work of a stage is done. */

import { Option } from "commander";
import { BoardService, FinishCardResponseSchema } from "../../../client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { type EndFlags, endedWords, tokenOption } from "../../options/card-end.ts";
import { readText } from "../../options/text.ts";
import type { BoardContext, DefineBoardCommand } from "../../session/board-context.ts";
import { openCalls } from "../../session/connection.ts";
import { EXIT } from "../../session/exit-codes.ts";
import { jsonLine } from "../../text/json-line.ts";

interface FinishFlags extends EndFlags {
  readonly result?: string;
}

const HELP = `
The card stays where it is, and counts there, until the next stage pulls it. Without a result it keeps the one of an earlier
stage.

Examples:
  backpressure board finish LOGIN-7
  backpressure board finish LOGIN-7 --result "merged as 3f2a9c"
  backpressure board finish LOGIN-7 --result @report.json`;

export const defineFinish: DefineBoardCommand = (command, handle) => {
  tokenOption(
    command
      .argument("<card>", "its id")
      .addOption(new Option("--result <text>", "what it brought, for the next worker; @file or - reads it from there")),
  )
    .addHelpText("after", HELP)
    .action(handle(finish));
};

async function finish(context: BoardContext, cardId: string, { token, result }: FinishFlags): Promise<number> {
  const { terminal, address, json, board } = context;
  const text = result === undefined ? undefined : readText(result);
  using calls = await openCalls(BoardService, address);
  const request = { board, cardId, fencingToken: token, result: text };
  const response = await calls.unary((rpc, options) => rpc.finishCard(request, options));
  if (json) terminal.print(jsonLine(FinishCardResponseSchema, response));
  else terminal.print(endedWords("finished", cardId, response.card));
  return EXIT.ok;
}
