/**
 * The port between the board service and whatever keeps the boards. Values, order, durability and unavailability are as for
 * limiters (`engine.ts`), with pulls and work for waiters and leases: a puller's id is that of its work.
 */

import type { BoardCommand } from "../machine/board/command.ts";
import type { CardFilter } from "../machine/board/read.ts";
import type { ShownNews, ShownOutcomeOf } from "../machine/board/show.ts";
import type { BoardDelta, BoardView, CardView, PlaceView, SampleView, WatchPosition } from "../machine/board/view.ts";
import type { StreamId } from "../machine/liveness.ts";
import type { Page } from "../machine/page.ts";
import type { TraceContext } from "../tracing/trace-context.ts";
import type { EngineUnavailable } from "./engine.ts";

/** What is asked of an engine. Time, and what a stage's limiter says, are its own affair. */
export type BoardAsk = Exclude<
  BoardCommand,
  { readonly kind: "wake" | "declare-boards" | "settle-claim" | "hold-claim" | "lose-claim" }
>;

export type BoardAnswerTo<A extends BoardAsk> = ShownOutcomeOf<A>;

/** Whether the answer to a command overtakes what waits to be kept. How a card's work has ended is never said before it is. */
export const BOARD_OVERTAKES: Readonly<Record<BoardAsk["kind"], boolean>> = {
  "create-board": false,
  "update-board": false,
  "delete-board": false,
  "add-card": false,
  "update-card": false,
  "delete-card": false,
  pull: false,
  "resume-work": false,
  "open-session": false,
  "resume-session": false,
  "renew-session": true,
  "leave-session": true,
  "leave-pull": true,
  "withdraw-pull": true,
  "abandon-pull": true,
  "renew-work": true,
  finish: false,
  "give-back": false,
  "send-back": false,
  block: false,
  unblock: false,
};

/** What a stream hears between its own commands. */
export type PullNews =
  | ShownNews
  /** Its place in the queue is nearer than when its stream last heard of it. */
  | { readonly kind: "moved"; readonly place: PlaceView };

/** Hears the news of one stream; `about`: the id of the pull, which is that of its work, too, or of a session. */
export type PullListener = (news: PullNews, about: string) => void;

export interface BoardEngine {
  /** Carries out a command. One of the two is called, once, perhaps before this returns. `trace`: as for limiters. */
  submit<A extends BoardAsk>(
    command: A,
    answer: (answer: BoardAnswerTo<A>) => void,
    fail: (error: EngineUnavailable) => void,
    trace?: TraceContext,
  ): void;

  /** Opens a stream for pulls and the work that comes of them. After `fail` nothing more is said to it. */
  openStream(listener: PullListener, fail: (error: EngineUnavailable) => void): StreamId;
  /** Nothing more is said to this stream. It does not end what the stream holds: that is the `leave-pull` command. */
  closeStream(stream: StreamId): void;

  board(name: string): Promise<BoardView | undefined>;
  /** Boards by name, those after `after`. */
  boards(query: { readonly after: string; readonly limit: number }): Promise<Page<BoardView>>;
  card(board: string, cardId: string): Promise<CardView | undefined>;
  /** Undefined if there is no such board. */
  cards(board: string, filter: CardFilter): Promise<Page<CardView> | undefined>;
  /** The flow from `from` (ms since 1970) on; undefined if there is no such board. */
  flow(board: string, from: number): Promise<readonly SampleView[] | undefined>;
  /** What a watcher is to receive next; undefined if there is no such board. */
  delta(board: string, position: WatchPosition): Promise<BoardDelta | undefined>;
  /** How many work on cards and can be expected to end: those of people, which have no ttl, do not count. */
  working(): Promise<number>;
  /** Where a puller stands; undefined once it waits no more. Cheap: its stream asks with every beat. */
  place(pullId: string): Promise<PlaceView | undefined>;
  /** Calls back, a few times a second at most, with the names of the boards that have changed; returns what ends that. */
  watch(listener: (boards: ReadonlySet<string>) => void, fail: (error: EngineUnavailable) => void): () => void;

  /** As for limiters. */
  close(): Promise<void>;
}
