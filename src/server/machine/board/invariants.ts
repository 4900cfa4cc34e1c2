/**
 * What is always true of the board machine's state between two steps. A check that fails throws: that is a bug, never a
 * caller's fault. They change nothing, and derive what they expect from the cards, works and pullers themselves rather
 * than from what is kept beside them.
 */

import { assertCallers } from "../caller-invariants.ts";
import { keyOfCaller } from "../callers.ts";
import { assertSessions } from "../session-invariants.ts";
import type { Due } from "../structures/indexed-heap.ts";
import { counts, holds, holdsHeap } from "../structures/invariant.ts";
import { assertCard } from "./card-invariants.ts";
import type { Board, Stage } from "./model.ts";
import { assertPuller, assertPullers } from "./puller-invariants.ts";
import type { BoardState } from "./state.ts";
import { assertWork } from "./work-invariants.ts";

/** Everything; O(n log n) in all that there is. */
export function assertBoards(state: BoardState): void {
  holds(state.unsettled.length === 0, "machine", "no board is left unsettled");
  for (const [name, board] of state.boards) {
    holds(board.config.name === name, subjectOf(board), "it is kept under its name");
    assertBoard(state, board);
  }
  assertSessions(state, state.works, state.pullers.values());
  for (const puller of state.pullers.values()) assertPuller(state, puller);
  for (const work of state.works.values()) assertWork(state, work);
  assertRequests(state);
  assertDeadlines(state);
  assertCallers(state, { leases: state.works.values(), waiters: state.pullers.values() });
}

/** One board: its cards stand where they should, and no puller waits for what is there. */
function assertBoard(state: BoardState, board: Board): void {
  const subject = subjectOf(board);
  holds(!board.unsettled, subject, "no board is left unsettled");
  assertStages(board);
  let standing = 0;
  let blocked = 0;
  for (const stage of board.stages) {
    standing += stage.cards.size;
    blocked += stage.tally.blocked;
    assertStage(state, stage);
  }
  // Each card of the board stands in the stage that it names, and no stage has another: so each stands in one.
  for (const [id, card] of board.cards) {
    holds(card.id === id, subject, "a card is kept under its id");
    holds(board.stages.includes(card.stage), subject, `card ${id} stands in a stage of its board`);
    holds(card.stage.cards.get(id) === card, subject, `card ${id} stands where it says`);
    assertCard(state, card);
  }
  counts(standing, board.cards.size, subject, "cards, each in one stage");
  counts(board.blocked, blocked, subject, "blocked cards");
  assertLog(board);
  assertRetention(board);
}

function assertStages(board: Board): void {
  const { config, stages } = board;
  const names = new Set<string>();
  for (const [index, stage] of stages.entries()) {
    const subject = `board ${config.name}, stage ${stage.config.name}`;
    names.add(stage.config.name);
    holds(stage.index === index, subject, "it knows its place");
    holds(stage.board === board, subject, "it stands on its board");
    holds(stage.config === config.stages[index], subject, "it is as the board's configuration has it");
    const atEnd = index === 0 || index === stages.length - 1;
    holds(!atEnd || stage.config.kind === "queue", subject, "work is done between the ends");
  }
  counts(stages.length, names.size, `board ${config.name}`, "stages, each with a name of its own");
}

/** Its cards are counted and ranked by their states, its limit holds, and no puller in it waits for what is there. */
function assertStage(state: BoardState, stage: Stage): void {
  const { board, config, cards, tally } = stage;
  const subject = `board ${board.config.name}, stage ${config.name}`;
  const seen = { waiting: 0, active: 0, blocked: 0, finished: 0, "sent-back": 0, completed: 0 };
  const free = { waiting: 0, finished: 0, "sent-back": 0, completed: 0 };
  let entry = 0;
  for (const card of cards.values()) {
    holds(card.entry > entry && card.entry <= state.serial, subject, "cards stand in the order in which they came");
    entry = card.entry;
    seen[card.state] += 1;
    if (card.reservedFor === undefined && card.state in free) free[card.state as keyof typeof free] += 1;
  }
  for (const cardState of Object.keys(seen) as (keyof typeof seen)[]) {
    counts(tally[cardState], seen[cardState], subject, `cards that are ${cardState}`);
  }
  const { waiting, finished, sentBack, completed } = stage;
  const rankings = { waiting, finished, "sent-back": sentBack, completed };
  for (const ranked of Object.keys(rankings) as (keyof typeof rankings)[]) {
    const ranking = rankings[ranked];
    counts(ranking.size, free[ranked], subject, `cards that are ${ranked} and free`);
    holdsHeap(ranking, subject);
    for (const card of ranking.items()) {
      const right = card.stage === stage && card.state === ranked && card.reservedFor === undefined;
      holds(right, subject, `card ${card.id} is ranked where its state has it`);
    }
  }
  // After a change of the configuration more may stand here than the limit says, until they have left.
  const bounded = board.revision > 1 || cards.size + stage.promised <= (config.wipLimit ?? Number.POSITIVE_INFINITY);
  holds(bounded, subject, "its limit holds, with the places that are promised");
  assertPullers(state, stage);
}

/** Every card's last change is the log's last word on it. */
function assertLog(board: Board): void {
  const subject = subjectOf(board);
  let older = 0;
  let known = 0;
  for (const { id, sequence, removed } of board.log.after(0)) {
    holds(sequence > older && sequence <= board.sequence, subject, "changes are logged in their order");
    older = sequence;
    const card = board.cards.get(id);
    holds(removed === (card === undefined), subject, `the log knows whether card ${id} is gone`);
    if (card === undefined) continue;
    known += 1;
    counts(card.revision, sequence, subject, `is the number of card ${id}'s last change`);
  }
  counts(known, board.cards.size, subject, "cards in the log");
}

/** No more completed cards are kept than shall be, none for longer, and a deadline stands for when the next is too old. */
function assertRetention(board: Board): void {
  const { keepCompleted, keepCompletedFor } = board.config;
  const completed = (board.stages.at(-1) as Stage).cards;
  const subject = subjectOf(board);
  holds(completed.size <= keepCompleted, subject, "it keeps no more completed cards than it shall");
  const [oldest] = completed.values();
  const due = keepCompletedFor === undefined || oldest === undefined ? undefined : oldest.enteredAt + keepCompletedFor;
  holds((board.heapIndex === -1) === (due === undefined), subject, "it looks again exactly if cards will be too old");
  holds(due === undefined || board.dueAt === due, subject, "it looks again when the oldest is too old");
}

/** A request id leads to what lives under it. */
function assertRequests(state: BoardState): void {
  let there = 0;
  for (const living of [...state.pullers.values(), ...state.works.values()]) {
    if (living.requestId === "") continue;
    there += 1;
    holds(
      state.requests.get(keyOfCaller(living.caller, living.requestId)) === living,
      `${living.kind} ${living.id}`,
      "its request id leads to it",
    );
  }
  counts(state.requests.size, there, "machine", "request ids that stand for something");
}

/** What falls due is in the heap, what is in the heap is there, and nothing of it is overdue. */
function assertDeadlines(state: BoardState): void {
  const { deadlines } = state;
  holdsHeap(deadlines, "machine");
  holds(deadlines.earliest > state.now, "machine", "nothing is overdue");
  const inHeap = new Set<Due>(deadlines.items());
  let there = 0;
  const terms = [...state.sessions.values()].flatMap((session) => [...session.terms.values()]);
  for (const due of [...state.pullers.values(), ...state.works.values(), ...terms, ...state.boards.values()]) {
    if (due.heapIndex === -1) continue;
    there += 1;
    holds(inHeap.has(due), due.kind, "what has a place in the heap stands there");
  }
  counts(deadlines.size, there, "machine", "deadlines");
}

function subjectOf({ config }: Board): string {
  return `board ${config.name}`;
}
