/** Names that the server knows, asked for with little patience: a Tab that hangs is worse than one that finds nothing. */

import { BoardService } from "../../client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { LimiterService } from "../../client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { createSystemClock } from "../../client/rpc/clock.ts";
import { openConnection } from "../session/connection.ts";
import type { Connection } from "../session/grpc-connection.ts";
import type { Candidate, Named } from "./wanted.ts";

export interface NamesOptions {
  readonly address: string;
  readonly board: string;
}

/** ms in which the server has to answer; what it has said by then is shown. */
const PATIENCE = 500;
const PAGE_SIZE = 1_000;
/** Candidates beyond which no one reads them. */
const MOST = 5_000;

/** Returns what the server has said in time; nothing, if it is not reached. */
export async function namesOf(of: Named, options: NamesOptions): Promise<readonly Candidate[]> {
  const found: Candidate[] = [];
  const { promise: late, resolve } = Promise.withResolvers<void>();
  let cancel = () => {};
  try {
    // Loads what a connection takes, which is this program's own time.
    using connection = await openConnection(options.address);
    cancel = createSystemClock().schedule(PATIENCE, resolve);
    await Promise.race([late, read(of, connection, options, found)]);
  } catch {
    // Whatever is wrong with the server, or with its address, is said when the command is run.
  } finally {
    cancel();
  }
  return found;
}

type Read = (connection: Connection, options: NamesOptions, found: Candidate[]) => Promise<void>;

async function read(of: Named, connection: Connection, options: NamesOptions, found: Candidate[]): Promise<void> {
  await READS[of](connection, options, found);
}

const READS: Readonly<Record<Named, Read>> = {
  async limiter(connection, _, found) {
    const calls = connection.callsTo(LimiterService);
    let pageToken = "";
    do {
      const page = await calls.unary((rpc, options) => rpc.listLimiters({ pageSize: PAGE_SIZE, pageToken }, options));
      for (const { name, description } of page.limiters) found.push({ word: name, description });
      pageToken = page.nextPageToken;
    } while (pageToken !== "" && found.length < MOST);
  },
  async lease(connection, _, found) {
    const calls = connection.callsTo(LimiterService);
    const { leases } = await calls.unary((rpc, options) => rpc.listLeases({ pageSize: PAGE_SIZE }, options));
    for (const { id, holder, claims } of leases) {
      found.push({ word: id, description: `${holder}: ${claims.map(({ limiter }) => limiter).join(", ")}` });
    }
  },
  async board(connection, _, found) {
    const calls = connection.callsTo(BoardService);
    const { boards } = await calls.unary((rpc, options) => rpc.listBoards({ pageSize: PAGE_SIZE }, options));
    for (const { name, description } of boards) found.push({ word: name, description });
  },
  async card(connection, { board }, found) {
    const calls = connection.callsTo(BoardService);
    const { cards } = await calls.unary((rpc, options) => rpc.getBoard({ name: board, cards: true }, options));
    for (const { id, title } of cards) found.push({ word: id, description: title });
  },
  async stage(connection, { board: name }, found) {
    const calls = connection.callsTo(BoardService);
    const { board } = await calls.unary((rpc, options) => rpc.getBoard({ name }, options));
    // Nothing is pulled into the first.
    for (const stage of board?.stages.slice(1) ?? []) found.push({ word: stage.name, description: "" });
  },
};
