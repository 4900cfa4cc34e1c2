/** `backpressure serve`: the server. */

import { InvalidArgumentError, Option } from "commander";
import type { Context, DefineCommand } from "../session/context.ts";
import { serverSignals } from "../session/server-signals.ts";

interface ServeFlags {
  readonly config?: string;
  readonly data?: string;
  readonly acceptLoss?: boolean;
  readonly pretty?: boolean;
}

const HELP = `
Without a file it serves the default configuration: one limiter, \`sample\`, and one board. SIGTERM or Ctrl-C drains it, a
second one ends it at once; the same signal within a second counts once. SIGHUP has it read its file again, which it does
by itself when the file changes. Signals that come during the start are done after it. Started by npm or npx, it drains
when that is gone. It exits with 0 when it was stopped, 1 if it could not start, 2 if the configuration is wrong. In a
worker of node:cluster, or in pm2's cluster mode, it does not start: run exactly one.

Limiters, leases, boards and cards are kept in the folder that the file's store.folder names, else --data, else
BACKPRESSURE_DATA. If none of them does: without a file in $XDG_STATE_HOME/backpressure, by default
~/.local/state/backpressure; with a file in memory alone. A --data that contradicts the file is refused.

On a terminal it says in lines what it serves, and logs in lines; elsewhere each line is a JSON object. --pretty and --no-pretty
say which of the two it is, wherever the lines go.

Variables that win over the file: BACKPRESSURE_GRPC_LISTEN, BACKPRESSURE_WEB_LISTEN, BACKPRESSURE_STORE_FOLDER,
BACKPRESSURE_LOG_LEVEL.

Examples:
  backpressure serve
  backpressure serve --config backpressure.yaml
  backpressure serve --data ./data
  backpressure serve --data none`;

export const defineServe: DefineCommand = (command, handle) => {
  command
    .addOption(
      new Option("-c, --config <file>", "the configuration (default: the file that BACKPRESSURE_CONFIG names)"),
    )
    .addOption(
      new Option(
        "--data <folder>",
        "the folder that data is kept in; none: memory alone (default: see below)",
      ).argParser(readFolder),
    )
    .addOption(
      new Option(
        "--accept-loss",
        "take up what can be read of a damaged data folder, and grant nothing until the longest possible ttl has passed",
      ),
    )
    .addOption(new Option("--pretty", "log in lines to read (default: on a terminal)"))
    .addOption(new Option("--no-pretty", "log in JSON, on a terminal, too"))
    .addHelpText("after", HELP)
    .action(handle(serve));
};

async function serve(_: Context, { config, data, acceptLoss = false, pretty }: ServeFlags): Promise<number> {
  const { runServer } = await import("../../server/main.ts");
  return runServer({ configPath: config, data, acceptLoss, pretty, signals: serverSignals() });
}

function readFolder(text: string): string {
  if (text === "") throw new InvalidArgumentError("It must name a folder, or be none.");
  return text;
}
