/** Taking up again after a restart: every card stands where it stood, and whoever worked on one has its ttl to come back. */

import { DETACHED, ORPHANED } from "../lease.ts";
import { forgetCompleted, noteCompleted, rank } from "./cards.ts";
import { makeBoard } from "./configure.ts";
import type { Board, Card, Stage, Work } from "./model.ts";
import type { BoardRecord, BoardRecords, CardRecord, WorkRecord } from "./record.ts";
import { type BoardState, touch } from "./state.ts";
import { failWork, startClock, VANISHED } from "./work.ts";

export interface RestoredBoards {
  /** Works that hold a lease on the limiter of their stage. */
  readonly claimed: readonly Work[];
}

/** Instants in the records count from the machine's own zero. The next step settles the boards. */
export function restoreBoards(state: BoardState, { boards, cards }: BoardRecords): RestoredBoards {
  for (const record of boards) restoreBoard(state, record);
  for (const record of [...cards].sort((a, b) => a.entry - b.entry)) {
    const board = state.boards.get(record.board);
    const stage = board?.stages.find(({ config }) => config.name === record.stage);
    if (board !== undefined && stage !== undefined) restoreCard(state, board, stage, record);
  }
  for (const board of state.boards.values()) {
    board.unsettled = true;
    state.unsettled.push(board);
    forgetCompleted(state, board);
  }
  for (const work of [...state.works.values()]) if (work.ttl === 0) failWork(state, work, VANISHED);
  return { claimed: [...state.works.values()].filter(({ claimed }) => claimed) };
}

function restoreBoard(state: BoardState, { config, declaration, revision, createdAt, updatedAt }: BoardRecord): void {
  const board = makeBoard(state, config, declaration);
  Object.assign(board, { createdAt: Math.min(createdAt, state.now) });
  board.revision = revision;
  board.updatedAt = Math.min(updatedAt, state.now);
}

function restoreCard(state: BoardState, board: Board, stage: Stage, record: CardRecord): void {
  const { board: _, stage: __, work, lastWork, addedAt, enteredAt, completedAt, blockedAt, ...rest } = record;
  const { now } = state;
  const card: Card = {
    ...rest,
    stage,
    revision: 0,
    work: undefined,
    lastWork: lastWork && { ...lastWork, pulledAt: Math.min(lastWork.pulledAt, now) },
    reservedFor: undefined,
    addedAt: Math.min(addedAt, now),
    enteredAt: Math.min(enteredAt, now),
    completedAt: completedAt === undefined ? undefined : Math.min(completedAt, now),
    blockedAt: blockedAt === undefined ? undefined : Math.min(blockedAt, now),
    dueAt: 0,
    heapIndex: -1,
  };
  board.cards.set(card.id, card);
  stage.cards.set(card.id, card);
  stage.tally[card.state] += 1;
  if (card.state === "blocked") board.blocked += 1;
  if (completedAt !== undefined) noteCompleted(state, board, completedAt);
  state.serial = Math.max(state.serial, card.serial, card.entry);
  board.fencingToken = Math.max(board.fencingToken, work?.token ?? 0, lastWork?.token ?? 0);
  if (work !== undefined) restoreWork(state, card, work);
  rank(card);
  touch(state, card);
}

function restoreWork(state: BoardState, card: Card, { detached, pulledAt, ...rest }: WorkRecord): void {
  const work: Work = {
    kind: "work",
    card,
    ...rest,
    pulledAt: Math.min(pulledAt, state.now),
    attachment: detached ? DETACHED : ORPHANED,
    dueAt: 0,
    heapIndex: -1,
  };
  card.work = work;
  state.works.set(work.id, work);
  if (work.requestId !== "") state.requests.set(work.requestId, work);
  startClock(state, work);
}
