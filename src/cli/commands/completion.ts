/** `backpressure completion`: the script that has a shell complete commands, options and names. */

import { Argument } from "commander";
import { SCRIPTS, SHELLS, type Shell } from "../completion/scripts.ts";
import type { Context, DefineCommand } from "../session/context.ts";
import { EXIT } from "../session/exit-codes.ts";

const HELP = `
Prints a script. It completes commands, options, and names of limiters, leases, boards, stages and cards, which it asks the
server for with half a second's patience. Put the line for your shell into the file that it reads at its start:
  bash  source <(backpressure completion bash)
  zsh   source <(backpressure completion zsh)     behind compinit
  fish  backpressure completion fish | source

Examples:
  backpressure completion bash
  backpressure completion fish > ~/.config/fish/completions/backpressure.fish`;

export const defineCompletion: DefineCommand = (command, handle) => {
  command
    .addArgument(new Argument("<shell>", "which shell").choices(SHELLS))
    .addHelpText("after", HELP)
    .action(handle(print));
};

async function print({ terminal }: Context, shell: Shell): Promise<number> {
  for (const line of SCRIPTS[shell].trimEnd().split("\n")) terminal.print(line);
  return EXIT.ok;
}
