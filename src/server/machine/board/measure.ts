/** What is measured of boards: plain numbers as of one instant, for whoever compares two looks. */

import { Histogram, type HistogramCounts } from "../structures/histogram.ts";
import { type Board, FLOW_BOUNDS, type Stage } from "./model.ts";

/** Of one stage, or of several together. */
export interface StageFigures {
  readonly cards: number;
  /** Undefined: it has none. */
  readonly wipLimit: number | undefined;
  readonly blocked: number;
  readonly pulls: number;
  readonly cycles: HistogramCounts;
}

export interface BoardFigures {
  /** By the names of the stages, in their order. */
  readonly stages: ReadonlyMap<string, StageFigures>;
  readonly leads: HistogramCounts;
}

export interface StageSum extends StageFigures {
  cards: number;
  wipLimit: number | undefined;
  blocked: number;
  pulls: number;
  readonly cycles: Histogram;
}

export interface BoardSum {
  readonly stages: StageSum;
  readonly leads: Histogram;
}

export function createBoardSum(): BoardSum {
  return { stages: createStageSum(), leads: new Histogram(FLOW_BOUNDS) };
}

/** Adds all stages of a board to those of others. */
export function addBoard(sum: BoardSum, board: Board): void {
  for (const stage of board.stages) addStage(sum.stages, stage);
  sum.leads.add(board.leads);
}

/** Returns what is measured of one board, which does not go on changing. */
export function measureBoard({ stages, leads }: Board): BoardFigures {
  const figures = stages.map((stage): readonly [string, StageFigures] => {
    const sum = createStageSum();
    addStage(sum, stage);
    return [stage.config.name, sum];
  });
  return { stages: new Map(figures), leads: leads.copy() };
}

function createStageSum(): StageSum {
  return { cards: 0, wipLimit: undefined, blocked: 0, pulls: 0, cycles: new Histogram(FLOW_BOUNDS) };
}

function addStage(sum: StageSum, { config, cards, tally, pulls, cycles }: Stage): void {
  sum.cards += cards.size;
  if (config.wipLimit !== undefined) sum.wipLimit = (sum.wipLimit ?? 0) + config.wipLimit;
  sum.blocked += tally.blocked;
  sum.pulls += pulls;
  sum.cycles.add(cycles);
}
