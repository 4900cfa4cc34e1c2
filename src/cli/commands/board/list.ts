/** `backpressure board list`: every board, with how work flows over it. */

import { create } from "@bufbuild/protobuf";
import type { Board } from "../../../client/api/board.ts";
import { BoardService, ListBoardsResponseSchema } from "../../../client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { boardFromWire } from "../../../client/wire/board.ts";
import { formatNumber } from "../../../text/number.ts";
import { spanWords } from "../../output/board-figures.ts";
import { stagesWords } from "../../output/top-tables.ts";
import type { BoardContext, DefineBoardCommand } from "../../session/board-context.ts";
import { openCalls } from "../../session/connection.ts";
import { EXIT } from "../../session/exit-codes.ts";
import { allPages } from "../../session/pages.ts";
import { jsonLine } from "../../text/json-line.ts";
import { type Column, formatTable } from "../../text/table.ts";

const COLUMNS: readonly Column<Board>[] = [
  { heading: "BOARD", cell: ({ name }) => name, cut: true },
  { heading: "STAGES", cell: stagesWords, cut: true, leaveOut: 3 },
  { heading: "CARDS", cell: ({ status }) => formatNumber(status.cards), align: "right" },
  { heading: "BLOCKED", cell: ({ status }) => formatNumber(status.blocked), align: "right", leaveOut: 1 },
  { heading: "DONE", cell: ({ status }) => formatNumber(status.completedCount), align: "right" },
  { heading: "λ/h", cell: ({ status }) => formatNumber(status.arrivalsPerHour), align: "right", leaveOut: 4 },
  { heading: "μ/h", cell: ({ status }) => formatNumber(status.throughputPerHour), align: "right", leaveOut: 4 },
  { heading: "P85 LEAD", cell: ({ status }) => spanWords(status.leadTime.p85Ms), align: "right", leaveOut: 2 },
  { heading: "BOTTLENECK", cell: ({ status }) => status.bottleneck || "-", leaveOut: 0 },
];

export const defineList: DefineBoardCommand = (command, handle) => {
  command.action(handle(list));
};

async function list({ terminal, address, json }: BoardContext): Promise<number> {
  using calls = await openCalls(BoardService, address);
  const boards = await allPages(async (query) => {
    const page = await calls.unary((rpc, options) => rpc.listBoards(query, options));
    return { items: page.boards, nextPageToken: page.nextPageToken };
  });
  if (json) {
    terminal.print(jsonLine(ListBoardsResponseSchema, create(ListBoardsResponseSchema, { boards })));
  } else if (boards.length === 0) {
    terminal.warn("There are no boards yet: make one with `backpressure board create NAME`.");
  } else {
    for (const line of formatTable(COLUMNS, boards.map(boardFromWire), terminal.size()?.columns)) terminal.print(line);
  }
  return EXIT.ok;
}
