/** Outcomes and events as plain copies: what is live goes on changing, an answer does not. */

import type { WallTime } from "../wall-time.ts";
import type {
  BoardChanged,
  BoardCommand,
  BoardNews,
  BoardOutcome,
  BoardOutcomeOf,
  CardChanged,
  Pulled,
  PullWaiting,
  WorkRenewed,
} from "./command.ts";
import type { Puller } from "./model.ts";
import { findPull } from "./pull-rules.ts";
import { viewBoard, viewCard } from "./read.ts";
import type { BoardState } from "./state.ts";
import type { BoardView, CardView, PlaceView } from "./view.ts";

export interface ShownBoard {
  readonly kind: "board";
  readonly board: BoardView;
}

/** A card as it stands after the step. */
export interface ShownCard {
  readonly kind: "card";
  readonly card: CardView;
}

export interface ShownPull {
  readonly kind: "pulled";
  readonly card: CardView;
  /** The id under which the work can be left; undefined where nothing is held. */
  readonly workId: string | undefined;
  readonly resumed: boolean;
}

export interface ShownPlace {
  readonly kind: "pull-waiting";
  readonly pullId: string;
  readonly place: PlaceView;
}

type Shown<O> = O extends BoardChanged
  ? ShownBoard
  : O extends CardChanged | WorkRenewed
    ? ShownCard
    : O extends Pulled
      ? ShownPull
      : O extends PullWaiting
        ? ShownPlace
        : O;

export type ShownOutcomeOf<C extends BoardCommand> = Shown<BoardOutcomeOf<C>>;
export type ShownOutcome = Shown<BoardOutcome>;
export type ShownNews = Shown<BoardNews>;

export function showOutcome(state: BoardState, outcome: BoardOutcome, wallTime: WallTime): ShownOutcome {
  switch (outcome.kind) {
    case "board":
      return { kind: "board", board: viewBoard(state, outcome.board, wallTime) };
    case "card":
      return { kind: "card", card: viewCard(state, outcome.card, wallTime) };
    case "work-renewed":
      return { kind: "card", card: viewCard(state, outcome.work.card, wallTime) };
    case "pulled":
      return showPull(state, outcome, wallTime);
    case "pull-waiting":
      return showPlace(outcome);
    default:
      return outcome;
  }
}

export function showNews(state: BoardState, news: BoardNews, wallTime: WallTime): ShownNews {
  if (news.kind === "pulled") return showPull(state, news, wallTime);
  return news.kind === "pull-waiting" ? showPlace(news) : news;
}

function showPlace({ puller }: PullWaiting): ShownPlace {
  return { kind: "pull-waiting", pullId: puller.id, place: viewPlace(puller) };
}

/** Where a puller stands, and what it waits for. */
export function viewPlace(puller: Puller): PlaceView {
  const { stage, claiming, missing, sentAhead } = puller;
  if (claiming !== undefined) return { pullersAhead: 0, missing };
  return { pullersAhead: sentAhead, missing: findPull(stage) === "STAGE_FULL" ? "STAGE_FULL" : "NO_CARD" };
}

/** Counts the pullers of each stage, and returns those whose place is nearer by a tenth or more than they last heard. */
export function takeMovedPullers(state: BoardState, boards: Iterable<string>): Puller[] {
  const moved: Puller[] = [];
  for (const name of boards) {
    for (const stage of state.boards.get(name)?.stages ?? []) {
      let ahead = 0;
      for (const puller of stage.pullers.present()) {
        if (ahead < puller.sentAhead && ahead <= puller.sentAhead * 0.9) {
          puller.sentAhead = ahead;
          moved.push(puller);
        }
        ahead += 1;
      }
    }
  }
  return moved;
}

function showPull(state: BoardState, { card, work, resumed }: Pulled, wallTime: WallTime): ShownPull {
  return { kind: "pulled", card: viewCard(state, card, wallTime), workId: work?.id, resumed };
}
