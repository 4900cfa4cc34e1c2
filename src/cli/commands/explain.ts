/** `backpressure explain`: why a limiter stands as it does, and what may be done. */

import { Option } from "commander";
import { LimiterService } from "../../client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { explain } from "../../explain/explanation.ts";
import { lookAt } from "../../explain/look.ts";
import { explanationJson, explanationLines } from "../output/explanation-lines.ts";
import { createLookPorts } from "../reading/look-ports.ts";
import { openCalls } from "../session/connection.ts";
import type { Context, DefineCommand } from "../session/context.ts";
import { EXIT } from "../session/exit-codes.ts";

interface ExplainFlags {
  readonly key?: string;
}

const HELP = `
Says whether requests stand, shed or go on, what holds them back (the rate, the concurrency, a holder that does not release,
another limiter of the same request, a pause), since when, and what may be done. Of a keyed limiter without --key it looks at
the key of the oldest waiter.

Examples:
  backpressure explain gpu
  backpressure explain tenants --key acme
  backpressure --json explain gpu | jq -r .state`;

export const defineExplain: DefineCommand = (command, handle) => {
  command
    .argument("<limiter>", "its name")
    .addOption(new Option("--key <key>", "of a keyed limiter: this key"))
    .addHelpText("after", HELP)
    .action(handle(run));
};

async function run({ terminal, address, json }: Context, name: string, { key = "" }: ExplainFlags): Promise<number> {
  using calls = await openCalls(LimiterService, address);
  const explanation = explain(await lookAt(createLookPorts(calls), name, key));
  if (json) terminal.print(JSON.stringify(explanationJson(explanation)));
  else for (const line of explanationLines(explanation, terminal.size()?.columns)) terminal.print(line);
  return EXIT.ok;
}
