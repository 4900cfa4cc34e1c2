/** `backpressure limiters pause` and `resume`: close a limiter to newcomers, and open it again. */

import { UpdateLimiterResponseSchema } from "../../../client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { formatNumber } from "../../../text/number.ts";
import { openLimiterCalls } from "../../session/connection.ts";
import type { Context, DefineCommand } from "../../session/context.ts";
import { EXIT } from "../../session/exit-codes.ts";
import { jsonLine } from "../../text/json-line.ts";

export const definePause: DefineCommand = (command, handle) => {
  command.argument("<limiter>", "its name").action(handle((context, name: string) => setPaused(context, name, true)));
};

export const defineResume: DefineCommand = (command, handle) => {
  command.argument("<limiter>", "its name").action(handle((context, name: string) => setPaused(context, name, false)));
};

async function setPaused({ terminal, address, json }: Context, name: string, paused: boolean): Promise<number> {
  using calls = await openLimiterCalls(address);
  const request = { limiter: { name, paused }, updateMask: { paths: ["paused"] } };
  const response = await calls.unary((rpc, options) => rpc.updateLimiter(request, options));
  if (json) {
    terminal.print(jsonLine(UpdateLimiterResponseSchema, response));
    return EXIT.ok;
  }
  const { waiters = 0n, leases = 0n } = response.limiter?.status ?? {};
  const counts = `${formatNumber(Number(waiters))} waiting, ${formatNumber(Number(leases))} holding`;
  terminal.print(paused ? `${name} is paused: ${counts}` : `${name} admits again: ${counts}`);
  return EXIT.ok;
}
