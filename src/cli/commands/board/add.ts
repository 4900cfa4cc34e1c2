/** `backpressure board add`: a card for the first stage. */

import { Option } from "commander";
import { AddCardResponseSchema, BoardService } from "../../../client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { contentToWire } from "../../../client/wire/card.ts";
import { type CardFlags, cardOptions, settingsOf } from "../../options/card.ts";
import type { BoardContext, DefineBoardCommand } from "../../session/board-context.ts";
import { openCalls } from "../../session/connection.ts";
import { EXIT } from "../../session/exit-codes.ts";
import { jsonLine } from "../../text/json-line.ts";

interface AddFlags extends CardFlags {
  readonly id?: string;
}

const HELP = `
Without --id the server makes one. With one, adding the same card again is harmless.

Examples:
  backpressure board add "Fix the login" --id LOGIN-7 --priority 5
  backpressure board add "Nightly build" --data '{"ref": "main"}'
  git log -1 --format=%B | backpressure board add "Review HEAD" --description -`;

export const defineAdd: DefineBoardCommand = (command, handle) => {
  cardOptions(
    command
      .argument("<title>", "what it is, in a line")
      .addOption(new Option("--id <id>", "names it on its board, for ever")),
  )
    .addHelpText("after", HELP)
    .action(handle(add));
};

async function add({ terminal, address, json, board }: BoardContext, title: string, flags: AddFlags): Promise<number> {
  const card = { ...contentToWire({ ...settingsOf(flags), title }), id: flags.id };
  using calls = await openCalls(BoardService, address);
  const response = await calls.unary((rpc, options) => rpc.addCard({ board, card }, options));
  if (json) terminal.print(jsonLine(AddCardResponseSchema, response));
  else terminal.print(`added ${response.card?.id}: it is in ${response.card?.stage}`);
  return EXIT.ok;
}
