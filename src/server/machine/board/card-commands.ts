/** Cards come onto a board, change their words, and are taken off. */

import { type Refusal, refusal } from "../reasons.ts";
import { enter, fullness, rank, removeCard, room, sampleFlow, unrank } from "./cards.ts";
import type { AddCard, BoardOutcomes, DeleteCard, UpdateCard } from "./command.ts";
import type { Card, CardContent, Stage } from "./model.ts";
import { type BoardState, touch, unsettle } from "./state.ts";
import { endWork, placeOf, tellOver } from "./work.ts";
import { findCard, freeCard } from "./work-commands.ts";

export function addCard(state: BoardState, command: AddCard): BoardOutcomes["add-card"] {
  const board = state.boards.get(command.board);
  const at = { board: command.board, card: command.id };
  if (board === undefined) return refusal("BOARD_NOT_FOUND", { at });
  const known = board.cards.get(command.id);
  if (known !== undefined) {
    return sameContent(known.content, command.content) ? { kind: "card", card: known } : refusal("CARD_EXISTS", { at });
  }
  const first = board.stages[0] as Stage;
  if (board.cards.size >= board.config.maxCards) {
    return refusal("BOARD_FULL", { at, numbers: { maxCards: board.config.maxCards } });
  }
  if (room(first) <= 0) {
    return refusal("STAGE_FULL", { at: { ...at, stage: first.config.name }, numbers: fullness(first) });
  }
  sampleFlow(state, board);
  state.serial += 1;
  const card: Card = {
    id: command.id,
    content: command.content,
    stage: first,
    state: "waiting",
    serial: state.serial,
    revision: 0,
    work: undefined,
    lastWork: undefined,
    reservedFor: undefined,
    attempt: 0,
    reason: "",
    result: "",
    addedAt: state.now,
    enteredAt: state.now,
    entry: 0,
    completedAt: undefined,
    blockedAt: undefined,
    blockedTime: 0,
    dueAt: 0,
    heapIndex: -1,
  };
  board.cards.set(card.id, card);
  board.arrivals.count(state.now);
  first.tally.waiting += 1;
  enter(state, card);
  rank(card);
  touch(state, card);
  unsettle(state, board);
  return { kind: "card", card };
}

export function updateCard(state: BoardState, command: UpdateCard): BoardOutcomes["update-card"] {
  const card = findCard(state, command.board, command.cardId);
  if (card.kind === "refused") return card;
  const stale = staleRevision(card, command.revision);
  if (stale !== undefined) return stale;
  unrank(card);
  card.content = { ...card.content, ...command.content };
  rank(card);
  touch(state, card);
  return { kind: "card", card };
}

export function deleteCard(state: BoardState, command: DeleteCard): BoardOutcomes["delete-card"] {
  const card = findCard(state, command.board, command.cardId);
  if (card.kind === "refused") return card;
  const stale = staleRevision(card, command.revision);
  if (stale !== undefined) return stale;
  dropCard(state, card);
  return { kind: "done" };
}

/** Takes a card off its board, and ends the work on it. */
export function dropCard(state: BoardState, card: Card): void {
  freeCard(state, card);
  const { work } = card;
  if (work !== undefined) {
    endWork(state, work, "waiting", "otherwise");
    tellOver(state, work, "CARD_DELETED");
  }
  removeCard(state, card);
}

function staleRevision(card: Card, revision: number | undefined): Refusal | undefined {
  return revision === undefined || revision === card.revision
    ? undefined
    : refusal("ETAG_MISMATCH", { at: placeOf(card) });
}

function sameContent(a: CardContent, b: CardContent): boolean {
  return a.title === b.title && a.description === b.description && a.data === b.data && a.priority === b.priority;
}
