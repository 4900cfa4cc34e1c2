/** The client's part for boards: all boards, the cards that the client works on, and how they are given back. */

import { createBoards } from "./board-calls.ts";
import { createBoardClient, type SitedBoardClient } from "./create-board-client.ts";
import { BoardService } from "./gen/ggen/backpressure/v1/board_service_pb.ts";
import type { BoardPart, BoardPartOptions } from "./parts.ts";
import { lastGiveBack, sayEnded, type WorkParting } from "./work-ending.ts";
import { createWorkHoldings } from "./work-holdings.ts";
import { createCardRenewers } from "./work-renewing.ts";

export function openBoards({ ports: given, closed, confirmWithin, onEvent, worker, guard }: BoardPartOptions) {
  const { clock, random, retries, streams } = given;
  const calls = { ...given.calls, board: given.calls.of(BoardService) };
  const ended = (parting: WorkParting) => sayEnded({ calls, clock, retries, closed }, parting);
  const works = createWorkHoldings({
    clock,
    random,
    streams,
    onEvent,
    renewers: createCardRenewers({ calls, clock, random, onEvent }),
    sayEnded: ended,
    confirmWithin,
    unavailable: calls.unavailable,
  });
  const ports = { ...given, calls, works };
  return {
    boards: createBoards(ports),
    board: (name: string): SitedBoardClient => createBoardClient(ports, { name, worker, guard }),
    lastWords: () => works.credentials().map(lastGiveBack),
    leavePage: () => works.leavePage(),
    abandonAll: (reason: unknown) => works.abandonAll(reason),
  } satisfies BoardPart;
}
