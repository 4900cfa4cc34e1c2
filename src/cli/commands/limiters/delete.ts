/** `backpressure limiters delete`: deletes a limiter, or lets it drain. */

import { Option } from "commander";
import { DeleteLimiterResponseSchema } from "../../../client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { formatCount } from "../../../text/number.ts";
import { openLimiterCalls } from "../../session/connection.ts";
import type { Context, DefineCommand } from "../../session/context.ts";
import { EXIT } from "../../session/exit-codes.ts";
import { jsonLine } from "../../text/json-line.ts";

interface DeleteFlags {
  readonly force?: boolean;
  readonly etag?: string;
}

export const defineDelete: DefineCommand = (command, handle) => {
  command
    .argument("<limiter>", "its name")
    .addOption(new Option("--force", "end its leases at once, while their holders may still be at work"))
    .addOption(new Option("--etag <etag>", "only if it has not changed since"))
    .action(handle(deleteLimiter));
};

async function deleteLimiter(
  { terminal, address, json }: Context,
  name: string,
  { force, etag }: DeleteFlags,
): Promise<number> {
  using calls = await openLimiterCalls(address);
  const response = await calls.unary((rpc, options) => rpc.deleteLimiter({ name, force, etag }, options));
  const { drainingLeases } = response;
  if (json) terminal.print(jsonLine(DeleteLimiterResponseSchema, response));
  else if (drainingLeases === 0n) terminal.print(`deleted ${name}`);
  else terminal.print(`${name} is being deleted: ${formatCount(drainingLeases, "lease")} still to end`);
  return EXIT.ok;
}
