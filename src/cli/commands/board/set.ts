/** `backpressure board set`: changes a board's settings and the limits of its stages. */

import { create, equals } from "@bufbuild/protobuf";
import { Option } from "commander";
import type { Board, BoardChanges, StageChange } from "../../../client/api/board.ts";
import { AdmissionError } from "../../../client/api/errors.ts";
import { BoardSchema, type Board as WireBoard } from "../../../client/gen/ggen/backpressure/v1/board_pb.ts";
import {
  BoardService,
  type UpdateBoardResponse,
  UpdateBoardResponseSchema,
} from "../../../client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { boardChangesToWire, boardFromWire } from "../../../client/wire/board.ts";
import { type BoardFlags, boardChangesOf, boardOptions } from "../../options/board.ts";
import { type StageLimits, stageLimitValue, stagesWords } from "../../options/stage.ts";
import { unsetOption } from "../../options/unset.ts";
import type { BoardContext, DefineBoardCommand } from "../../session/board-context.ts";
import { openCalls } from "../../session/connection.ts";
import { EXIT } from "../../session/exit-codes.ts";
import { UsageError } from "../../session/failure.ts";
import type { Calls } from "../../session/grpc-connection.ts";
import { jsonLine } from "../../text/json-line.ts";

interface SetFlags extends BoardFlags {
  readonly wipLimit?: StageLimits;
  readonly etag?: string;
}

type BoardCalls = Calls<typeof BoardService>;

interface Change {
  readonly before: WireBoard | undefined;
  readonly response: UpdateBoardResponse;
}

const HELP = `
What is not given stays as it is. Lowering a limit below the current count evicts no cards. A board
that the server's file declares is changed until its declaration changes. Stages are added, renamed and removed by
UpdateBoard, or in the file.

Examples:
  backpressure board set release --wip-limit Build=6 --wip-limit Test=2
  backpressure board set release --wip-limit Build=none
  backpressure board set release --ttl 1m --max-attempts 3
  backpressure board set release --unset ttl max-attempts`;

export const defineSet: DefineBoardCommand = (command, handle) => {
  boardOptions(
    command
      .argument("<name>", "the board's name")
      .addOption(
        new Option(
          "--wip-limit <stage=limit>",
          "cards that may be in a stage at once, or none; again for each stage",
        ).argParser(stageLimitValue),
      ),
  )
    .addOption(unsetOption("ttl max-attempts"))
    .addOption(new Option("--etag <etag>", "change it only if it has not changed since"))
    .addHelpText("after", HELP)
    .action(handle(set));
};

async function set({ terminal, address, json }: BoardContext, name: string, flags: SetFlags): Promise<number> {
  const { wipLimit: limits = NO_LIMITS, etag } = flags;
  const changes = boardChangesOf(flags);
  if (Object.keys(changes).length === 0 && limits.size === 0) {
    throw new UsageError("say what to change, such as --wip-limit Build=4 or --ttl 30s");
  }
  using calls = await openCalls(BoardService, address);
  const { before, response } = await change(calls, name, { changes, limits, etag });
  if (json) terminal.print(jsonLine(UpdateBoardResponseSchema, response));
  else terminal.print(resultWords(name, before, response.board));
  return EXIT.ok;
}

const NO_LIMITS: StageLimits = new Map();

/** Stages are replaced as a whole: again, from what stands by then, if another client was faster. */
async function change(
  calls: BoardCalls,
  name: string,
  wanted: { readonly changes: BoardChanges; readonly limits: StageLimits; readonly etag: string | undefined },
): Promise<Change> {
  const { changes, limits, etag } = wanted;
  for (;;) {
    const { board: before } = await calls.unary((rpc, options) => rpc.getBoard({ name }, options));
    const stages = limits.size === 0 ? undefined : limitStages(boardFromWire(before), limits);
    const { board, paths } = boardChangesToWire({ ...changes, stages });
    const request = { board: { ...board, name, etag: etag ?? before?.etag }, updateMask: { paths } };
    try {
      const response = await calls.unary((rpc, options) => rpc.updateBoard(request, options));
      return { before, response };
    } catch (error) {
      const outrun = error instanceof AdmissionError && error.reason === "ETAG_MISMATCH";
      if (!outrun || etag !== undefined) throw error;
    }
  }
}

/** Throws a `UsageError` for a stage that is not there. */
function limitStages({ name, stages }: Board, limits: StageLimits): readonly StageChange[] {
  for (const stage of limits.keys()) {
    if (stages.some((each) => each.name === stage)) continue;
    throw new UsageError(
      `board ${name} has no stage ${stage}: there are ${stages.map((each) => each.name).join(", ")}`,
    );
  }
  return stages.map((stage) => (limits.has(stage.name) ? { ...stage, wipLimit: limits.get(stage.name) } : stage));
}

function resultWords(name: string, before: WireBoard | undefined, after: WireBoard | undefined): string {
  if (before !== undefined && after !== undefined && hasSameSettings(before, after)) return `${name} is unchanged`;
  return `changed ${name}: ${stagesWords(boardFromWire(after).stages)}`;
}

function hasSameSettings(before: WireBoard, after: WireBoard): boolean {
  return equals(BoardSchema, settingsOf(before), settingsOf(after));
}

/** Without what is output. */
function settingsOf(board: WireBoard): WireBoard {
  const stages = board.stages.map((stage) => ({ ...stage, status: undefined }));
  return create(BoardSchema, { ...board, stages, etag: "", updateTime: undefined, status: undefined });
}
