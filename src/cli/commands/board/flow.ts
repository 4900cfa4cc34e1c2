/** `backpressure board flow`: how many cards each stage had, over time. */

import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Option } from "commander";
import type { FlowSample } from "../../../client/api/board.ts";
import { BoardService, GetFlowResponseSchema } from "../../../client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { createSystemClock } from "../../../client/rpc/clock.ts";
import { flowSampleFromWire } from "../../../client/wire/board.ts";
import { formatInstant, formatNumber } from "../../../text/number.ts";
import { durationValue } from "../../options/values.ts";
import type { BoardContext, DefineBoardCommand } from "../../session/board-context.ts";
import { openCalls } from "../../session/connection.ts";
import { EXIT } from "../../session/exit-codes.ts";
import { jsonLine } from "../../text/json-line.ts";
import { type Column, formatTable } from "../../text/table.ts";

interface FlowFlags {
  /** ms. */
  readonly since: number;
}

const DEFAULT_SINCE = 7_200_000;

const HELP = `
There is a sample a minute for the last two hours, one in ten for the last day, and one an hour for the last 90 days. The
last stage counts all that were ever completed.

Examples:
  backpressure board flow
  backpressure --json board flow --since 90d`;

export const defineFlow: DefineBoardCommand = (command, handle) => {
  command
    .addOption(
      new Option("--since <duration>", "how far back to look").argParser(durationValue).default(DEFAULT_SINCE, "2h"),
    )
    .addHelpText("after", HELP)
    .action(handle(flow));
};

async function flow({ terminal, address, json, board }: BoardContext, { since }: FlowFlags): Promise<number> {
  const fromTime = timestampFromMs(createSystemClock().now().wall - since);
  using calls = await openCalls(BoardService, address);
  const response = await calls.unary((rpc, options) => rpc.getFlow({ name: board, fromTime }, options));
  if (json) {
    terminal.print(jsonLine(GetFlowResponseSchema, response));
    return EXIT.ok;
  }
  const columns: readonly Column<FlowSample>[] = [
    { heading: "TIME", cell: ({ time }) => formatInstant(time) },
    ...response.stages.map(
      (stage, place): Column<FlowSample> => ({
        heading: stage.toUpperCase(),
        cell: ({ cards }) => formatNumber(cards[place] ?? 0),
        align: "right",
      }),
    ),
  ];
  const samples = response.samples.map(flowSampleFromWire);
  if (samples.length === 0) terminal.warn(`There is nothing to show of ${board} yet.`);
  else for (const line of formatTable(columns, samples, terminal.size()?.columns)) terminal.print(line);
  return EXIT.ok;
}
