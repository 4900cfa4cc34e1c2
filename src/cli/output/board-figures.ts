/** How work flows over a board, in words. */

import type { Board, FlowTime, Stage } from "../../client/api/board.ts";
import { formatRoughly } from "../../text/duration.ts";
import { formatCount, formatNumber } from "../../text/number.ts";

/** The board's figures, each part to be kept on one line. */
export function boardFigures({ status }: Board): string[] {
  const { blocked, completedCount, leadTime, bottleneck } = status;
  const counts = [formatCount(status.cards, "card"), `${formatNumber(completedCount)} done`];
  if (blocked > 0) counts.splice(1, 0, `${formatNumber(blocked)} blocked`);
  return [
    counts.join(", "),
    `λ ${formatNumber(status.arrivalsPerHour)}/h, throughput μ ${formatNumber(status.throughputPerHour)}/h`,
    `lead time ${flowTimeWords(leadTime)}`,
    `L ${formatNumber(status.cards)}, λW ${formatNumber(status.expectedCards)}`,
    `bottleneck ${bottleneck === "" ? "none" : bottleneck}`,
  ];
}

/** `3/3 full`, `2/5`; without a limit, the count alone. */
export function countWords({ wipLimit, status }: Stage): string {
  const count = formatNumber(status.cards);
  if (wipLimit === undefined) return count;
  return `${count}/${formatNumber(wipLimit)}${status.cards >= wipLimit ? " full" : ""}`;
}

/** The pullers that wait in the stage; empty where there are none. */
export function idleWords({ status }: Stage): string {
  return status.pullers === 0 ? "" : `${formatNumber(status.pullers)} idle`;
}

export function rateWords({ status }: Stage): string {
  return `λ ${formatNumber(status.arrivalsPerHour)} μ ${formatNumber(status.departuresPerHour)} /h`;
}

/** `2h p50, 3h12m p85`. */
function flowTimeWords({ p50Ms, p85Ms }: FlowTime): string {
  return `${spanWords(p50Ms)} p50, ${spanWords(p85Ms)} p85`;
}

/** A measured span of time; a dash where none was. */
export function spanWords(ms: number | undefined): string {
  return ms === undefined ? "-" : formatRoughly(ms);
}
