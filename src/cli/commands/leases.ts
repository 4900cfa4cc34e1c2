/** `backpressure leases`: lists the leases that are held. */

import { create } from "@bufbuild/protobuf";
import { Option } from "commander";
import { ListLeasesResponseSchema } from "../../client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { createSystemClock } from "../../client/rpc/clock.ts";
import { leaseTable, readAt } from "../output/lease-table.ts";
import { openLimiterCalls } from "../session/connection.ts";
import type { Context, DefineCommand } from "../session/context.ts";
import { EXIT } from "../session/exit-codes.ts";
import { UsageError } from "../session/failure.ts";
import { allPages } from "../session/pages.ts";
import { jsonLine } from "../text/json-line.ts";

interface LeasesFlags {
  readonly limiter?: string;
  readonly key?: string;
}

const HELP = `
Examples:
  backpressure leases
  backpressure leases --limiter db --key tenant-7
  backpressure --json leases | jq -r '.leases[].id'`;

export const defineLeases: DefineCommand = (command, handle) => {
  command
    .addOption(new Option("--limiter <name>", "those that hold something of this limiter"))
    .addOption(new Option("--key <key>", "and of this key of it"))
    .addHelpText("after", HELP)
    .action(handle(list));
};

async function list({ terminal, address, json }: Context, { limiter, key }: LeasesFlags): Promise<number> {
  if (key !== undefined && limiter === undefined)
    throw new UsageError("--key needs --limiter: keys are a limiter's own");
  using calls = await openLimiterCalls(address);
  let now = createSystemClock().now().wall;
  const leases = await allPages(async (query) => {
    const page = await calls.unary((rpc, options) => rpc.listLeases({ ...query, limiter, key }, options));
    now = readAt(page) ?? now;
    return { items: page.leases, nextPageToken: page.nextPageToken };
  });
  if (json) terminal.print(jsonLine(ListLeasesResponseSchema, create(ListLeasesResponseSchema, { leases })));
  else if (leases.length === 0) terminal.warn("No leases are held.");
  else for (const line of leaseTable(leases, { now, width: terminal.size()?.columns })) terminal.print(line);
  return EXIT.ok;
}
