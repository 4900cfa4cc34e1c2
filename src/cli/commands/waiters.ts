/** `backpressure waiters`: lists the waiters of a limiter. */

import { create } from "@bufbuild/protobuf";
import { Option } from "commander";
import { ListWaitersResponseSchema } from "../../client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { createSystemClock } from "../../client/rpc/clock.ts";
import { readAt, waiterTable } from "../output/lease-table.ts";
import { openLimiterCalls } from "../session/connection.ts";
import type { Context, DefineCommand } from "../session/context.ts";
import { EXIT } from "../session/exit-codes.ts";
import { allPages } from "../session/pages.ts";
import { jsonLine } from "../text/json-line.ts";

interface WaitersFlags {
  readonly key?: string;
}

export const defineWaiters: DefineCommand = (command, handle) => {
  command
    .argument("<limiter>", "its name")
    .addOption(new Option("--key <key>", "waiters for this key"))
    .action(handle(list));
};

async function list({ terminal, address, json }: Context, limiter: string, { key }: WaitersFlags): Promise<number> {
  using calls = await openLimiterCalls(address);
  let now = createSystemClock().now().wall;
  const waiters = await allPages(async (query) => {
    const page = await calls.unary((rpc, options) => rpc.listWaiters({ ...query, limiter, key }, options));
    now = readAt(page) ?? now;
    return { items: page.waiters, nextPageToken: page.nextPageToken };
  });
  if (json) terminal.print(jsonLine(ListWaitersResponseSchema, create(ListWaitersResponseSchema, { waiters })));
  else if (waiters.length === 0) terminal.warn(`No waiters for ${limiter}.`);
  else for (const line of waiterTable(waiters, { now, width: terminal.size()?.columns })) terminal.print(line);
  return EXIT.ok;
}
