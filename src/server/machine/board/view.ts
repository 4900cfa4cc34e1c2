/** What is shown of a board: plain copies. Spans are µs, and instants ms since 1970. */

import type { WaitReason } from "../reasons.ts";
import type { BoardConfig, CardContent, CardState, StageConfig } from "./model.ts";

export interface BoardView {
  readonly config: BoardConfig;
  readonly declared: boolean;
  /** What the file says of it, as far as it was taken up; undefined if it was made by RPC. */
  readonly declaration: BoardConfig | undefined;
  readonly revision: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly stages: readonly StageView[];
  readonly status: BoardStatus;
}

export interface StageView {
  readonly config: StageConfig;
  readonly cards: number;
  readonly tally: Readonly<Record<CardState, number>>;
  readonly pullers: number;
  /** An hour. */
  readonly arrivalRate: number;
  readonly departureRate: number;
  readonly cycleTime: FlowTime;
  readonly expectedCards: number;
  /** µs. */
  readonly oldestAge: number | undefined;
}

/** µs. */
export interface FlowTime {
  readonly count: number;
  readonly mean: number | undefined;
  readonly p50: number | undefined;
  readonly p85: number | undefined;
  readonly p95: number | undefined;
}

export interface BoardStatus {
  /** All but the completed. */
  readonly cards: number;
  readonly completed: number;
  readonly blocked: number;
  /** An hour. */
  readonly arrivalRate: number;
  readonly throughput: number;
  readonly leadTime: FlowTime;
  readonly expectedCards: number;
  /** A stage's name; empty: none. */
  readonly bottleneck: string;
  readonly added: number;
  readonly everCompleted: number;
  /** By the number of the day since 1970, UTC; the latest last. */
  readonly completedByDay: readonly { readonly day: number; readonly count: number }[];
  readonly sequence: number;
}

export interface CardView {
  readonly id: string;
  readonly content: CardContent;
  readonly stage: string;
  readonly state: CardState;
  readonly work: WorkView | undefined;
  readonly attempt: number;
  readonly reason: string;
  readonly result: string;
  readonly addedAt: number;
  readonly enteredAt: number;
  readonly completedAt: number | undefined;
  readonly revision: number;
  /** µs. */
  readonly age: number;
  readonly stageAge: number;
  readonly blockedTime: number;
}

/** The worker's hold on a card, or the last one. */
export interface WorkView {
  readonly worker: string;
  readonly caller: string;
  readonly token: number;
  readonly pulledAt: number;
  readonly ttl: number | undefined;
  readonly expiresAt: number | undefined;
  readonly live: boolean;
}

/** How many cards each stage had at an instant. */
export interface SampleView {
  readonly at: number;
  /** In the order of the stages; the last counts all that were ever completed. */
  readonly counts: readonly number[];
}

/** How far a watcher of a board has come. */
export interface WatchPosition {
  /** The number of the change up to which it has received everything; 0: it knows nothing. */
  readonly sequence: number;
  /** The number of the board's last change when it last received a snapshot: what was gone by then it has never seen. */
  readonly snapshotAt: number;
}

/** What a watcher receives next, which brings it up to the change of a number: the whole of it, or a part that fits one message. */
export type BoardDelta = {
  readonly board: BoardView;
  readonly cards: readonly CardView[];
  /** As far as the board has come, or less if more follows. */
  readonly sequence: number;
} & (
  | { readonly kind: "snapshot" }
  | {
      readonly kind: "changes";
      readonly removed: readonly string[];
    }
);

/** A puller's place in the queue. */
export interface PlaceView {
  readonly pullersAhead: number;
  /** What it waits for: a card, room, or what its stage's limiter says. Undefined: the limiter has yet to answer. */
  readonly missing: "NO_CARD" | "STAGE_FULL" | WaitReason | undefined;
}
