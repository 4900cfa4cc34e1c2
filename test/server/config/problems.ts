import { parseConfig } from "../../../src/server/config/config.ts";
import { formatProblem } from "../../../src/server/config/problem.ts";

/** Returns what is wrong with a configuration, as lines. */
export function problems(text: string): readonly string[] {
  const reading = parseConfig(text, { path: "b.yaml", overrides: [] });
  return reading.kind === "invalid" ? reading.problems.map(formatProblem) : [];
}
