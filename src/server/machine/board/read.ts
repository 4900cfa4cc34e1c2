/** Looking at boards: copies for people and pages, none of which changes what the machine decides. */

import { expiresAt } from "../liveness.ts";
import { bytesOf, MAX_PAGE_BYTES, type Page, takePage } from "../page.ts";
import type { Durations } from "../structures/meter.ts";
import { viewInstant, type WallTime } from "../wall-time.ts";
import { room, sampleFlow } from "./cards.ts";
import type { Board, Card, CardState, Stage } from "./model.ts";
import type { BoardState } from "./state.ts";
import type {
  BoardDelta,
  BoardView,
  CardView,
  FlowTime,
  SampleView,
  StageView,
  WatchPosition,
  WorkView,
} from "./view.ts";

const HOUR = 3_600;
/** What goes into one message at most: so many cards, about 1 MB with the board itself, and one card at least. */
const MAX_CARDS = 1_000;
/** Bytes that these take in a message at most, without their texts; the name of a stage stands in it twice. */
const BOARD_BYTES = 1_000;
const STAGE_BYTES = 500;
const CARD_BYTES = 300;

export interface CardFilter {
  /** Empty: any. */
  readonly stage: string;
  /** Empty: any. */
  readonly states: readonly CardState[];
  /** `next` of the page before; empty: from the start. */
  readonly after: string;
  readonly limit: number;
  readonly order: CardOrder;
}

/**
 * `stages`: from the last to the first, in each in the order in which they came. `at-work`: those with work,
 * then what else is not completed, then the completed, the latest first; for one page, of which there is no next.
 */
export type CardOrder = "stages" | "at-work";

export function viewBoard(state: BoardState, board: Board, wallTime: WallTime): BoardView {
  const { now } = state;
  const leadTime = flowTime(board.leadTimes, now);
  const arrivalRate = board.arrivals.rate(now) * HOUR;
  const completed = board.stages.at(-1)?.cards.size ?? 0;
  return {
    config: board.config,
    declared: board.declaration !== undefined,
    declaration: board.declaration,
    revision: board.revision,
    createdAt: wallTime(board.createdAt),
    updatedAt: wallTime(board.updatedAt),
    stages: board.stages.map((stage) => viewStage(stage, now)),
    status: {
      cards: board.cards.size - completed,
      completed,
      blocked: board.blocked,
      arrivalRate,
      throughput: board.completions.rate(now) * HOUR,
      leadTime,
      expectedCards: byLittle(arrivalRate, leadTime),
      bottleneck: bottleneckOf(board),
      added: board.arrivals.total,
      everCompleted: board.completions.total,
      completedByDay: [...board.completedByDay].map(([day, count]) => ({ day, count })),
      sequence: board.sequence,
    },
  };
}

export function viewCard(state: BoardState, card: Card, wallTime: WallTime): CardView {
  const { now } = state;
  const until = card.completedAt ?? now;
  return {
    id: card.id,
    content: card.content,
    stage: card.stage.config.name,
    state: card.state,
    work: viewWork(card, wallTime),
    attempt: card.attempt,
    reason: card.reason,
    result: card.result,
    addedAt: wallTime(card.addedAt),
    enteredAt: wallTime(card.enteredAt),
    completedAt: viewInstant(card.completedAt, wallTime),
    revision: card.revision,
    age: until - card.addedAt,
    stageAge: now - card.enteredAt,
    blockedTime: card.blockedTime + (card.blockedAt === undefined ? 0 : now - card.blockedAt),
  };
}

/** Boards by name, those after `after`. */
export function pageBoards(
  state: BoardState,
  query: { readonly after: string; readonly limit: number },
  wallTime: WallTime,
): Page<BoardView> {
  const names = [...state.boards.keys()].filter((name) => name > query.after).sort();
  return takePage(
    names.map((name) => state.boards.get(name) as Board),
    {
      limit: query.limit,
      view: (board) => viewBoard(state, board, wallTime),
      bytes: bytesOfBoard,
      token: ({ config }) => config.name,
    },
  );
}

/** Cards in an order: as many as go into one message. */
export function pageCards(state: BoardState, board: Board, filter: CardFilter, wallTime: WallTime): Page<CardView> {
  const items: CardView[] = [];
  let next = "";
  let bytes = bytesOfBoard(board);
  for (const card of filter.order === "stages" ? byStages(board, filter) : atWorkFirst(board, filter)) {
    if (filter.states.length > 0 && !filter.states.includes(card.state)) continue;
    bytes += bytesOfCard(card);
    if (items.length === filter.limit || (items.length > 0 && bytes > MAX_PAGE_BYTES)) return { items, next };
    items.push(viewCard(state, card, wallTime));
    if (filter.order === "stages") next = `${card.stage.index}.${card.entry}`;
  }
  return { items, next: "" };
}

function* byStages(board: Board, filter: CardFilter): Generator<Card> {
  const [afterStage, afterEntry] = positionOf(board, filter.after);
  for (const { index, cards } of stagesOf(board, filter)) {
    if (index > afterStage) continue;
    for (const card of cards.values()) if (index < afterStage || card.entry > afterEntry) yield card;
  }
}

function* atWorkFirst(board: Board, filter: CardFilter): Generator<Card> {
  const last = board.stages.at(-1);
  const stages = stagesOf(board, filter);
  const open = stages.filter((stage) => stage !== last);
  for (const { cards, tally } of open) {
    if (tally.active === 0) continue;
    for (const card of cards.values()) if (card.state === "active") yield card;
  }
  for (const { cards } of open) {
    for (const card of cards.values()) if (card.state !== "active") yield card;
  }
  if (last !== undefined && stages.includes(last)) yield* [...last.cards.values()].reverse();
}

/** Those that are asked for, from the last to the first. */
function stagesOf({ stages }: Board, { stage: only }: CardFilter): Stage[] {
  return stages.filter(({ config }) => only === "" || config.name === only).reverse();
}

/** What has changed since a watcher last heard; from the beginning where that is no longer known. */
export function deltaSince(
  state: BoardState,
  board: Board,
  { sequence, snapshotAt }: WatchPosition,
  wallTime: WallTime,
): BoardDelta {
  const { log } = board;
  const known = sequence !== 0 && sequence <= board.sequence && log.reachesBackTo(Math.max(sequence, snapshotAt));
  const view = viewBoard(state, board, wallTime);
  const cards: CardView[] = [];
  const removed: string[] = [];
  let reached = known ? sequence : 0;
  let bytes = bytesOfBoard(board);
  let rest = false;
  for (const change of log.after(reached)) {
    const card = change.removed ? undefined : (board.cards.get(change.id) as Card);
    const count = cards.length + removed.length;
    bytes += card === undefined ? CARD_BYTES : bytesOfCard(card);
    rest = count === MAX_CARDS || (count > 0 && bytes > MAX_PAGE_BYTES);
    if (rest) break;
    reached = change.sequence;
    if (card !== undefined) cards.push(viewCard(state, card, wallTime));
    else if (known) removed.push(change.id);
  }
  const upTo = rest ? reached : board.sequence;
  return known
    ? { kind: "changes", board: view, cards, removed, sequence: upTo }
    : { kind: "snapshot", board: view, cards, sequence: upTo };
}

/** Bytes in a message, at most. */
function bytesOfBoard({ config }: Board): number {
  const stages = config.stages.map((stage) => STAGE_BYTES + bytesOf(stage.name, stage.name, stage.limiter));
  return BOARD_BYTES + bytesOf(config.name, config.description) + stages.reduce((a, b) => a + b, 0);
}

/** The same of a card; it names its board, its stage and its worker, or the last one. */
function bytesOfCard({ id, stage, content, reason, result, work, lastWork }: Card): number {
  const { title, description, data } = content;
  const { worker = "", caller = "" } = work ?? lastWork ?? {};
  const names = bytesOf(id, stage.board.config.name, stage.config.name, worker, caller);
  return CARD_BYTES + names + bytesOf(title, description, data, reason, result);
}

/** The flow from `from` (ms since 1970) on. */
export function flowSince(state: BoardState, board: Board, from: number, wallTime: WallTime): SampleView[] {
  sampleFlow(state, board);
  // Instants of before the machine's zero are negative in its own time.
  const samples = board.history.since((from - wallTime(0)) * 1_000);
  return samples.map(({ at, counts }) => ({ at: wallTime(at), counts }));
}

/** The most downstream stage that lets finished work lie while the stage before it is full; empty: none. */
function bottleneckOf(board: Board): string {
  for (let index = board.stages.length - 1; index > 0; index--) {
    const before = board.stages[index - 1] as Stage;
    // Those that are kept for a puller that a limiter holds up lie there, too.
    const lying = before.tally[before.config.kind === "queue" ? "waiting" : "finished"];
    if (room(before) <= 0 && lying > 0) return board.stages[index]?.config.name ?? "";
  }
  return "";
}

function viewStage(stage: Stage, now: number): StageView {
  const cycleTime = flowTime(stage.cycleTimes, now);
  const arrivalRate = stage.arrivals.rate(now) * HOUR;
  const [oldest] = stage.cards.values();
  return {
    config: stage.config,
    cards: stage.cards.size,
    tally: { ...stage.tally },
    pullers: stage.pullers.presentCount,
    arrivalRate,
    departureRate: stage.departures.rate(now) * HOUR,
    cycleTime,
    expectedCards: byLittle(arrivalRate, cycleTime),
    oldestAge: oldest && now - oldest.enteredAt,
  };
}

function viewWork({ work, lastWork }: Card, wallTime: WallTime): WorkView | undefined {
  const either = work ?? lastWork;
  if (either === undefined) return undefined;
  const { worker, caller, token, ttl } = either;
  const endsAt = work && viewInstant(expiresAt(work), wallTime);
  return {
    worker,
    caller,
    token,
    pulledAt: wallTime(either.pulledAt),
    ttl,
    expiresAt: endsAt,
    live: work !== undefined,
  };
}

function flowTime(times: Durations, now: number): FlowTime {
  return {
    count: times.count(now),
    mean: times.mean(now),
    p50: times.percentile(0.5, now),
    p85: times.percentile(0.85, now),
    p95: times.percentile(0.95, now),
  };
}

/** Little's law, L = λW, with λ an hour and W in µs. */
function byLittle(arrivalRate: number, { mean }: FlowTime): number {
  return (arrivalRate * (mean ?? 0)) / (HOUR * 1e6);
}

/** Where a page begins: the stage, and the entry after which. */
function positionOf(board: Board, after: string): readonly [stage: number, entry: number] {
  const [stage, entry] = after.split(".").map(Number);
  if (after === "" || stage === undefined || entry === undefined) return [board.stages.length - 1, 0];
  return [Math.min(stage, board.stages.length - 1), entry];
}
