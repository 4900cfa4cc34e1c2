/** The default engine for boards: the board machine's state in memory, and its claims carried to the limiters' engine. */

import type { Clock } from "../../clock.ts";
import type { BoardCommand, BoardEvent, BoardsDeclared } from "../../machine/board/command.ts";
import { type BoardState, createBoardMachine } from "../../machine/board/machine.ts";
import type { BoardConfig } from "../../machine/board/model.ts";
import { deltaSince, flowSince, pageBoards, pageCards, viewBoard, viewCard } from "../../machine/board/read.ts";
import {
  type ShownNews,
  type ShownOutcome,
  type ShownOutcomeOf,
  showNews,
  showOutcome,
  takeMovedPullers,
  viewPlace,
} from "../../machine/board/show.ts";
import type { CallerBounds } from "../../machine/callers.ts";
import type { Store } from "../../store/store.ts";
import type { TraceContext } from "../../tracing/trace-context.ts";
import type { Tracer } from "../../tracing/tracer.ts";
import {
  BOARD_OVERTAKES,
  type BoardAnswerTo,
  type BoardAsk,
  type BoardEngine,
  type PullNews,
} from "../board-engine.ts";
import { type Engine, EngineUnavailable } from "../engine.ts";
import { createAlarm } from "./alarm.ts";
import { createBoardTraces } from "./board-traces.ts";
import { createDelivery, type ShownEvent } from "./delivery.ts";
import { createStageClaims } from "./stage-claims.ts";

export interface EmbeddedBoardEngineOptions {
  readonly clock: Clock;
  readonly store: Store;
  /** Where the limiters are that stages name. */
  readonly limiters: Engine;
  /** How many boards may exist that no file declares; unset: any number. */
  readonly maxBoards?: number;
  /** How much one caller may have whose command does not say it; unset: any amount. */
  readonly callerBounds?: CallerBounds | undefined;
  /** As for limiters. */
  readonly tracer?: Pick<Tracer, "add"> | undefined;
}

export interface EmbeddedBoardEngine extends BoardEngine {
  /**
   * Takes up the boards that the configuration file declares, all of them, before this returns; resolves when that is kept, or
   * with undefined where the engine has ended before. `renamed`: by board, for the name of a stage the one that it had before.
   */
  declare(
    configs: readonly BoardConfig[],
    renamed: ReadonlyMap<string, ReadonlyMap<string, string>>,
  ): Promise<BoardsDeclared | undefined>;
  /** Changes that; those that exist already stay. */
  setMaxBoards(maxBoards: number): void;
  /** Brings the machine's state up to now, for whoever measures it and changes nothing. Throws once it is closed. */
  look(): BoardState;
  /** Changes how much one caller may have whose command does not say it; undefined: any amount. What there is stays. */
  setCallerBounds(bounds: CallerBounds | undefined): void;
}

/** µs: how often watchers and pullers hear what has changed. */
const NEWS_INTERVAL = 100_000;
const MICROS = 1_000;

export function createEmbeddedBoardEngine(options: EmbeddedBoardEngineOptions): EmbeddedBoardEngine {
  const { clock, store, limiters, callerBounds, tracer, maxBoards = Number.POSITIVE_INFINITY } = options;
  const { wallTime } = clock;
  const machine = createBoardMachine({
    epoch: Math.floor(clock.wallTime(0) * MICROS),
    numbersFloor: store.reserved,
    maxBoards,
    callerBounds,
  });
  const { state } = machine;
  const watchers = new Set<(boards: ReadonlySet<string>) => void>();
  const traces = tracer && createBoardTraces(tracer, state);
  const delivery = createDelivery<ShownOutcome, ShownNews, PullNews>(subjectsOf);
  const alarm = createAlarm(clock, settle);
  const news = createAlarm(clock, tellChanged);
  const claims = createStageClaims(limiters, (command) => run(command, IGNORE, IGNORE));
  let closed = false;

  function run<C extends BoardCommand>(
    command: C,
    answer: (outcome: ShownOutcomeOf<C>) => void,
    fail: (error: EngineUnavailable) => void,
    trace?: TraceContext,
  ): void {
    if (closed) {
      fail(new EngineUnavailable("no"));
      return;
    }
    const now = clock.now();
    if (trace !== undefined) traces?.ask(command, trace, now);
    const step = machine.step(command, now);
    if (traces?.isFollowing) traces.decided(command, step, now);
    const { outcome, events, changes, wakeAt } = step;
    alarm.set(wakeAt, false);
    if (state.changed.size > 0) news.setUnlessSet(now + NEWS_INTERVAL);
    const decided = {
      outcome: showOutcome(state, outcome, wallTime),
      events: events.length > 0 ? events.map(show) : NONE,
      kept: changes.length > 0 ? store.keep(changes) : undefined,
      overtakes: command.kind in BOARD_OVERTAKES && BOARD_OVERTAKES[command.kind as BoardAsk["kind"]],
    };
    delivery.deliver(decided, answer as (outcome: ShownOutcome) => void, fail);
    // After the answer is on its way: what comes of a claim is said after it.
    for (const effect of step.claims) claims.carryOut(effect);
  }

  function show({ to, about, news }: BoardEvent): ShownEvent<ShownNews> {
    return { to, about, news: showNews(state, news, wallTime) };
  }

  /** What is looked at is looked at as of now. */
  function look(): BoardState {
    if (closed) throw new EngineUnavailable("no");
    settle();
    return state;
  }

  function settle(): void {
    run(WAKE, IGNORE, IGNORE);
  }

  function tellChanged(): void {
    settle();
    const boards = new Set([...state.changed].map(({ config }) => config.name));
    state.changed.clear();
    const moved = takeMovedPullers(state, boards).map((puller) => ({
      stream: puller.stream,
      pullId: puller.id,
      place: viewPlace(puller),
    }));
    delivery.add(() => {
      for (const { stream, pullId, place } of moved) {
        if (stream !== undefined) delivery.tell(stream, pullId, { kind: "moved", place });
      }
      for (const listener of watchers) listener(boards);
    });
  }

  function takeUp(): void {
    const { claimed, changes } = machine.restore(store.found.boards, clock.now());
    if (changes.length > 0) store.keep(changes);
    for (const work of claimed) claims.adopt(work);
    settle();
  }

  takeUp();
  return {
    submit: <A extends BoardAsk>(
      command: A,
      answer: (answer: BoardAnswerTo<A>) => void,
      fail: (error: EngineUnavailable) => void,
      trace?: TraceContext,
    ) => run(command, answer, fail, trace),
    declare: (configs, renamed) =>
      new Promise((resolve) => run({ kind: "declare-boards", configs, renamed }, resolve, () => resolve(undefined))),
    openStream: (listener) => delivery.openStream(listener),
    closeStream: (stream) => delivery.closeStream(stream),
    async board(name) {
      look();
      const board = state.boards.get(name);
      return board && viewBoard(state, board, wallTime);
    },
    async boards(query) {
      look();
      return pageBoards(state, query, wallTime);
    },
    async card(name, cardId) {
      look();
      const card = state.boards.get(name)?.cards.get(cardId);
      return card && viewCard(state, card, wallTime);
    },
    async cards(name, filter) {
      look();
      const board = state.boards.get(name);
      return board && pageCards(state, board, filter, wallTime);
    },
    async flow(name, from) {
      look();
      const board = state.boards.get(name);
      return board && flowSince(state, board, from, wallTime);
    },
    async delta(name, position) {
      look();
      const board = state.boards.get(name);
      return board && deltaSince(state, board, position, wallTime);
    },
    async working() {
      look();
      let count = 0;
      for (const { ttl } of state.works.values()) if (ttl !== undefined) count += 1;
      return count;
    },
    async place(pullId) {
      if (closed) throw new EngineUnavailable("no");
      await claims.look(pullId);
      const puller = state.pullers.get(pullId);
      return puller && viewPlace(puller);
    },
    look,
    setCallerBounds(bounds) {
      state.callerBounds = bounds;
    },
    setMaxBoards(most) {
      state.maxBoards = most;
    },
    watch(listener) {
      watchers.add(listener);
      return () => watchers.delete(listener);
    },
    async close() {
      if (!closed) traces?.close(clock.now());
      closed = true;
      alarm.clear();
      news.clear();
      claims.close();
      watchers.clear();
      delivery.close();
    },
  };
}

const WAKE = { kind: "wake" } as const;
const IGNORE = () => {};
const NONE: readonly never[] = [];

/** By which ids it is known what is pulled, renewed or given back: those of card and pull. */
function subjectsOf(said: ShownOutcome | ShownNews): readonly string[] {
  switch (said.kind) {
    case "pulled":
      return said.workId === undefined ? [said.card.id] : [said.card.id, said.workId];
    case "card":
      return [said.card.id];
    default:
      return NONE;
  }
}
