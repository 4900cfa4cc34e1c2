/** `backpressure cancel`: takes a waiter out of the queue. */

import { CancelWaiterResponseSchema } from "../../client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { openLimiterCalls } from "../session/connection.ts";
import type { Context, DefineCommand } from "../session/context.ts";
import { EXIT } from "../session/exit-codes.ts";
import { jsonLine } from "../text/json-line.ts";

export const defineCancel: DefineCommand = (command, handle) => {
  command.argument("<waiter>", "its id, as `waiters` shows it").action(handle(cancel));
};

async function cancel({ terminal, address, json }: Context, waiterId: string): Promise<number> {
  using calls = await openLimiterCalls(address);
  const response = await calls.unary((rpc, options) => rpc.cancelWaiter({ waiterId }, options));
  terminal.print(
    json ? jsonLine(CancelWaiterResponseSchema, response) : `waiter ${waiterId} is taken out of the queue`,
  );
  return EXIT.ok;
}
