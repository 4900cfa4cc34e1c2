/**
 * Cards as the client shows them. Times that one receives end in `Ms`, and are as of when the card was read; instants are
 * `Date`s of the server's wall clock. Free of any transport.
 */

/**
 * What becomes of a card in its stage. `"waiting"`: no worker holds it. `"active"`: a worker holds it. `"blocked"`: it
 * cannot be pulled until it is unblocked. `"finished"`: the next stage may pull it. `"sent-back"`: the stage upstream shall pull
 * it back. `"completed"`: it has reached the last stage.
 */
export type CardState = "waiting" | "active" | "blocked" | "finished" | "sent-back" | "completed";

/** What the client that adds a card decides, and may change later. */
export interface CardSettings {
  /** What it is, in a line. At most 512 bytes. */
  readonly title?: string | undefined;
  /** The same at length. At most 16 KiB. */
  readonly description?: string | undefined;
  /** Whatever its workers need: a string as it is, anything else as JSON. At most 64 KiB. */
  readonly data?: unknown;
  /** Higher goes first, -1,000 to 1,000; equals go by age on the board. Default 0. */
  readonly priority?: number | undefined;
}

/** A card to add. */
export interface NewCard extends CardSettings {
  /**
   * Names it on its board, for ever: letters, digits and `. _ - / # :`, beginning with a letter, a digit or `#`; at most
   * 128. Default: a random one.
   */
  readonly id?: string | undefined;
}

/** Changes to a card: what is given is changed, `null` empties it, what is not given stays. */
export type CardChanges = { readonly [K in keyof CardSettings]?: CardSettings[K] | null };

/** A piece of work. It stands in exactly one stage of its board, and only a pull moves it on. */
export interface Card {
  readonly id: string;
  readonly title: string;
  readonly description: string;
  /** As it was given: a string, or the JSON of anything else. */
  readonly data: string;
  readonly priority: number;
  /** Where it stands. */
  readonly stage: string;
  readonly state: CardState;
  /** The worker's hold on it, or the last one. */
  readonly lease: CardLease | undefined;
  /** How often work on it was begun in this stage, but for work that was given back on purpose: 1 for the first. */
  readonly attempt: number;
  /** Why it is blocked, was given back or sent back, in the words of the worker or operator that did it. */
  readonly reason: string;
  /** What the last finish that brought anything brought: a string, or the JSON of anything else. */
  readonly result: string;
  readonly addTime: Date | undefined;
  /** When it came into its stage. */
  readonly enterTime: Date | undefined;
  /** When it reached the last stage. */
  readonly completeTime: Date | undefined;
  /** How long it has been on the board; until its completion, if that has come. */
  readonly ageMs: number;
  /** How long it has been in its stage. */
  readonly stageAgeMs: number;
  /** How long it was blocked, altogether. */
  readonly blockedTimeMs: number;
  /** Changes with every change of the card. */
  readonly etag: string;
}

/** A worker's right to a card. */
export interface CardLease {
  /** The worker, as the pull named it. */
  readonly worker: string;
  /** Whose the work is, as the server has made sure of it; empty: its client has shown no credential. */
  readonly caller: string;
  /**
   * Rises for ever with each pull of the board. Hand it to whatever the work changes: a resource that remembers the
   * highest it has seen for a card can refuse a worker whose lease has gone. An unsigned 64-bit number.
   */
  readonly fencingToken: bigint;
  readonly pullTime: Date | undefined;
  /** How long the card outlives the last sign of its worker; 0: it ends with its stream; undefined: for ever, a person's. */
  readonly ttlMs: number | undefined;
  /** When the card is free again unless its worker shows itself. Undefined while that cannot be said. */
  readonly expireTime: Date | undefined;
  /** Whether the work goes on; false once it has ended, when this describes the last worker's hold. */
  readonly live: boolean;
}
