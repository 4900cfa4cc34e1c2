/** Limiters and boards as they are now, read once. */

import type { Board } from "../../client/api/board.ts";
import { BoardService } from "../../client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { LimiterService } from "../../client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { limiterFromWire } from "../../client/wire/limiter.ts";
import { byTrouble, type Seen } from "../../explain/overview.ts";
import { standingOf } from "../../explain/standing.ts";
import { readBoards } from "../reading/board-view.ts";
import { openConnection } from "../session/connection.ts";
import { allPages } from "../session/pages.ts";

export interface Glance {
  /** The worst first. */
  readonly seen: readonly Seen[];
  readonly boards: readonly Board[];
}

export async function readGlance(address: string): Promise<Glance> {
  using connection = await openConnection(address);
  const calls = connection.callsTo(LimiterService);
  const limiters = await allPages(async (query) => {
    const page = await calls.unary((rpc, options) => rpc.listLimiters(query, options));
    return { items: page.limiters, nextPageToken: page.nextPageToken };
  });
  const seen = limiters.map(limiterFromWire).map((limiter) => ({ limiter, standing: standingOf(limiter) }));
  return { seen: seen.sort(byTrouble), boards: await readBoards(connection.callsTo(BoardService)) };
}
