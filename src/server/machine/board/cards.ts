/** Cards as they stand and move: each in one stage, and in the ranking that its state has there. */

import type { RefusalNumbers } from "../reasons.ts";
import type { Board, Card, CardState, Stage } from "./model.ts";
import type { Ranking } from "./ranking.ts";
import { type BoardState, touch, unsettle } from "./state.ts";

/** µs. */
const DAY = 86_400_000_000;
const KEPT_DAYS = 90;

/** Gives a card another state where it stands. */
export function setState(state: BoardState, card: Card, next: CardState): void {
  unrank(card);
  card.stage.tally[card.state] -= 1;
  leaveState(state, card);
  card.state = next;
  card.stage.tally[next] += 1;
  enterState(state, card);
  rank(card);
  touch(state, card);
  unsettle(state, card.stage.board);
}

/** Moves a card to another stage, where it waits, or is completed if that is the last. */
export function move(state: BoardState, card: Card, to: Stage): void {
  const { now } = state;
  const { board } = to;
  const from = card.stage;
  sampleFlow(state, board);
  unrank(card);
  leaveState(state, card);
  from.tally[card.state] -= 1;
  from.cards.delete(card.id);
  from.departures.count(now);
  from.cycleTimes.record(now - card.enteredAt, now);
  from.cycles.record(now - card.enteredAt);
  card.stage = to;
  card.attempt = 0;
  const last = to.index === board.stages.length - 1;
  card.state = last ? "completed" : "waiting";
  to.tally[card.state] += 1;
  enter(state, card);
  if (last) complete(state, card);
  rank(card);
  touch(state, card);
  unsettle(state, board);
}

/** Puts a card into the stage that it names, as one that has just come. */
export function enter(state: BoardState, card: Card): void {
  state.serial += 1;
  card.entry = state.serial;
  card.enteredAt = state.now;
  card.stage.cards.set(card.id, card);
  card.stage.arrivals.count(state.now);
}

/** Takes a card off its board. */
export function removeCard(state: BoardState, card: Card): void {
  const { stage } = card;
  const { board } = stage;
  sampleFlow(state, board);
  unrank(card);
  leaveState(state, card);
  stage.tally[card.state] -= 1;
  stage.cards.delete(card.id);
  board.cards.delete(card.id);
  board.sequence += 1;
  board.log.removed(card.id, board.sequence);
  state.changed.add(board);
  state.changes.push({ kind: "card-removed", board: board.config.name, cardId: card.id });
  unsettle(state, board);
}

/** Puts a card where its state has it ranked, unless it is kept for a puller. */
export function rank(card: Card): void {
  if (card.reservedFor === undefined) rankingOf(card)?.put(card);
}

export function unrank(card: Card): void {
  rankingOf(card)?.remove(card);
}

/** The cards that the next stage may pull: the best first. */
export function pullable(stage: Stage): Ranking<Card> {
  return stage.config.kind === "queue" ? stage.waiting : stage.finished;
}

/** How many more cards the stage may take; below 0 after its limit was lowered. */
export function room({ config, cards, promised }: Stage): number {
  return config.wipLimit === undefined ? Number.POSITIVE_INFINITY : config.wipLimit - cards.size - promised;
}

/** Why the stage takes no more cards, for a refusal. */
export function fullness({ config, cards, promised }: Stage): RefusalNumbers {
  return { cards: cards.size + promised, wipLimit: config.wipLimit };
}

/** Forgets completed cards beyond what the board keeps. */
export function forgetCompleted(state: BoardState, board: Board): void {
  const { keepCompleted, keepCompletedFor = Number.POSITIVE_INFINITY } = board.config;
  const { completed } = board.stages.at(-1) as Stage;
  for (let oldest = completed.best; oldest; oldest = completed.best) {
    if (completed.size <= keepCompleted && oldest.enteredAt + keepCompletedFor > state.now) break;
    removeCard(state, oldest);
  }
  const dueAt = (completed.best?.enteredAt ?? Number.POSITIVE_INFINITY) + keepCompletedFor;
  if (dueAt === Number.POSITIVE_INFINITY) state.deadlines.clear(board);
  else state.deadlines.set(board, dueAt);
}

/** Notes how many cards the stages have had until now; before each change of that. */
export function sampleFlow(state: BoardState, board: Board): void {
  board.history.record(state.now, () => {
    const counts = board.stages.map(({ cards }) => cards.size);
    counts[counts.length - 1] = board.completions.total;
    return counts;
  });
}

/** Counts a completed card with its day. */
export function noteCompleted(state: BoardState, board: Board, at: number): void {
  const day = Math.floor((state.epoch + at) / DAY);
  board.completedByDay.set(day, (board.completedByDay.get(day) ?? 0) + 1);
  const [oldestDay] = board.completedByDay.keys();
  if (board.completedByDay.size > KEPT_DAYS && oldestDay !== undefined) board.completedByDay.delete(oldestDay);
}

function complete(state: BoardState, card: Card): void {
  const { board } = card.stage;
  noteCompleted(state, board, state.now);
  card.completedAt = state.now;
  board.completions.count(state.now);
  board.leadTimes.record(state.now - card.addedAt, state.now);
  board.leads.record(state.now - card.addedAt);
}

function leaveState(state: BoardState, card: Card): void {
  if (card.blockedAt === undefined) return;
  card.blockedTime += state.now - card.blockedAt;
  card.blockedAt = undefined;
  card.stage.board.blocked -= 1;
}

function enterState(state: BoardState, card: Card): void {
  if (card.state !== "blocked") return;
  card.blockedAt = state.now;
  card.stage.board.blocked += 1;
}

function rankingOf({ state, stage }: Card): Ranking<Card> | undefined {
  switch (state) {
    case "waiting":
      return stage.waiting;
    case "finished":
      return stage.finished;
    case "sent-back":
      return stage.sentBack;
    case "completed":
      return stage.completed;
    case "active":
    case "blocked":
      return undefined;
  }
}
