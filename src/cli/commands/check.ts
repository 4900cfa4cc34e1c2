/** `backpressure check`: whether the server would take a configuration, without starting it. */

import { formatCount } from "../../text/number.ts";
import type { Context, DefineCommand } from "../session/context.ts";
import { EXIT } from "../session/exit-codes.ts";

const HELP = `
Every problem is one line, as compilers write them: file:line:column: field: what is wrong. What is valid, but has no effect as
the rest stands, is named in the same way, and the exit code is 0.

Examples:
  backpressure check backpressure.yaml`;

export const defineCheck: DefineCommand = (command, handle) => {
  command.argument("<file>", "the configuration").addHelpText("after", HELP).action(handle(check));
};

async function check({ terminal, json }: Context, path: string): Promise<number> {
  const { loadConfig } = await import("../../server/config/config.ts");
  const { readEnvironment } = await import("../../server/config/environment.ts");
  const { formatProblem } = await import("../../server/config/problem.ts");
  const reading = loadConfig({ path, ...readEnvironment() });
  if (reading.kind === "loaded") {
    const { limiters, notes, origin } = reading;
    for (const { variable, section, field } of origin.overrides) {
      terminal.warn(`${variable} is set and stands for ${section}.${field}, whatever the file says`);
    }
    if (!json) for (const note of notes) terminal.warn(formatProblem(note));
    if (json) terminal.print(JSON.stringify({ valid: true, limiters: limiters.map(({ name }) => name), notes }));
    else terminal.print(`${path} is valid: ${formatCount(limiters.length, "limiter")}`);
    return EXIT.ok;
  }
  const { problems } = reading;
  if (json) terminal.print(JSON.stringify({ valid: false, problems }));
  else for (const problem of problems) terminal.warn(formatProblem(problem));
  return EXIT.refused;
}
