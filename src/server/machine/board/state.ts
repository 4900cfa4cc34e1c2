/** The board machine's state, which one owner changes in place, and what a step has to say about it. */

import { type CallerBounds, type CallerHouse, createCallers } from "../callers.ts";
import type { Session, Term } from "../session.ts";
import { GenerationMap } from "../structures/generation-map.ts";
import { IndexedHeap } from "../structures/indexed-heap.ts";
import type { BoardChange, BoardEvent, ClaimEffect, PullCard } from "./command.ts";
import type { Board, Card, Puller, Work } from "./model.ts";

export interface BoardMachineOptions {
  /**
   * µs since 1970 at the machine's time zero: what day it is, and where fencing tokens and the numbers of changes begin
   * (as for limiters, they rise across restarts). 0 where it does not matter.
   */
  readonly epoch?: number;
  /** Fencing tokens and numbers of changes begin above this, too. */
  readonly numbersFloor?: number;
  /** How much one caller may have whose command does not say it; can be changed later. Unset: any amount. */
  readonly callerBounds?: CallerBounds | undefined;
  /** How many boards may exist that no file declares, for a command to make another; can be changed later. Unset: any number. */
  readonly maxBoards?: number;
  /** µs for which it is remembered what became of a request id. Unset: ten minutes. */
  readonly rememberFor?: number;
}

/** A request id that is used up: what it had led to. */
export type PastPull =
  | {
      readonly kind: "pulled";
      readonly board: string;
      readonly stage: string;
      readonly cardId: string;
      /** Whether there was work to hold, which has ended since. */
      readonly held: boolean;
    }
  /** It was given up before it had a card; its request may have yet to arrive. */
  | { readonly kind: "withdrawn" };

export interface BoardState extends CallerHouse {
  /** µs: the instant to which everything below has been brought up. */
  now: number;
  readonly epoch: number;
  /** Above the fencing tokens and sequence numbers of boards that are gone: one that is made anew goes on from there. */
  numbersFloor: number;
  readonly boards: Map<string, Board>;
  maxBoards: number;
  /** By the id of the pull. */
  readonly pullers: Map<string, Puller>;
  readonly works: Map<string, Work>;
  readonly sessions: Map<string, Session<Puller>>;
  /** What a request id stands for, by `keyOfCaller`. */
  readonly requests: Map<string, Puller | Work>;
  /** By `keyOfCaller`. */
  readonly pastRequests: GenerationMap<PastPull>;
  /** Ttls, bounds of waiting, completed cards to forget. */
  readonly deadlines: IndexedHeap<Puller | Work | Term | Board>;
  readonly unsettled: Board[];
  /** Boards that have changed since the last look at them. */
  readonly changed: Set<Board>;
  arrival: number;
  serial: number;
  /** What this step has to say. */
  events: BoardEvent[];
  changes: BoardChange[];
  claims: ClaimEffect[];
}

const TEN_MINUTES = 600_000_000;
const MAX_REMEMBERED = 100_000;

export function createBoardState(options: BoardMachineOptions): BoardState {
  return {
    now: 0,
    callers: createCallers(),
    callerBounds: options.callerBounds,
    epoch: options.epoch ?? 0,
    numbersFloor: options.numbersFloor ?? 0,
    boards: new Map(),
    maxBoards: options.maxBoards ?? Number.POSITIVE_INFINITY,
    pullers: new Map(),
    works: new Map(),
    sessions: new Map(),
    requests: new Map(),
    pastRequests: new GenerationMap({
      keepFor: options.rememberFor ?? TEN_MINUTES,
      maxEntries: MAX_REMEMBERED,
      askedInVain: true,
    }),
    deadlines: new IndexedHeap(),
    unsettled: [],
    changed: new Set(),
    arrival: 0,
    serial: 0,
    events: [],
    changes: [],
    claims: [],
  };
}

/** The board's stages want another look before the step ends. */
export function unsettle(state: BoardState, board: Board): void {
  if (board.unsettled) return;
  board.unsettled = true;
  state.unsettled.push(board);
}

/** Notes that a card has changed. */
export function touch(state: BoardState, card: Card): void {
  const { board } = card.stage;
  board.sequence += 1;
  card.revision = board.sequence;
  board.log.changed(card.id, board.sequence);
  state.changed.add(board);
  state.changes.push({ kind: "card-put", card });
}

/** Whether a pull of these words is the same as another. In a session work has no stream of its own, however it was pulled. */
export function samePull(
  {
    stage,
    worker,
    detached,
    inSession,
  }: Pick<Puller, "stage" | "worker" | "detached"> & { readonly inSession: boolean },
  command: PullCard,
): boolean {
  return (
    stage.board.config.name === command.board &&
    stage.config.name === command.stage &&
    worker === command.worker &&
    (inSession || command.session !== undefined || detached === command.detached)
  );
}
