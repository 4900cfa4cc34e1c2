/** What is always true of work on a card. */

import { holds } from "../structures/invariant.ts";
import type { Work } from "./model.ts";
import type { BoardState } from "./state.ts";

/** It is the one work on its card, and its time runs exactly if its worker must show itself. O(1). */
export function assertWork(state: BoardState, work: Work): void {
  const { id, card, attachment, keepsOnCancel, ttl } = work;
  const { board } = card.stage;
  const subject = `work ${id}`;
  holds(state.works.get(id) === work, subject, "it is kept under its id");
  holds(!state.pullers.has(id), subject, "a puller has no work under its id");
  holds(card.work === work, subject, "a card has one work");
  holds(
    board.cards.get(card.id) === card && state.boards.get(board.config.name) === board,
    subject,
    "its card is there",
  );
  holds(work.token <= board.fencingToken, subject, "no fencing token is above the last");
  holds(
    attachment.kind !== "in-session" || attachment.term.session.caller === work.caller,
    subject,
    "its session is its caller's",
  );
  const showsLife =
    attachment.kind === "in-session" ||
    (attachment.kind === "attached" && (ttl === 0 || (attachment.monitored && !keepsOnCancel)));
  const lasts = ttl === undefined || showsLife;
  holds((work.heapIndex === -1) === lasts, subject, "its time runs exactly if its worker must show itself");
  if (lasts) return;
  holds(work.dueAt > state.now, subject, "it ends when its time has run out");
  holds(work.dueAt <= state.now + ttl, subject, "it has no more time than its ttl");
}
