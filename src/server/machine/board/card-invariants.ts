/** What is always true of one card. */

import { holds } from "../structures/invariant.ts";
import type { Card, CardState, Stage } from "./model.ts";
import type { BoardState } from "./state.ts";

/** Its state is one that a card may have in its stage, and everything about it fits that state. O(1). */
export function assertCard(state: BoardState, card: Card): void {
  const { board } = card.stage;
  const subject = `board ${board.config.name}, card ${card.id}`;
  holds(statesIn(card.stage).includes(card.state), subject, "its state is one that cards have in its stage");
  holds((card.work !== undefined) === (card.state === "active"), subject, "active equals has work");
  holds(
    (card.blockedAt !== undefined) === (card.state === "blocked"),
    subject,
    "its blocked time runs while it is blocked",
  );
  holds(
    (card.completedAt !== undefined) === (card.state === "completed"),
    subject,
    "it has a time of completion exactly if it is completed",
  );
  holds(card.addedAt <= card.enteredAt && card.enteredAt <= state.now, subject, "it came when it came");
  holds(card.attempt >= (card.work === undefined ? 0 : 1), subject, "a card with work has an attempt of at least 1");
  holds((card.lastWork?.token ?? 0) < (card.work?.token ?? Number.POSITIVE_INFINITY), subject, "its tokens rise");
  holds((card.lastWork?.token ?? 0) <= board.fencingToken, subject, "no fencing token is above the last");
  const keeper = card.reservedFor;
  if (keeper === undefined) return;
  const pull = keeper.claiming;
  const kept = pull?.card === card || (pull?.kind === "exchange" && pull.up === card);
  holds(kept && state.pullers.get(keeper.id) === keeper, subject, "it is kept for a puller that waits for it");
  holds(card.heapIndex === -1, subject, "a card that is kept for a puller is not in the ranking");
}

function statesIn({ board, index, config }: Stage): readonly CardState[] {
  if (index === board.stages.length - 1) return COMPLETED;
  return config.kind === "queue" ? IN_QUEUE : AT_WORK;
}

const COMPLETED: readonly CardState[] = ["completed"];
const IN_QUEUE: readonly CardState[] = ["waiting", "blocked"];
const AT_WORK: readonly CardState[] = ["waiting", "active", "blocked", "finished", "sent-back"];
