/** `backpressure board remove`: deletes a card. */

import { Option } from "commander";
import { BoardService, DeleteCardResponseSchema } from "../../../client/gen/ggen/backpressure/v1/board_service_pb.ts";
import type { BoardContext, DefineBoardCommand } from "../../session/board-context.ts";
import { openCalls } from "../../session/connection.ts";
import { EXIT } from "../../session/exit-codes.ts";
import { jsonLine } from "../../text/json-line.ts";

interface RemoveFlags {
  readonly etag?: string;
}

export const defineRemove: DefineBoardCommand = (command, handle) => {
  command
    .argument("<card>", "its id; work on it ends")
    .addOption(new Option("--etag <etag>", "only if it has not changed since"))
    .action(handle(remove));
};

async function remove(context: BoardContext, cardId: string, { etag }: RemoveFlags): Promise<number> {
  const { terminal, address, json, board } = context;
  using calls = await openCalls(BoardService, address);
  const response = await calls.unary((rpc, options) => rpc.deleteCard({ board, cardId, etag }, options));
  terminal.print(json ? jsonLine(DeleteCardResponseSchema, response) : `removed ${cardId}`);
  return EXIT.ok;
}
