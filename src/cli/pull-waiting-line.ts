/** How a wait for a card goes, on standard error: rewritten in place on a terminal. */

import type { Reason } from "../client/reasons.ts";
import type { PullNotice } from "../client/work.ts";
import type { Terminal } from "./terminal.ts";

/** What is told each place. Off a terminal it says nothing, unless it is to be `verbose`: then a line for each change. */
export function createPullWaitingLine(
  terminal: Terminal,
  stage: string,
  verbose: boolean,
): (notice: PullNotice) => void {
  let said = "";
  return ({ pullersAhead, missing }) => {
    const place = pullersAhead === 0 ? "next" : `${pullersAhead} ahead`;
    const words = `waiting for a card in ${stage}: ${place}, ${MISSING[missing] ?? missing}`;
    if (words === said) return;
    said = words;
    if (verbose) terminal.warn(words);
    else terminal.showStatus(words);
  };
}

const MISSING: Partial<Record<Reason, string>> = {
  NO_CARD: "there is none now",
  STAGE_FULL: "the stage is full",
  CONCURRENCY_EXHAUSTED: "its limiter has no permit free",
  RATE_EXHAUSTED: "its limiter has no token left",
};
