/** What becomes of a card, in few words. */

import type { Card, CardState } from "../../client/api/card.ts";

export const MARKS: Readonly<Record<CardState, string>> = {
  waiting: "·",
  active: "▸",
  blocked: "✗",
  finished: "✓",
  "sent-back": "↩",
  completed: "✓",
};

/** `7, Fix the login`; a card without a title is its id. */
export function cardName({ id, title }: Card): string {
  return title === "" ? id : `${id}, ${title}`;
}

/** What a drawing says below a card's title: its worker, or why it has none; empty for one that only waits. */
export function noteOf(card: Card): string {
  const { attempt, reason } = card;
  const attempts = attempt > 1 ? ` ×${attempt}` : "";
  const why = reason === "" ? "" : `: ${reason}`;
  switch (card.state) {
    case "active":
      return `${workerOf(card)}${attempts}`;
    case "blocked":
      return `blocked${attempts}${why}`;
    case "sent-back":
      return `sent back${why}`;
    case "finished":
    case "completed":
      return card.state;
    case "waiting":
      return attempt > 0 ? `given back${attempts}${why}` : "";
  }
}

/** Returns its worker, or the last one. */
export function workerOf({ lease }: Card): string {
  return lease === undefined ? "" : lease.worker || "unnamed";
}
