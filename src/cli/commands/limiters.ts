/** `backpressure limiters`: what there is to see and to change of limiters. */

import type { DefineCommand } from "../session/context.ts";
import { UsageError } from "../session/failure.ts";
import { defineDelete } from "./limiters/delete.ts";
import { defineGet } from "./limiters/get.ts";
import { defineList, list } from "./limiters/list.ts";
import { definePause, defineResume } from "./limiters/pause.ts";
import { defineSet } from "./limiters/set.ts";
import { defineWatch } from "./limiters/watch.ts";

const COMMANDS: readonly (readonly [name: string, description: string, define: DefineCommand])[] = [
  ["list", "every limiter, with what goes on in it (what `limiters` alone does)", defineList],
  ["watch", "the same, kept up to date", defineWatch],
  ["get", "one limiter in full", defineGet],
  ["set", "create a limiter, or change it", defineSet],
  ["pause", "grant nothing, and keep the waiters", definePause],
  ["resume", "admit again", defineResume],
  ["delete", "delete a limiter; it drains while it is held", defineDelete],
];

export const defineLimiters: DefineCommand = (limiters, handle) => {
  for (const [name, description, define] of COMMANDS) define(limiters.command(name).description(description), handle);
  limiters
    .usage("[command] [options]")
    .argument("[command]", "list, if none is named")
    .action(
      handle(async (context, unknown: string | undefined) => {
        if (unknown === undefined) return list(context);
        const names = COMMANDS.map(([name]) => name).join(", ");
        throw new UsageError(`unknown command '${unknown}' of limiters: there are ${names}`);
      }),
    );
};
