/** How a wait goes, on standard error: rewritten in place on a terminal. */

import type { WaitingNotice } from "../../client/api/admission-controller.ts";
import type { Reason } from "../../client/api/reasons.ts";
import type { PullNotice } from "../../client/api/work.ts";
import { formatRoughly } from "../../text/duration.ts";
import type { Terminal } from "../session/terminal.ts";

/** Shows a waiter's place. Off a terminal it says nothing unless it is `verbose`: then a line for each change. */
export function createWaitingLine(
  terminal: Terminal,
  limiter: string,
  verbose: boolean,
): (notice: WaitingNotice) => void {
  const show = createLine(terminal, verbose);
  return ({ waitersAhead, estimatedWaitMs }) => {
    const place = waitersAhead === 0 ? "next in the queue" : `${waitersAhead} ahead`;
    const estimate = estimatedWaitMs === undefined ? "" : `, about ${formatRoughly(estimatedWaitMs)}`;
    show(`waiting for ${limiter}: ${place}${estimate}`);
  };
}

/** The same for a worker that waits for a card, with what is missing. */
export function createPullWaitingLine(
  terminal: Terminal,
  stage: string,
  verbose: boolean,
): (notice: PullNotice) => void {
  const show = createLine(terminal, verbose);
  return ({ pullersAhead, missing }) => {
    const place = pullersAhead === 0 ? "next" : `${pullersAhead} ahead`;
    show(`waiting for a card in ${stage}: ${place}, ${MISSING[missing] ?? missing}`);
  };
}

const MISSING: Partial<Record<Reason, string>> = {
  NO_CARD: "there is none now",
  STAGE_FULL: "the stage is full",
  CONCURRENCY_EXHAUSTED: "its limiter has no permit free",
  RATE_EXHAUSTED: "its limiter has no token left",
  WAITERS_AHEAD: "others wait for its limiter before it",
  PAUSED: "its limiter is paused",
};

function createLine(terminal: Terminal, verbose: boolean): (words: string) => void {
  let shown = "";
  return (words) => {
    if (words === shown) return;
    shown = words;
    if (verbose) terminal.warn(words);
    else terminal.showStatus(words);
  };
}
