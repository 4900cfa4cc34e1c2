/** `backpressure board delete`: deletes a board. */

import { Option } from "commander";
import { BoardService, DeleteBoardResponseSchema } from "../../../client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { formatCount } from "../../../text/number.ts";
import type { BoardContext, DefineBoardCommand } from "../../session/board-context.ts";
import { openCalls } from "../../session/connection.ts";
import { EXIT } from "../../session/exit-codes.ts";
import { jsonLine } from "../../text/json-line.ts";

interface DeleteFlags {
  readonly force?: boolean;
  readonly etag?: string;
}

const HELP = `
A board on which cards stand that are not completed is only deleted by force, and one that the server's file declares not at
all: take it out of the file.

Examples:
  backpressure board delete release
  backpressure board delete release --force`;

export const defineDelete: DefineBoardCommand = (command, handle) => {
  command
    .argument("<name>", "the board's name")
    .addOption(new Option("--force", "with its open cards, too; work on them ends"))
    .addOption(new Option("--etag <etag>", "only if it has not changed since"))
    .addHelpText("after", HELP)
    .action(handle(deleteBoard));
};

async function deleteBoard(
  { terminal, address, json }: BoardContext,
  name: string,
  { force, etag }: DeleteFlags,
): Promise<number> {
  using calls = await openCalls(BoardService, address);
  const response = await calls.unary((rpc, options) => rpc.deleteBoard({ name, force, etag }, options));
  const cards = response.deletedCards === 0 ? "" : ` with ${formatCount(BigInt(response.deletedCards), "card")}`;
  terminal.print(json ? jsonLine(DeleteBoardResponseSchema, response) : `deleted ${name}${cards}`);
  return EXIT.ok;
}
