/** `backpressure try`: asks whether a lease can be had at once. */

import { type ClaimFlags, claimOptions, toTryOptions } from "../options/claims.ts";
import { createLeaseNews } from "../output/create-lease-news.ts";
import { openClient } from "../session/connection.ts";
import type { Context, DefineCommand } from "../session/context.ts";
import { EXIT } from "../session/exit-codes.ts";

const HELP = `
A lease that is granted is given back at once; what it has spent of the rate stays spent. To hold it while a command
runs, use \`run --max-wait 0\`.

Examples:
  backpressure try partner-api && curl https://partner.example/orders
  backpressure try gpu --permits 2 || echo "busy"`;

export const defineTry: DefineCommand = (command, handle) => {
  claimOptions(command).argument("<limiter>", "its name").addHelpText("after", HELP).action(handle(tryOnce));
};

async function tryOnce(context: Context, limiter: string, flags: ClaimFlags): Promise<number> {
  const news = createLeaseNews(context, { limiter, verbose: false });
  await using client = await openClient(context.address, { retry: { maxAttempts: 1 } });
  await using attempt = await client.tryAcquire(limiter, toTryOptions(flags));
  if (attempt.granted) news.granted(attempt, false);
  else news.refused(attempt);
  return attempt.granted ? EXIT.ok : EXIT.refused;
}
