/** `backpressure board create`: makes a board. */

import { Option } from "commander";
import type { BoardSettings, StageConfig } from "../../../client/api/board.ts";
import { BoardService, CreateBoardResponseSchema } from "../../../client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { boardConfigToWire, boardFromWire } from "../../../client/wire/board.ts";
import { boardOptions } from "../../options/board.ts";
import { STAGE_FORM, stagesWords, stageValue } from "../../options/stage.ts";
import type { BoardContext, DefineBoardCommand } from "../../session/board-context.ts";
import { openCalls } from "../../session/connection.ts";
import { EXIT } from "../../session/exit-codes.ts";
import { jsonLine } from "../../text/json-line.ts";

interface CreateFlags extends BoardSettings {
  readonly stage?: readonly StageConfig[];
}

const HELP = `
Name the stages from the first, where cards are added, to the last, where they are completed. Each is NAME, then, where
that is wanted, :LIMIT, the cards that may be in it at once, and its kind: in a work stage cards are worked on, and must
be finished before the next may pull them; in a queue they only wait. The first and the last are queues; the others are
work where nothing else is said. A queue pulls by itself whenever it has room, but for one with :no-auto-pull, into which
each card enters by a pull. A work stage with :limiter=NAME pulls a card only together with a lease on that
limiter. Without --stage a board has Backlog, Ready:5:queue, InProgress:3, Review:2 and Done. Making the same board again
is harmless; \`board set\` changes one.

Examples:
  backpressure board create release
  backpressure board create pipeline --stage Inbox --stage Build:4 --stage Test:2 --stage Done
  backpressure board create models --stage In --stage Ready:8:queue:no-auto-pull --stage Train:4:limiter=gpu --stage Out
  backpressure board create papers --stage Ideas --stage "To read:10:queue" --stage Reading:1 --stage Read`;

export const defineCreate: DefineBoardCommand = (command, handle) => {
  boardOptions(
    command
      .argument("<name>", "its name")
      .addOption(new Option("--stage <stage>", `${STAGE_FORM}; again for each stage`).argParser(stageValue)),
  )
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
  else terminal.print(`created ${name}: ${stagesWords(boardFromWire(response.board).stages)}`);
  return EXIT.ok;
}
