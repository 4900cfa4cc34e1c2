/** The default engine for boards: the board machine's state in memory, and its claims carried to the limiters' engine. */

import type { Clock } from "../../clock.ts";
import { createBoardMachine } from "../../machine/board/board.ts";
import type { BoardChange, BoardCommand, BoardEvent, ClaimEffect } from "../../machine/board/command.ts";
import { deltaSince, flowSince, pageBoards, pageCards, viewBoard, viewCard } from "../../machine/board/read.ts";
import {
  type ShownNews,
  type ShownOutcome,
  showNews,
  showOutcome,
  takeMovedPullers,
  viewPlace,
} from "../../machine/board/show.ts";
import type { StreamId } from "../../machine/claim.ts";
import type { Store } from "../../store/store.ts";
import type { BoardEngine, BoardOutcomesOf, PullListener } from "../board-engine.ts";
import type { Engine } from "../engine.ts";
import { createAlarm } from "./alarm.ts";
import { createDelivery, partition } from "./delivery.ts";
import { createStageClaims } from "./stage-claims.ts";

export interface EmbeddedBoardEngineOptions {
  readonly clock: Clock;
  readonly store: Store;
  /** Where the limiters are that stages name. */
  readonly limiters: Engine;
  /** How many boards may exist that no file declares; unset: any number. */
  readonly maxBoards?: number;
}

export interface EmbeddedBoardEngine extends BoardEngine {
  /** Changes that; those that exist already stay. */
  setMaxBoards(maxBoards: number): void;
}

/** µs: how often watchers and pullers hear what has changed. */
const NEWS_INTERVAL = 100_000;
const MICROS = 1_000;

export function createEmbeddedBoardEngine(options: EmbeddedBoardEngineOptions): EmbeddedBoardEngine {
  const { clock, store, limiters, maxBoards = Number.POSITIVE_INFINITY } = options;
  const { wallTime } = clock;
  const machine = createBoardMachine({
    epoch: Math.floor(clock.wallTime(0) * MICROS),
    numbersFloor: store.reserved,
    maxBoards,
  });
  const { state } = machine;
  const streams = new Map<StreamId, PullListener>();
  const watchers = new Set<(boards: ReadonlySet<string>) => void>();
  const delivery = createDelivery();
  const alarm = createAlarm(clock, settle);
  const news = createAlarm(clock, tellChanged);
  const claims = createStageClaims(limiters, (command) => run([command], () => {}));
  let closed = false;
  let lastStream = 0;

  function run(commands: readonly BoardCommand[], answer: (outcomes: readonly ShownOutcome[]) => void): void {
    if (closed) return;
    const now = clock.now();
    const outcomes: ShownOutcome[] = [];
    const events: ShownEvent[] = [];
    const changes: BoardChange[] = [];
    const effects: ClaimEffect[] = [];
    for (const command of commands) {
      const step = machine.step(command, now);
      outcomes.push(showOutcome(state, step.outcome, wallTime));
      for (const { to, about, news } of step.events) events.push({ to, about, news: showNews(state, news, wallTime) });
      changes.push(...step.changes);
      effects.push(...step.claims);
      alarm.set(step.wakeAt, false);
    }
    if (state.changed.size > 0) news.setUnlessSet(now + NEWS_INTERVAL);
    hand(commands, { outcomes, events, kept: changes.length > 0 ? store.keep(changes) : undefined }, answer);
    // After the answer is on its way: what comes of a claim is told after it.
    for (const effect of effects) claims.carryOut(effect);
  }

  function hand(
    commands: readonly BoardCommand[],
    { outcomes, events, kept }: Decided,
    answer: (outcomes: readonly ShownOutcome[]) => void,
  ): void {
    // What may overtake what is not kept yet: see `Engine`.
    const early = commands.every(takesNothing) || outcomes.every(isRefusal);
    const [soon, later] = partition(events, ({ news }) => news.kind === "refused");
    const tell = (told: readonly ShownEvent[]) => {
      for (const { to, about, news } of told) streams.get(to)?.(news, about);
    };
    const waits = kept !== undefined || delivery.isHeldUp;
    if (waits && (early || soon.length > 0)) {
      delivery.overtake(() => {
        if (early) answer(outcomes);
        tell(soon);
      });
    }
    if (waits && early && later.length === 0) return;
    delivery.add(kept, () => {
      if (!waits || !early) answer(outcomes);
      tell(waits ? later : events);
    });
  }

  /** What is looked at is looked at as of now. */
  function settle(): void {
    run([WAKE], () => {});
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
    delivery.add(undefined, () => {
      for (const { stream, pullId, place } of moved) {
        if (stream !== undefined) streams.get(stream)?.({ kind: "moved", place }, pullId);
      }
      for (const listener of watchers) listener(boards);
    });
  }

  function takeUp(): void {
    const { claimed, changes } = machine.restore(store.found.boards, clock.now());
    if (changes.length > 0) store.keep(changes);
    for (const { id } of claimed) claims.adopt(id);
    settle();
  }

  takeUp();
  return {
    submit<const C extends readonly BoardCommand[]>(commands: C, answer: (outcomes: BoardOutcomesOf<C>) => void) {
      run(commands, answer as (outcomes: readonly ShownOutcome[]) => void);
    },
    openStream(listener) {
      lastStream += 1;
      streams.set(lastStream, listener);
      return lastStream;
    },
    closeStream(stream) {
      streams.delete(stream);
    },
    async board(name) {
      settle();
      const board = state.boards.get(name);
      return board && viewBoard(state, board, wallTime);
    },
    async boards(query) {
      settle();
      return pageBoards(state, query, wallTime);
    },
    async card(name, cardId) {
      settle();
      const card = state.boards.get(name)?.cards.get(cardId);
      return card && viewCard(state, card, wallTime);
    },
    async cards(name, filter) {
      settle();
      const board = state.boards.get(name);
      return board && pageCards(state, board, filter, wallTime);
    },
    async flow(name, from) {
      settle();
      const board = state.boards.get(name);
      return board && flowSince(state, board, from, wallTime);
    },
    async delta(name, position) {
      settle();
      const board = state.boards.get(name);
      return board && deltaSince(state, board, position, wallTime);
    },
    async working() {
      settle();
      return [...state.works.values()].filter(({ ttl }) => ttl !== undefined).length;
    },
    async place(pullId) {
      const puller = state.pullers.get(pullId);
      return puller && viewPlace(puller);
    },
    setMaxBoards(most) {
      state.maxBoards = most;
    },
    watch(listener) {
      watchers.add(listener);
      return () => watchers.delete(listener);
    },
    async close() {
      closed = true;
      alarm.clear();
      news.clear();
      claims.close();
      streams.clear();
      watchers.clear();
    },
  };
}

const WAKE = { kind: "wake" } as const;

/** An event whose news are shown. */
type ShownEvent = Omit<BoardEvent, "news"> & { readonly news: ShownNews };

interface Decided {
  readonly outcomes: readonly ShownOutcome[];
  readonly events: readonly ShownEvent[];
  /** Undefined: nothing has to be kept. */
  readonly kept: Promise<void> | undefined;
}

/** What a crash may forget: then the work has its time as before. */
function takesNothing({ kind }: BoardCommand): boolean {
  return kind === "renew-work" || kind === "abandon-pull";
}

function isRefusal({ kind }: ShownOutcome): boolean {
  return kind === "refused";
}
