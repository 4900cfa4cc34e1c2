/** A board with those of its cards that are drawn. */

import type { Board } from "../../client/api/board.ts";
import type { Card } from "../../client/api/card.ts";
import type { BoardService } from "../../client/index.ts";
import { boardFromWire } from "../../client/wire/board.ts";
import { cardFromWire } from "../../client/wire/card.ts";
import type { Calls } from "../session/grpc-connection.ts";
import { allPages } from "../session/pages.ts";

type BoardCalls = Pick<Calls<typeof BoardService>, "unary">;

/** Reads the first cards of each stage: of all together there may be more than one answer holds, and most of them completed. */
export async function readBoardView(
  calls: BoardCalls,
  name: string,
  most: number,
): Promise<{ readonly board: Board; readonly cards: readonly Card[] }> {
  const board = boardFromWire((await calls.unary((rpc, options) => rpc.getBoard({ name }, options))).board);
  const stages = most === 0 ? [] : board.stages.slice(0, -1).filter(({ status }) => status.cards > 0);
  const pages = await Promise.all(
    stages.map((stage) =>
      calls.unary((rpc, options) => rpc.listCards({ board: name, stage: stage.name, pageSize: most }, options)),
    ),
  );
  return { board, cards: pages.flatMap((page) => page.cards.map(cardFromWire)) };
}

/** Reads all boards, without cards. */
export async function readBoards(calls: BoardCalls): Promise<readonly Board[]> {
  const boards = await allPages(async (query) => {
    const page = await calls.unary((rpc, options) => rpc.listBoards(query, options));
    return { items: page.boards, nextPageToken: page.nextPageToken };
  });
  return boards.map(boardFromWire);
}
