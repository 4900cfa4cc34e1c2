/**
 * A board on a stage: time passes when the test says so, each wake comes at the very µs that the machine asked for, and
 * what streams hear is written down. After each step all invariants are checked, and nothing in it wants to be done in
 * the past.
 */

import type {
  BoardCommand,
  BoardEvent,
  BoardNews,
  BoardOutcomeOf,
  ClaimEffect,
  PullCard,
} from "../../../../src/server/machine/board/command.ts";
import { assertBoards } from "../../../../src/server/machine/board/invariants.ts";
import { type BoardState, createBoardMachine } from "../../../../src/server/machine/board/machine.ts";
import type { Board, BoardConfig, Card, CardContent, StageConfig } from "../../../../src/server/machine/board/model.ts";
import { type CardFilter, pageCards, viewBoard } from "../../../../src/server/machine/board/read.ts";
import type { BoardMachineOptions } from "../../../../src/server/machine/board/state.ts";
import type { BoardView, CardView } from "../../../../src/server/machine/board/view.ts";
import type { Page } from "../../../../src/server/machine/page.ts";
import { refusal } from "../../../../src/server/machine/reasons.ts";
import { asIs } from "../builders.ts";
import { boardOf, contentOf } from "./boards.ts";

type PullOptions = Partial<Omit<PullCard, "kind" | "id" | "stage" | "stream">>;

export interface Pulling {
  readonly id: string;
  readonly stream: number;
  readonly outcome: BoardOutcomeOf<PullCard>;
}

export interface BoardScene {
  /** µs. */
  readonly now: number;
  readonly wakeAt: number;
  readonly state: BoardState;
  /** The board "b", which the scene begins with. */
  readonly board: Board;
  /** What is to be done at limiters, all of it in order. */
  readonly claims: readonly ClaimEffect[];
  step<C extends BoardCommand>(command: C): BoardOutcomeOf<C>;
  /** Changes some fields of the board. */
  update(about: Partial<BoardConfig>, renamed?: Readonly<Record<string, string>>): string;
  /** Changes some fields of one stage. */
  updateStage(name: string, about: Partial<StageConfig>): string;
  add(id: string, about?: Partial<CardContent>): string;
  /** Waits for a card unless `maxWait` says otherwise. */
  pull(stage: string, options?: PullOptions): Pulling;
  /** Takes a card at once or not at all; the id of the card, or why there is none. */
  take(stage: string, options?: PullOptions): string;
  /** Ends the work on a card under its own token. */
  finish(cardId: string, result?: string): string;
  giveBack(cardId: string, options?: { readonly reason?: string; readonly failed?: boolean }): string;
  sendBack(cardId: string, reason?: string): string;
  block(cardId: string): string;
  unblock(cardId: string): string;
  leave(
    pulling: { readonly id: string; readonly stream: number },
    how: "cancelled" | "lost",
    about?: { unheard?: boolean },
  ): void;
  /** What the stage's limiter has made of a claim: undefined, granted. */
  settleClaim(id: string, reason?: "CONCURRENCY_EXHAUSTED" | "QUEUE_FULL"): void;
  /** Lets so many µs pass, waking the machine whenever it asked for it, and at the end. */
  pass(micros: number): void;
  /** Lets so many µs pass without a wake of the machine. */
  oversleep(micros: number): void;
  card(id: string): Card;
  /** Ids of the cards in a stage, in the order in which they came. */
  cards(stage: string): string[];
  /** How many cards each stage has. */
  counts(): number[];
  /** The events of one stream. */
  heardBy(pulling: { readonly stream: number }): readonly BoardNews[];
  /** The cards that a stream was given, and why it was sent away. */
  got(pulling: Pulling): readonly string[];
  view(): BoardView;
  cardViews(filter?: Partial<CardFilter>): Page<CardView>;
}

export function createBoardScene(about: Partial<BoardConfig> = {}, options: BoardMachineOptions = {}): BoardScene {
  const machine = createBoardMachine(options);
  const { state } = machine;
  const heard: BoardEvent[] = [];
  const claims: ClaimEffect[] = [];
  let now = 0;
  let wakeAt = Number.POSITIVE_INFINITY;
  let serial = 0;
  step({ kind: "create-board", config: boardOf(about) });

  function step<C extends BoardCommand>(command: C): BoardOutcomeOf<C> {
    const done = machine.step(command, now);
    ({ wakeAt } = done);
    if (wakeAt <= now) throw new Error(`at ${now} it wants to be woken at ${wakeAt}`);
    heard.push(...done.events);
    claims.push(...done.claims);
    assertBoards(state);
    return done.outcome;
  }

  function board(): Board {
    const found = state.boards.get("b");
    if (found === undefined) throw new Error("the board is gone");
    return found;
  }

  function card(id: string): Card {
    const found = board().cards.get(id);
    if (found === undefined) throw new Error(`no card ${id}`);
    return found;
  }

  function update(fields: Partial<BoardConfig>, renamed: Readonly<Record<string, string>> = {}): string {
    const config = { ...board().config, ...fields };
    const names = Object.entries(renamed);
    return say(step({ kind: "update-board", config, renamed: names, revision: undefined }));
  }

  function pull(stage: string, about: PullOptions = {}): Pulling {
    serial += 1;
    const id = `pull-${serial}`;
    const stream = about.session?.stream ?? serial;
    const outcome = step({
      kind: "pull",
      id,
      board: "b",
      stage,
      worker: id,
      maxWait: undefined,
      ttl: undefined,
      requestId: "",
      stream,
      monitored: true,
      keepOnCancel: false,
      detached: false,
      cardId: undefined,
      session: undefined,
      ...about,
    });
    return { id, stream, outcome };
  }

  function conclude(kind: "finish" | "give-back" | "send-back", cardId: string, words = "", failed = false): string {
    const token = card(cardId).work?.token ?? 0;
    return say(step({ kind, board: "b", cardId, token, words, failed, session: undefined }));
  }

  const heardBy = ({ stream }: { readonly stream: number }) =>
    heard.flatMap(({ to, news }) => (to === stream ? [news] : []));

  return {
    get now() {
      return now;
    },
    get wakeAt() {
      return wakeAt;
    },
    state,
    get board() {
      return board();
    },
    claims,
    step,
    update,
    updateStage(name, fields) {
      const stages = board().config.stages.map((stage) => (stage.name === name ? { ...stage, ...fields } : stage));
      return update({ stages });
    },
    add: (id, fields) => say(step({ kind: "add-card", board: "b", id, content: contentOf(fields) })),
    pull,
    take: (stage, fields) => say(pull(stage, { maxWait: 0, ...fields }).outcome),
    finish: (cardId, result) => conclude("finish", cardId, result),
    giveBack: (cardId, { reason, failed } = {}) => conclude("give-back", cardId, reason, failed),
    sendBack: (cardId, reason) => conclude("send-back", cardId, reason),
    block: (cardId) => say(step({ kind: "block", board: "b", cardId, token: 0, reason: "" })),
    unblock: (cardId) => say(step({ kind: "unblock", board: "b", cardId })),
    leave({ id, stream }, how, { unheard = false } = {}) {
      step({ kind: "leave-pull", id, stream, how, unheard });
    },
    settleClaim(id, reason) {
      step({ kind: "settle-claim", id, refusal: reason && refusal(reason, { limiter: "l", claim: 0 }) });
    },
    pass(micros) {
      const until = now + micros;
      while (wakeAt <= until) {
        now = wakeAt;
        step({ kind: "wake" });
      }
      now = until;
      step({ kind: "wake" });
    },
    oversleep(micros) {
      now += micros;
    },
    card,
    cards: (name) => [
      ...(board()
        .stages.find(({ config }) => config.name === name)
        ?.cards.keys() ?? []),
    ],
    counts: () => board().stages.map(({ cards }) => cards.size),
    heardBy,
    got: ({ stream, outcome }) => [outcome, ...heardBy({ stream })].filter(isAnswer).map(say),
    view: () => viewBoard(state, board(), asIs),
    cardViews: (filter) =>
      pageCards(state, board(), { stage: "", states: [], after: "", limit: 100, order: "stages", ...filter }, asIs),
  };
}

function isAnswer(said: BoardNews | BoardOutcomeOf<PullCard>): boolean {
  return said.kind === "pulled" || said.kind === "refused" || said.kind === "displaced";
}

/** An outcome in a word: the card's id, the reason of a refusal, or the kind. */
export function say(outcome: BoardOutcomeOf<BoardCommand> | BoardNews): string {
  switch (outcome.kind) {
    case "pulled":
    case "card":
      return outcome.card.id;
    case "refused":
    case "displaced":
      return outcome.reason;
    default:
      return outcome.kind;
  }
}
