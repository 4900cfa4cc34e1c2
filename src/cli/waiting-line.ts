/** How a wait goes, on standard error: rewritten in place on a terminal. */

import type { WaitingNotice } from "../client/admission-controller.ts";
import { formatRoughly } from "./duration.ts";
import type { Terminal } from "./terminal.ts";

/** What is told each place. Off a terminal it says nothing, unless it is to be `verbose`: then a line for each change. */
export function createWaitingLine(
  terminal: Terminal,
  limiter: string,
  verbose: boolean,
): (notice: WaitingNotice) => void {
  let said = "";
  return (notice) => {
    const words = waitingWords(limiter, notice);
    if (words === said) return;
    said = words;
    if (verbose) terminal.warn(words);
    else terminal.showStatus(words);
  };
}

function waitingWords(limiter: string, { waitersAhead, estimatedWaitMs }: WaitingNotice): string {
  const place = waitersAhead === 0 ? "next in the queue" : `${waitersAhead} ahead`;
  const estimate = estimatedWaitMs === undefined ? "" : `, about ${formatRoughly(estimatedWaitMs)}`;
  return `waiting for ${limiter}: ${place}${estimate}`;
}
