/** `backpressure health`: whether the server serves, as probes ask it. */

import {
  Health,
  HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as Status,
} from "../../client/gen/grpc/health/v1/health_pb.ts";
import { openCalls } from "../connection.ts";
import type { Context, DefineCommand } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { jsonLine } from "../json-line.ts";

const HELP = `
Exits with 0 while it serves, 1 while it does not, as when it drains, and 3 if it cannot be reached.

Examples:
  backpressure health
  HEALTHCHECK CMD ["backpressure", "health"]`;

export const defineHealth: DefineCommand = (command, handle) => {
  command
    .argument("[service]", "one service of the server, by its full name (default: the server itself)")
    .addHelpText("after", HELP)
    .action(handle(check));
};

async function check({ terminal, address, json }: Context, service: string | undefined): Promise<number> {
  using calls = await openCalls(Health, address);
  const response = await calls.unary((rpc, options) => rpc.check({ service }, options));
  const isServing = response.status === Status.SERVING;
  if (json) terminal.print(jsonLine(HealthCheckResponseSchema, response));
  else terminal.print(`${address}: ${isServing ? "serving" : "not serving"}`);
  return isServing ? EXIT.ok : EXIT.refused;
}
