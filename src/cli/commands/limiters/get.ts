/** `backpressure limiters get`: one limiter in full. */

import { Option } from "commander";
import { GetLimiterResponseSchema } from "../../../client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { limiterFields } from "../../output/limiter-fields.ts";
import { openLimiterCalls } from "../../session/connection.ts";
import type { Context, DefineCommand } from "../../session/context.ts";
import { EXIT } from "../../session/exit-codes.ts";
import { jsonLine } from "../../text/json-line.ts";

interface GetFlags {
  readonly key?: string;
}

export const defineGet: DefineCommand = (command, handle) => {
  command
    .argument("<limiter>", "its name")
    .addOption(new Option("--key <key>", "of a keyed limiter: what goes on under that key alone"))
    .action(handle(get));
};

async function get({ terminal, address, json }: Context, name: string, { key }: GetFlags): Promise<number> {
  using calls = await openLimiterCalls(address);
  const response = await calls.unary((rpc, options) => rpc.getLimiter({ name, key }, options));
  const { limiter } = response;
  if (json) terminal.print(jsonLine(GetLimiterResponseSchema, response));
  else if (limiter !== undefined) for (const line of limiterFields(limiter, key)) terminal.print(line);
  return EXIT.ok;
}
