/** `backpressure limiters list`: every limiter, with what goes on in it. */

import { create } from "@bufbuild/protobuf";
import { ListLimitersResponseSchema } from "../../../client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { limiterTable } from "../../output/limiter-table.ts";
import { openLimiterCalls } from "../../session/connection.ts";
import type { Context, DefineCommand } from "../../session/context.ts";
import { EXIT } from "../../session/exit-codes.ts";
import { allPages } from "../../session/pages.ts";
import { jsonLine } from "../../text/json-line.ts";

export const defineList: DefineCommand = (command, handle) => {
  command.action(handle(list));
};

export async function list({ terminal, address, json }: Context): Promise<number> {
  using calls = await openLimiterCalls(address);
  const limiters = await allPages(async (query) => {
    const page = await calls.unary((rpc, options) => rpc.listLimiters(query, options));
    return { items: page.limiters, nextPageToken: page.nextPageToken };
  });
  if (json) {
    terminal.print(jsonLine(ListLimitersResponseSchema, create(ListLimitersResponseSchema, { limiters })));
  } else if (limiters.length === 0) {
    terminal.warn("There are no limiters yet: make one with `backpressure limiters set NAME --max-concurrent 5`.");
  } else {
    for (const line of limiterTable(limiters, terminal.size()?.columns)) terminal.print(line);
  }
  return EXIT.ok;
}
