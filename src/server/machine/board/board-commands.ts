/** Making, changing and deleting boards; each change takes effect at one instant and settles the board at once. */

import { type Refusal, refusal } from "../reasons.ts";
import { Fifo } from "../structures/fifo.ts";
import { Histogram } from "../structures/histogram.ts";
import { Durations, Meter } from "../structures/meter.ts";
import { dropCard } from "./card-commands.ts";
import { ChangeLog } from "./change-log.ts";
import type { BoardOutcomes, CreateBoard, DeclareBoards, DeleteBoard, UpdateBoard } from "./command.ts";
import { FlowHistory } from "./flow-history.ts";
import { type Board, type BoardConfig, type Card, FLOW_BOUNDS, type Stage, type StageConfig } from "./model.ts";
import { reviewClaims, turnAwayPullers } from "./puller-queue.ts";
import { byEntry, byPriority, Ranking } from "./ranking.ts";
import { keptStages, pendingRenames, refuseStages, sameBoard } from "./restage.ts";
import { type BoardState, touch, unsettle } from "./state.ts";

/** µs of a step, and how many steps a rate looks back: an hour by minutes. */
const RATE = { step: 60_000_000, steps: 60 };
/** µs: times are looked at over the last one to two of these. */
const TIMES = { period: 3_600_000_000 };

export function createBoard(state: BoardState, { config }: CreateBoard): BoardOutcomes["create-board"] {
  const board = state.boards.get(config.name);
  if (board === undefined) {
    const boards = undeclaredBoards(state);
    const { maxBoards } = state;
    if (boards >= maxBoards) {
      return refusal("TOO_MANY_BOARDS", { at: { board: config.name }, numbers: { boards, maxBoards } });
    }
    return { kind: "board", board: makeBoard(state, config, undefined) };
  }
  if (sameBoard(board.config, config)) return { kind: "board", board };
  return refusal("BOARD_EXISTS", { at: { board: config.name } });
}

function undeclaredBoards({ boards }: BoardState): number {
  let count = 0;
  for (const { declaration } of boards.values()) if (declaration === undefined) count += 1;
  return count;
}

export function updateBoard(state: BoardState, command: UpdateBoard): BoardOutcomes["update-board"] {
  const { config, renamed, revision } = command;
  const board = state.boards.get(config.name);
  const at = { board: config.name };
  if (board === undefined) return refusal("BOARD_NOT_FOUND", { at });
  if (revision !== undefined && revision !== board.revision) return refusal("ETAG_MISMATCH", { at });
  return configure(state, board, config, new Map(renamed)) ?? { kind: "board", board };
}

export function deleteBoard(state: BoardState, command: DeleteBoard): BoardOutcomes["delete-board"] {
  const { name, revision, force } = command;
  const board = state.boards.get(name);
  const at = { board: name };
  if (board === undefined) return refusal("BOARD_NOT_FOUND", { at });
  if (board.declaration !== undefined) return refusal("DECLARED", { at });
  if (revision !== undefined && revision !== board.revision) return refusal("ETAG_MISMATCH", { at });
  if (!force && openCards(board) > 0) return refusal("BOARD_NOT_EMPTY", { at, numbers: { cards: openCards(board) } });
  const cards = board.cards.size;
  remove(state, board);
  return { kind: "board-deleted", cards };
}

/** Takes up what the file declares. A board that is no longer declared stays, undeclared, while open cards stand on it. */
export function declareBoards(state: BoardState, command: DeclareBoards): BoardOutcomes["declare-boards"] {
  const outcome = {
    created: [] as string[],
    changed: [] as string[],
    deleted: [] as string[],
    refused: [] as string[],
    refusals: [] as Refusal[],
  };
  const { configs, renamed } = command;
  for (const config of configs) {
    const board = state.boards.get(config.name);
    if (board === undefined) {
      makeBoard(state, config, config);
      outcome.created.push(config.name);
    } else if (board.declaration === undefined || !sameBoard(board.declaration, config)) {
      const refused = configure(state, board, config, pendingRenames(board.stages, renamed?.get(config.name)));
      if (refused === undefined) {
        board.declaration = config;
        outcome.changed.push(config.name);
      } else {
        outcome.refused.push(config.name);
        outcome.refusals.push(refused);
      }
    }
  }
  const declared = new Set(configs.map((config) => config.name));
  for (const board of [...state.boards.values()]) {
    if (board.declaration === undefined || declared.has(board.config.name)) continue;
    board.declaration = undefined;
    if (openCards(board) > 0) {
      state.changes.push({ kind: "board-put", board });
      outcome.refused.push(board.config.name);
      outcome.refusals.push(refusal("BOARD_NOT_EMPTY", { at: { board: board.config.name } }));
      continue;
    }
    remove(state, board);
    outcome.deleted.push(board.config.name);
  }
  return { kind: "boards-declared", ...outcome };
}

export function makeBoard(state: BoardState, config: BoardConfig, declaration: BoardConfig | undefined): Board {
  const { now } = state;
  const start = Math.max(state.epoch + now, state.numbersFloor);
  const board: Board = {
    kind: "board",
    config,
    declaration,
    revision: 1,
    createdAt: now,
    updatedAt: now,
    stages: [],
    cards: new Map(),
    fencingToken: start,
    sequence: start + 1,
    log: new ChangeLog(start + 1),
    unsettled: false,
    arrivals: new Meter(now, RATE),
    completions: new Meter(now, RATE),
    leadTimes: new Durations(now, TIMES),
    leads: new Histogram(FLOW_BOUNDS),
    history: new FlowHistory(now),
    completedByDay: new Map(),
    blocked: 0,
    dueAt: 0,
    heapIndex: -1,
  };
  board.stages = config.stages.map((stage, index) => createStage(board, stage, index, now));
  state.boards.set(config.name, board);
  state.changed.add(board);
  state.changes.push({ kind: "board-put", board });
  return board;
}

function createStage(board: Board, config: StageConfig, index: number, now: number): Stage {
  return {
    board,
    config,
    index,
    cards: new Map(),
    waiting: new Ranking<Card>(byPriority),
    finished: new Ranking<Card>(byPriority),
    sentBack: new Ranking<Card>(byPriority),
    completed: new Ranking<Card>(byEntry),
    tally: { waiting: 0, active: 0, blocked: 0, finished: 0, "sent-back": 0, completed: 0 },
    promised: 0,
    pullers: new Fifo(),
    arrivals: new Meter(now, RATE),
    departures: new Meter(now, RATE),
    cycleTimes: new Durations(now, TIMES),
    cycles: new Histogram(FLOW_BOUNDS),
    pulls: 0,
  };
}

/** Undefined: it is done. */
function configure(
  state: BoardState,
  board: Board,
  config: BoardConfig,
  renamed: ReadonlyMap<string, string>,
): Refusal | undefined {
  const before = board.stages;
  const kept = keptStages(before, config, renamed);
  const refused = refuseStages(before, config, kept);
  if (refused !== undefined) return refused;
  const otherwiseWorked = new Set<Stage>();
  board.stages = config.stages.map((stageConfig, index) => {
    const stage = kept[index] ?? createStage(board, stageConfig, index, state.now);
    const { name, kind, limiter } = stage.config;
    // Its cards say where they stand.
    if (name !== stageConfig.name) for (const card of stage.cards.values()) touch(state, card);
    if (kind !== stageConfig.kind || limiter !== stageConfig.limiter) otherwiseWorked.add(stage);
    stage.config = stageConfig;
    stage.index = index;
    return stage;
  });
  board.history.rearrange(columnsBefore(before, kept));
  board.config = config;
  board.revision += 1;
  board.updatedAt = state.now;
  board.sequence += 1;
  state.changed.add(board);
  state.changes.push({ kind: "board-put", board });
  turnAwayPullers(state, board, "misplaced");
  reviewClaims(state, board, otherwiseWorked);
  unsettle(state, board);
  return undefined;
}

/** Where each column of the flow stood before; the last counts what was completed, whichever stage that is. */
function columnsBefore(before: readonly Stage[], kept: readonly (Stage | undefined)[]): number[] {
  const last = before.length - 1;
  return kept.map((stage, index) => {
    if (index === kept.length - 1) return last;
    const column = stage === undefined ? -1 : before.indexOf(stage);
    return column === last ? -1 : column;
  });
}

function remove(state: BoardState, board: Board): void {
  turnAwayPullers(state, board, "all");
  for (const card of [...board.cards.values()]) dropCard(state, card);
  state.boards.delete(board.config.name);
  state.deadlines.clear(board);
  state.numbersFloor = Math.max(state.numbersFloor, board.fencingToken, board.sequence);
  state.changed.add(board);
  state.changes.push({ kind: "board-removed", name: board.config.name });
}

function openCards(board: Board): number {
  return board.cards.size - (board.stages.at(-1)?.cards.size ?? 0);
}
