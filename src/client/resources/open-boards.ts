/** The client's part for boards: all boards, the cards that the client works on, and how they are given back. */

import { BoardService } from "../gen/ggen/backpressure/v1/board_service_pb.ts";
import { lastGiveBack, sayEnded, type WorkEndRequest } from "../work/end.ts";
import { createHeldWorks } from "../work/held-works.ts";
import { createCardRenewers } from "../work/renew.ts";
import { createBoardClient, type SitedBoardClient } from "./board-client.ts";
import { createBoards } from "./boards.ts";
import type { BoardPart, BoardPartOptions } from "./parts.ts";

export function openBoards({ ports: given, closed, confirmWithin, onEvent, worker, guard }: BoardPartOptions) {
  const { clock, random, retries } = given;
  const calls = { ...given.calls, board: given.calls.of(BoardService) };
  const works = createHeldWorks({
    clock,
    random,
    onEvent,
    renewers: createCardRenewers({ calls, clock, random, onEvent }),
    sayEnded: (request: WorkEndRequest) => sayEnded({ calls, clock, retries, closed }, request),
    confirmWithin,
    unavailable: calls.unavailable,
  });
  const ports = { ...given, calls, works };
  return {
    boards: createBoards(ports),
    board: (name: string): SitedBoardClient => createBoardClient(ports, { name, worker, guard }),
    lastWords: () => [...works].map(({ pulled }) => lastGiveBack(pulled.credential)),
    leavePage: () => works.leavePage(),
    abandonAll: (reason: unknown) => works.abandonAll(reason),
  } satisfies BoardPart;
}
