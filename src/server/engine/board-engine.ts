/** The port between the board service and whatever keeps the boards; it hands out in order, as the engine for limiters does. */

import type { BoardCommand } from "../machine/board/command.ts";
import type { CardFilter } from "../machine/board/read.ts";
import type { ShownNews, ShownOutcomeOf } from "../machine/board/show.ts";
import type { BoardDelta, BoardView, CardView, PlaceView, SampleView, WatchPosition } from "../machine/board/view.ts";
import type { StreamId } from "../machine/claim.ts";
import type { Page } from "../machine/view.ts";

/** What a stream is told between its own commands. */
export type PullNews =
  | ShownNews
  /** Its place in the queue is nearer than it was last told. */
  | { readonly kind: "moved"; readonly place: PlaceView };

/** Hears the news of one stream; `about`: the id of the pull that they are about, which is that of its work, too. */
export type PullListener = (news: PullNews, about: string) => void;

export type BoardOutcomesOf<C extends readonly BoardCommand[]> = {
  readonly [I in keyof C]: ShownOutcomeOf<C[I]>;
};

export interface BoardEngine {
  /** Carries out commands in order, at one instant. `answer` is called once, with the outcomes in the same order. */
  submit<const C extends readonly BoardCommand[]>(commands: C, answer: (outcomes: BoardOutcomesOf<C>) => void): void;

  /** Opens a stream for one pull and the work that comes of it. */
  openStream(listener: PullListener): StreamId;
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
  /** What a watcher is to be told next; undefined if there is no such board. */
  delta(board: string, position: WatchPosition): Promise<BoardDelta | undefined>;
  /** How many work on cards and can be expected to end: those of people, which have no ttl, do not count. */
  working(): Promise<number>;
  /** Where a puller stands; undefined once it waits no more. Cheap: its stream asks with every beat. */
  place(pullId: string): Promise<PlaceView | undefined>;
  /** Calls back, a few times a second at most, with the names of the boards that have changed; returns what ends that. */
  watch(listener: (boards: ReadonlySet<string>) => void): () => void;

  close(): Promise<void>;
}
