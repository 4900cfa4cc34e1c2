/** Taking up again after a restart: every card stands where it stood, and each worker has its ttl to come back. */

import { ANONYMOUS_CALLER, callerOf, countIn, keyOfCaller } from "../callers.ts";
import { DETACHED, holdIn, ORPHANED, restartTtl } from "../liveness.ts";
import { createSession } from "../session.ts";
import { makeBoard } from "./board-commands.ts";
import { forgetCompleted, noteCompleted, rank } from "./cards.ts";
import type { BoardChange } from "./command.ts";
import type { Board, Card, Stage, Work } from "./model.ts";
import type { BoardRecord, BoardRecords, CardRecord, WorkRecord } from "./record.ts";
import { type BoardState, touch, unsettle } from "./state.ts";
import { failWork, VANISHED } from "./work.ts";

export interface RestoredBoards {
  /** Works that hold a lease on the limiter of their stage, with the id of that. */
  readonly claimed: readonly { readonly id: string; readonly leaseId: string; readonly caller: string }[];
  /** What is not as it was kept. */
  readonly changes: readonly BoardChange[];
}

/**
 * Instants in the records count from the machine's own zero. The next step settles the boards.
 *
 * Only damage parts a card from its stage or its board. Without its stage it is blocked in the first, or completed in the
 * last if it was, so that an operator looks at it and nothing is done twice; without its board it stays as it was kept.
 */
export function restoreBoards(state: BoardState, { boards, cards }: BoardRecords): RestoredBoards {
  for (const record of boards) restoreBoard(state, record);
  // Those, too, that stay where they are kept.
  for (const { serial, entry } of cards) state.serial = Math.max(state.serial, serial, entry);
  const astray: [Board, CardRecord][] = [];
  for (const record of soleRequests(cards).sort((a, b) => a.entry - b.entry)) {
    const board = state.boards.get(record.board);
    const stage = board?.stages.find(({ config }) => config.name === record.stage);
    if (stage !== undefined && fits(stage, record)) restoreCard(state, stage, record);
    else if (board !== undefined) astray.push([board, record]);
  }
  state.changes = [];
  for (const [board, record] of astray) restoreCard(state, ...substitute(state, board, record));
  for (const board of state.boards.values()) {
    unsettle(state, board);
    forgetCompleted(state, board);
  }
  for (const work of [...state.works.values()]) if (work.ttl === 0) failWork(state, work, VANISHED, "otherwise");
  const claimed = [...state.works.values()].flatMap(({ id, leaseId, caller }) =>
    leaseId === undefined ? [] : [{ id, leaseId, caller }],
  );
  return { claimed, changes: state.changes };
}

/**
 * The same, but that no two works have one request id. Damage can bring back what a card was under an id that was used again
 * since, when it was forgotten: the id stands for the work that was begun last.
 */
function soleRequests(cards: readonly CardRecord[]): CardRecord[] {
  const newest = new Map<string, WorkRecord>();
  for (const { work } of cards) {
    if (work === undefined || work.requestId === "") continue;
    const key = keyOfCaller(callerOf(work), work.requestId);
    const other = newest.get(key);
    if (other === undefined || other.pulledAt < work.pulledAt) newest.set(key, work);
  }
  return cards.map((card) => {
    const { work } = card;
    const isSole =
      work === undefined || work.requestId === "" || newest.get(keyOfCaller(callerOf(work), work.requestId)) === work;
    return isSole ? card : { ...card, work: { ...work, requestId: "" } };
  });
}

/** Whether a card of this state can stand in the stage. */
function fits(stage: Stage, { state }: CardRecord): boolean {
  const last = stage.board.stages.length - 1;
  if ((state === "completed") !== (stage.index === last)) return false;
  return stage.config.kind === "work" || state === "waiting" || state === "blocked" || state === "completed";
}

/** Where a card goes whose stage is gone, and as what: it has come there just now. */
function substitute(state: BoardState, board: Board, record: CardRecord): [Stage, CardRecord] {
  state.serial += 1;
  const { now } = state;
  const moved = { ...record, work: undefined, entry: state.serial, enteredAt: now };
  if (record.completedAt !== undefined) {
    return [board.stages.at(-1) as Stage, { ...moved, state: "completed", blockedAt: undefined }];
  }
  const reason = `its stage ${record.stage} was lost, in which it was ${record.state}`;
  return [board.stages[0] as Stage, { ...moved, state: "blocked", blockedAt: record.blockedAt ?? now, reason }];
}

function restoreBoard(state: BoardState, { config, declaration, revision, createdAt, updatedAt }: BoardRecord): void {
  const board = makeBoard(state, config, declaration);
  Object.assign(board, { createdAt: Math.min(createdAt, state.now) });
  board.revision = revision;
  board.updatedAt = Math.min(updatedAt, state.now);
}

function restoreCard(state: BoardState, stage: Stage, record: CardRecord): void {
  const { board } = stage;
  const { board: _, stage: __, work, lastWork, addedAt, enteredAt, completedAt, blockedAt, ...rest } = record;
  const { now } = state;
  const card: Card = {
    ...rest,
    stage,
    revision: 0,
    work: undefined,
    lastWork: lastWork && { ...lastWork, caller: callerOf(lastWork), pulledAt: Math.min(lastWork.pulledAt, now) },
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
  board.fencingToken = Math.max(board.fencingToken, work?.token ?? 0, lastWork?.token ?? 0);
  if (work !== undefined) restoreWork(state, card, work);
  rank(card);
  touch(state, card);
}

function restoreWork(state: BoardState, card: Card, record: WorkRecord): void {
  const {
    claimed,
    leaseId,
    detached,
    pulledAt,
    caller = ANONYMOUS_CALLER,
    heard = true,
    keepsOnCancel = false,
    session: id,
    ...rest
  } = record;
  const work: Work = {
    kind: "work",
    card,
    ...rest,
    caller,
    pulledAt: Math.min(pulledAt, state.now),
    keepsOnCancel,
    heard,
    leaseId: claimed ? (leaseId ?? rest.id) : undefined,
    promises: 1,
    attachment: detached ? DETACHED : ORPHANED,
    dueAt: 0,
    heapIndex: -1,
  };
  card.work = work;
  state.works.set(work.id, work);
  countIn(state, caller, "leases");
  if (work.requestId !== "") state.requests.set(keyOfCaller(caller, work.requestId), work);
  if (id !== undefined) {
    const session = state.sessions.get(id) ?? createSession(id, caller, state.now);
    state.sessions.set(id, session);
    // Only damage can have put what two callers have into one session.
    if (session.caller === caller) holdIn(state, work, session, false);
  }
  restartTtl(state, work);
}
