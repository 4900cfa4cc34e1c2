/** `backpressure board create`: makes a board. */

import { Option } from "commander";
import type { Board, BoardSettings, StageConfig } from "../../../client/board.ts";
import { boardConfigToWire, boardFromWire } from "../../../client/board-wire.ts";
import { BoardService, CreateBoardResponseSchema } from "../../../client/gen/ggen/backpressure/v1/board_service_pb.ts";
import type { BoardContext, DefineBoardCommand } from "../../board-context.ts";
import { openCalls } from "../../connection.ts";
import { EXIT } from "../../exit-codes.ts";
import { jsonLine } from "../../json-line.ts";
import { countValue, durationValue } from "../../options.ts";
import { stageValue } from "../../stage-option.ts";

interface CreateFlags extends BoardSettings {
  readonly stage?: readonly StageConfig[];
}

const HELP = `
Name the stages from the first, where cards are added, to the last, where they are completed. Each is NAME, then, where
that is wanted, :LIMIT, the cards that may be in it at once, and its kind: in a work stage cards are worked on, and must
be finished before the next may pull them; in a queue they only wait. The first and the last are queues; the others are
work where nothing else is said. A queue pulls by itself whenever it has room. Without --stage a board has Backlog,
Ready:5:queue, InProgress:3, Review:2 and Done. Making the same board again is harmless.

Examples:
  backpressure board create release
  backpressure board create pipeline --stage Inbox --stage Build:4 --stage Test:2 --stage Done
  backpressure board create papers --stage Ideas --stage "To read:10:queue" --stage Reading:1 --stage Read`;

export const defineCreate: DefineBoardCommand = (command, handle) => {
  command
    .argument("<name>", "its name")
    .addOption(new Option("--stage <stage>", "NAME[:LIMIT][:queue|work]; again for each stage").argParser(stageValue))
    .addOption(new Option("--description <text>", "for people"))
    .addOption(
      new Option("--max-attempts <n>", "how often a card may fail in a stage before it is blocked").argParser(
        countValue,
      ),
    )
    .addOption(
      new Option("--ttl <duration>", "how long a card outlives its worker, if a pull does not say").argParser(
        durationValue,
      ),
    )
    .addOption(new Option("--max-cards <n>", "cards on it at once").argParser(countValue))
    .addOption(new Option("--keep-completed <n>", "how many completed cards are kept").argParser(countValue))
    .addOption(new Option("--keep-completed-for <duration>", "how long, at most").argParser(durationValue))
    .addOption(new Option("--max-pullers <n>", "how many may wait in each stage for a card").argParser(countValue))
    .addHelpText("after", HELP)
    .action(handle(createBoard));
};

async function createBoard(
  { terminal, address, json }: BoardContext,
  name: string,
  flags: CreateFlags,
): Promise<number> {
  const { stage: stages, ...settings } = flags;
  const request = { board: boardConfigToWire({ ...settings, name, stages }) };
  using calls = await openCalls(BoardService, address);
  const response = await calls.unary((rpc, options) => rpc.createBoard(request, options));
  if (json) terminal.print(jsonLine(CreateBoardResponseSchema, response));
  else terminal.print(`created ${name}: ${stagesWords(boardFromWire(response.board))}`);
  return EXIT.ok;
}

/** As they could be written. */
function stagesWords({ stages }: Board): string {
  return stages
    .map(({ name, wipLimit, kind }) => `${name}${wipLimit === undefined ? "" : `:${wipLimit}`}:${kind}`)
    .join(", ");
}
