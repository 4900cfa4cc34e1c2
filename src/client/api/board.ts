/**
 * Boards as the client shows them. Times that one chooses carry the contract's names (`ttl`, `keepCompletedFor`), those
 * that one receives end in `Ms`; both are milliseconds. Instants are `Date`s of the server's wall clock. Free of any
 * transport.
 */

import type { Card } from "./card.ts";

/**
 * `"queue"`: cards wait here, and the next stage may pull each at once. `"work"`: cards are worked on here, and must be
 * finished before the next stage may pull them.
 */
export type StageKind = "queue" | "work";

/** What a column of a board is made of. */
export interface StageConfig {
  /** Names it on its board: letters, digits, spaces and `. _ -`; at most 64. */
  readonly name: string;
  /** Default: a queue for the first and the last stage, which are never anything else; work between them. */
  readonly kind?: StageKind | undefined;
  /**
   * How many cards may be in it, 1 to 100,000, whatever becomes of them there. Default: no limit. In the last stage only with
   * a smaller `keepCompleted`, or with `keepCompletedFor`: completed cards would fill it for ever.
   */
  readonly wipLimit?: number | undefined;
  /** Of a queue: whether it pulls by itself whenever it has room. Default true. */
  readonly autoPull?: boolean | undefined;
  /** Of a work stage: a limiter without keys on which every card that is worked on here holds a lease. Default: none. */
  readonly limiter?: string | undefined;
}

/** A stage as it shall be. */
export interface StageChange extends StageConfig {
  /** The name that it has now, if that is another; its cards stay. */
  readonly renamedFrom?: string | undefined;
}

/** What can be chosen of a board after it has been made, but for its stages. */
export interface BoardSettings {
  /** For people. At most 1,024 bytes. */
  readonly description?: string | undefined;
  /** How often a card may be begun in one stage before it is blocked, 1 to 1,000. Default 5. */
  readonly maxAttempts?: number | undefined;
  /** ms that a card outlives the last sign of its worker, if the pull does not say: 0, or 100 to 24 hours. Default 10,000. */
  readonly ttl?: number | undefined;
  /** Cards at once, completed ones that are kept included, 1 to 1,000,000. Default 100,000. */
  readonly maxCards?: number | undefined;
  /** How many completed cards are kept, the latest, to 1,000,000. Default 1,000. */
  readonly keepCompleted?: number | undefined;
  /** ms that a completed card is kept at most, 1 second to 10 years. Default: as long as `keepCompleted` lets it. */
  readonly keepCompletedFor?: number | undefined;
  /** How many may wait in each stage for a card, to 100,000. Default 10,000. */
  readonly maxPullers?: number | undefined;
}

/** What a board is made of. */
export interface BoardConfig extends BoardSettings {
  /** Names it, for ever: letters, digits and `. _ - /`, at most 128. */
  readonly name: string;
  /**
   * From the first, where cards are added, to the last, where they are completed: 2 to 32. Default: Backlog, Ready,
   * InProgress, Review, Done, with limits none, 5, 3, 2, none.
   */
  readonly stages?: readonly StageConfig[] | undefined;
}

/**
 * Changes to a board: what is given is changed, `null` goes back to its default, what is not given stays. `stages` are
 * replaced as a whole: added, renamed, reordered as far as no card would move forward, removed when empty.
 */
export type BoardChanges = { readonly [K in keyof BoardSettings]?: BoardSettings[K] | null } & {
  readonly stages?: readonly StageChange[] | null | undefined;
};

/** A board as it stands; its configuration shows defaults where the server fills them in. */
export interface Board extends BoardConfig {
  readonly description: string;
  readonly stages: readonly Stage[];
  /** Changes with every change of the configuration. */
  readonly etag: string;
  /** Whether the server's file declares it. */
  readonly declared: boolean;
  readonly createTime: Date | undefined;
  readonly updateTime: Date | undefined;
  readonly status: BoardStatus;
}

/** A column of a board. */
export interface Stage extends StageConfig {
  readonly kind: StageKind;
  /** Empty: none. */
  readonly limiter: string;
  readonly status: StageStatus;
}

/** How work flows through a stage. Rates are means over the last hour, times over the last one to two hours. */
export interface StageStatus {
  /** All its cards: the measured L. Never above `wipLimit`, but after that was lowered. */
  readonly cards: number;
  readonly waiting: number;
  readonly active: number;
  readonly blocked: number;
  readonly finished: number;
  readonly sentBack: number;
  /** How many wait here for a card. */
  readonly pullers: number;
  /** λ: cards that came in. */
  readonly arrivalsPerHour: number;
  /** μ: cards that went on. */
  readonly departuresPerHour: number;
  /** W: how long cards stayed. */
  readonly cycleTime: FlowTime;
  /** λW, to hold against `cards`: far above or below, and the stage is filling or draining. */
  readonly expectedCards: number;
  /** How long the card has stood here that came first of those here; undefined where there is none. */
  readonly oldestAgeMs: number | undefined;
}

/** How long something took; undefined while nothing was measured, percentiles to within 10 %. */
export interface FlowTime {
  /** How many were measured. */
  readonly count: number;
  readonly meanMs: number | undefined;
  readonly p50Ms: number | undefined;
  readonly p85Ms: number | undefined;
  readonly p95Ms: number | undefined;
}

/** How work flows over a board. Rates are means over the last hour. */
export interface BoardStatus {
  /** All cards but the completed: the measured L. */
  readonly cards: number;
  /** Completed cards that are still kept. */
  readonly completed: number;
  readonly blocked: number;
  /** λ: cards added. */
  readonly arrivalsPerHour: number;
  /** μ: cards completed. */
  readonly throughputPerHour: number;
  /** W: from the addition of a card to its completion. */
  readonly leadTime: FlowTime;
  /** λW, to hold against `cards`. */
  readonly expectedCards: number;
  /**
   * The most downstream stage that does not take the cards which it could pull while the stage upstream of it is full.
   * Empty: none.
   */
  readonly bottleneck: string;
  /** Cards ever added. */
  readonly addedCount: number;
  /** Cards ever completed. */
  readonly completedCount: number;
  /** Completions by day (as `2026-11-24`, UTC), the latest 90 days at most, the latest last. */
  readonly completedByDay: readonly { readonly day: string; readonly count: number }[];
  /** The number of the last change of the board. */
  readonly sequence: number;
}

/** A board with its cards. */
export interface BoardSnapshot {
  readonly board: Board;
  readonly cards: readonly Card[];
}

/** News of a board: first a snapshot, then what changes. The board never stood in between two of them. */
export interface BoardEvent {
  /** `"snapshot"`: all that there is, said first and whenever changes were missed. */
  readonly kind: "snapshot" | "changes";
  /** The number of the change that this brings one up to. */
  readonly sequence: number;
  /** As it stands now. */
  readonly board: Board;
  /** Cards that are new or have changed, in the order of their last change; in a snapshot all. */
  readonly changed: readonly Card[];
  /** The ids of cards that are gone: deleted, or completed so long ago that they are not kept. */
  readonly removed: readonly string[];
  /** All that stand on the board now, by id. It is the same map each time, and changes when the loop asks for more news. */
  readonly cards: ReadonlyMap<string, Card>;
}

/** How many cards each stage had, over time: a cumulative flow diagram. */
export interface Flow {
  /** The stages, as the columns of the samples. */
  readonly stages: readonly string[];
  /** One a minute for the last two hours, one in ten for the last day, one an hour for the last 90 days; the latest last. */
  readonly samples: readonly FlowSample[];
}

/** How many cards each stage had at an instant. */
export interface FlowSample {
  readonly time: Date;
  /** In the order of the stages; the last counts all that were ever completed. */
  readonly cards: readonly number[];
}
