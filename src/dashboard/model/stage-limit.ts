/** What will come of a change of a stage's limit. */

import { formatCount, formatNumber } from "../../text/number.ts";

/** `limit`: undefined: none. */
export function stageLimitPreview(stage: string, cards: number, limit: number | undefined): string {
  if (limit === undefined) return `${stage} takes whatever is pulled into it.`;
  if (cards > limit) {
    return `${formatCount(cards, "card")} in ${stage} stay there, and none is pulled into it until there are fewer than ${formatNumber(limit)}.`;
  }
  const room = limit - cards;
  return room === 0
    ? `${stage} is full with the ${formatCount(cards, "card")} that it has.`
    : `${stage} has ${formatCount(cards, "card")}, and room for ${formatNumber(room)} more.`;
}
