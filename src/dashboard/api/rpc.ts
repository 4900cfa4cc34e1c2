/** The calls that this page makes: the contract's own, over Connect, to the server that has served the page. */

import { type Client, createClient } from "@connectrpc/connect";
import { BoardService } from "../../client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { LimiterService } from "../../client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { createFetchTransport } from "../../client/transport/fetch-transport.ts";
import { createServerCalls, type ServerCalls } from "./server-calls.ts";

export interface Rpc {
  readonly limiters: Client<typeof LimiterService>;
  readonly boards: Client<typeof BoardService>;
  readonly server: ServerCalls;
}

/** `baseUrl`: of the page, without a slash at its end, so that it works below a prefix of a proxy, too. */
export function createRpc(baseUrl: string): Rpc {
  const transport = createFetchTransport({ baseUrl, fetch: (input, init) => fetch(input, init) });
  return {
    limiters: createClient(LimiterService, transport),
    boards: createClient(BoardService, transport),
    server: createServerCalls(baseUrl),
  };
}
