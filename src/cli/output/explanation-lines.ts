/** Why a queue stands, for people and for scripts. */

import { actWords } from "../../explain/act.ts";
import type { Explanation } from "../../explain/explanation.ts";
import { nameOf } from "../../explain/words.ts";
import { wrapText } from "../text/width.ts";
import { actCommand, commandLine } from "./act-command.ts";

const INDENT = "  ";

/** `width`: columns of the terminal; undefined: lines are as long as it takes. */
export function explanationLines(explanation: Explanation, width: number | undefined): string[] {
  const { limiter, key, sentence, details, acts, behind } = explanation;
  const room = width === undefined ? undefined : width - INDENT.length;
  const indented = (text: string) => wrapText(text, room).map((line) => `${INDENT}${line}`);
  const lines = [nameOf(limiter, key), ...[sentence, ...details].flatMap(indented)];
  for (const act of acts) {
    const command = actCommand(act);
    lines.push(...wrapText(`→ ${actWords(act)}`, width));
    if (command !== undefined) lines.push(`${INDENT}${commandLine(command)}`);
  }
  return behind === undefined ? lines : [...lines, "", ...explanationLines(behind, width)];
}

/** The same as one JSON object; durations are ms. */
export function explanationJson(explanation: Explanation): object {
  const { limiter, key, standing, sentence, details, overdue, acts, behind } = explanation;
  return {
    limiter,
    key,
    state: standing.state,
    cause: standing.cause,
    oldestWaitMs: wholeMs(standing.oldestWaitMs),
    sinceLastGrantMs: wholeMs(standing.sinceLastGrantMs),
    sentence,
    details,
    overdue: overdue.map(({ lease, permits, heldMs, usualMs }) => ({
      leaseId: lease.id,
      holder: lease.holder,
      permits,
      heldMs,
      usualMs: wholeMs(usualMs),
    })),
    acts: acts.map((act) => ({ ...act, words: actWords(act), command: actCommand(act) ?? null })),
    behind: behind === undefined ? null : explanationJson(behind),
  };
}

function wholeMs(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms);
}
