/** `backpressure board edit`: changes what a card says. */

import { Option } from "commander";
import { BoardService, UpdateCardResponseSchema } from "../../../client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { cardChangesToWire } from "../../../client/wire/card.ts";
import { type CardFlags, cardOptions, settingsOf } from "../../options/card.ts";
import type { BoardContext, DefineBoardCommand } from "../../session/board-context.ts";
import { openCalls } from "../../session/connection.ts";
import { EXIT } from "../../session/exit-codes.ts";
import { UsageError } from "../../session/failure.ts";
import { jsonLine } from "../../text/json-line.ts";

interface EditFlags extends CardFlags {
  readonly title?: string;
  readonly etag?: string;
}

const HELP = `
What is not given stays as it is; an empty text empties it. No command puts a card into another stage: it is pulled.

Examples:
  backpressure board edit LOGIN-7 --priority 10
  backpressure board edit LOGIN-7 --title "Fix the login page" --description ""`;

export const defineEdit: DefineBoardCommand = (command, handle) => {
  cardOptions(command.argument("<card>", "its id").addOption(new Option("--title <text>", "what it is, in a line")))
    .addOption(new Option("--etag <etag>", "change it only if it has not changed since"))
    .addHelpText("after", HELP)
    .action(handle(edit));
};

async function edit({ terminal, address, json, board }: BoardContext, id: string, flags: EditFlags): Promise<number> {
  const { card, paths } = cardChangesToWire({ ...settingsOf(flags), title: flags.title });
  if (paths.length === 0) throw new UsageError("say what to change, such as --title or --priority");
  const request = { board, card: { ...card, id, etag: flags.etag }, updateMask: { paths } };
  using calls = await openCalls(BoardService, address);
  const response = await calls.unary((rpc, options) => rpc.updateCard(request, options));
  terminal.print(json ? jsonLine(UpdateCardResponseSchema, response) : `changed ${id}`);
  return EXIT.ok;
}
