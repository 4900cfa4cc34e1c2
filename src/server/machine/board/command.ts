/** What goes into the board machine, and what comes out of it. Times are monotonic µs. */

import type { Called, CalledWithin } from "../callers.ts";
import type { Displaced, StreamEnd, StreamId, Streaming } from "../liveness.ts";
import type { Refusal, WaitReason } from "../reasons.ts";
import type { SessionRef, SessionStream } from "../session.ts";
import type { Board, BoardConfig, Card, CardContent, Puller, Work } from "./model.ts";

export interface CreateBoard extends Called {
  readonly kind: "create-board";
  readonly config: BoardConfig;
}

export interface UpdateBoard extends Called {
  readonly kind: "update-board";
  readonly config: BoardConfig;
  /** Pairs of the name that a stage is to have and the one that it had; the others keep theirs. */
  readonly renamed: readonly (readonly [string, string])[];
  /** The revision that it must have; undefined: any. */
  readonly revision: number | undefined;
}

export interface DeleteBoard extends Called {
  readonly kind: "delete-board";
  readonly name: string;
  readonly revision: number | undefined;
  readonly force: boolean;
}

/** The boards that the configuration file declares, all of them. */
export interface DeclareBoards {
  readonly kind: "declare-boards";
  readonly configs: readonly BoardConfig[];
  /** By board: for the name of a stage the one that it had before. */
  readonly renamed?: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

export interface AddCard {
  readonly kind: "add-card";
  readonly board: string;
  readonly id: string;
  readonly content: CardContent;
}

export interface UpdateCard {
  readonly kind: "update-card";
  readonly board: string;
  readonly cardId: string;
  readonly content: Partial<CardContent>;
  readonly revision: number | undefined;
}

export interface DeleteCard extends Called {
  readonly kind: "delete-card";
  readonly board: string;
  readonly cardId: string;
  readonly revision: number | undefined;
}

export interface PullCard extends Streaming, CalledWithin {
  readonly kind: "pull";
  /** Fresh; the pull's id, and then the work's. */
  readonly id: string;
  readonly board: string;
  readonly stage: string;
  readonly worker: string;
  /** µs; undefined: until cancelled. 0: now or not at all. */
  readonly maxWait: number | undefined;
  /** µs; undefined: the board's for work with a stream, for ever for work without. */
  readonly ttl: number | undefined;
  readonly requestId: string;
  /** The work has no stream of its own; `stream` hears only what comes of the pull. */
  readonly detached: boolean;
  /** Only this card; undefined: the best. Only with `maxWait` 0. */
  readonly cardId: string | undefined;
  /** Its stream, of which it then has what the request says of its own; undefined: the stream is for this pull alone. */
  readonly session: SessionRef | undefined;
}

/** Opens a session, in which nothing is held yet. */
export interface OpenBoardSession extends SessionStream, Called {
  readonly kind: "open-session";
  /** Fresh, or that of a session of limiters. */
  readonly sessionId: string;
}

/** Takes a session up again that has lost its stream, or displaces an older stream. */
export interface ResumeBoardSession extends SessionStream, Called {
  readonly kind: "resume-session";
  readonly sessionId: string;
}

/** Shows that its client lives, for all that it holds. */
export interface RenewBoardSession extends Called {
  readonly kind: "renew-session";
  readonly session: SessionRef;
}

/** The stream of a session has ended without the machine's doing. */
export interface LeaveBoardSession {
  readonly kind: "leave-session";
  readonly sessionId: string;
  readonly stream: StreamId;
  readonly how: StreamEnd;
  /** The ids of the pulls of which the server knows that the stream has not passed on what is held. */
  readonly unheard: readonly string[];
}

/** Attaches a stream to work that has lost its own, or displaces an older stream. */
export interface ResumeWork extends Streaming, Called {
  readonly kind: "resume-work";
  readonly board: string;
  readonly cardId: string;
  readonly token: number;
}

/** The stream of a pull or of work has ended without the machine's doing. */
export interface LeavePull {
  readonly kind: "leave-pull";
  readonly id: string;
  readonly stream: StreamId;
  readonly how: StreamEnd;
  /** Whether the server knows that the stream has not passed on what is held. */
  readonly unheard: boolean;
}

/** The call that asked has ended before it heard of its card: that waits again, as if it had not been pulled. */
export interface AbandonPull extends Called {
  readonly kind: "abandon-pull";
  /** The id that the call had given, and its request id. */
  readonly id: string;
  readonly requestId: string;
}

/** Gives up what was asked under a request id, whatever has become of it, and also if it has yet to arrive. */
export interface WithdrawPull extends Called {
  readonly kind: "withdraw-pull";
  readonly requestId: string;
  /** Why. */
  readonly words: string;
}

/** What the stage's limiter has made of a pull's claim. */
export interface SettleClaim {
  readonly kind: "settle-claim";
  readonly id: string;
  /** Undefined: it is granted. */
  readonly refusal: Refusal | undefined;
}

/** The stage's limiter keeps a pull's claim waiting. */
export interface HoldClaim {
  readonly kind: "hold-claim";
  readonly id: string;
  readonly missing: WaitReason;
}

/** The lease that goes with some work was revoked, or deleted with its limiter. */
export interface LoseClaim {
  readonly kind: "lose-claim";
  readonly id: string;
  readonly reason: "LEASE_REVOKED" | "LIMITER_DELETED";
}

export interface RenewWork extends Called {
  readonly kind: "renew-work";
  readonly board: string;
  readonly cardId: string;
  readonly token: number;
}

/** `token` 0: work without a ttl, whatever its token. */
export interface EndWork extends Called {
  readonly kind: "finish" | "give-back" | "send-back";
  readonly board: string;
  readonly cardId: string;
  readonly token: number;
  /** The result of a finish; why, of the others. */
  readonly words: string;
  /** Of a give-back: it counts as an attempt. */
  readonly failed: boolean;
  /** That of its worker, whose stream then hears nothing more of it; undefined: it comes from elsewhere. */
  readonly session: SessionRef | undefined;
}

export interface BlockCard extends Called {
  readonly kind: "block";
  readonly board: string;
  readonly cardId: string;
  /** 0: an operator says so. */
  readonly token: number;
  readonly reason: string;
}

export interface UnblockCard {
  readonly kind: "unblock";
  readonly board: string;
  readonly cardId: string;
}

/** Does nothing but bring the state up to now. */
export interface WakeBoards {
  readonly kind: "wake";
}

export type BoardCommand =
  | CreateBoard
  | UpdateBoard
  | DeleteBoard
  | DeclareBoards
  | AddCard
  | UpdateCard
  | DeleteCard
  | PullCard
  | ResumeWork
  | OpenBoardSession
  | ResumeBoardSession
  | RenewBoardSession
  | LeaveBoardSession
  | LeavePull
  | WithdrawPull
  | AbandonPull
  | SettleClaim
  | HoldClaim
  | LoseClaim
  | RenewWork
  | EndWork
  | BlockCard
  | UnblockCard
  | WakeBoards;

export interface BoardChanged {
  readonly kind: "board";
  readonly board: Board;
}

export interface BoardDeleted {
  readonly kind: "board-deleted";
  readonly cards: number;
}

/** What the file's declarations came to, by name; `refused`: cards stand in a stage that is gone from the file. */
export interface BoardsDeclared {
  readonly kind: "boards-declared";
  readonly created: readonly string[];
  readonly changed: readonly string[];
  readonly deleted: readonly string[];
  readonly refused: readonly string[];
  /** Why, in the same order. */
  readonly refusals: readonly Refusal[];
}

export interface CardChanged {
  readonly kind: "card";
  readonly card: Card;
}

/** A card was pulled. `work` is undefined where nothing is held: into a queue. */
export interface Pulled {
  readonly kind: "pulled";
  readonly card: Card;
  readonly work: Work | undefined;
  /** Pulled before, and found again. */
  readonly resumed: boolean;
}

export interface PullWaiting {
  readonly kind: "pull-waiting";
  readonly puller: Puller;
}

export interface WorkRenewed {
  readonly kind: "work-renewed";
  readonly work: Work;
}

/** What of a session that was taken up again lives still. */
export interface BoardSessionResumed {
  readonly kind: "session-resumed";
  readonly cards: readonly SessionWork[];
}

/** Work that a session has on a card. */
export interface SessionWork {
  readonly workId: string;
  readonly board: string;
  readonly cardId: string;
  readonly token: number;
}

export interface BoardSessionRenewed {
  readonly kind: "session-renewed";
  /** µs for which its client may rely on all that it holds, from when it asked; undefined: nothing of it is bound to a time. */
  readonly validFor: number | undefined;
}

export interface Nothing {
  readonly kind: "done";
}

export interface BoardOutcomes {
  "create-board": BoardChanged | Refusal;
  "update-board": BoardChanged | Refusal;
  "delete-board": BoardDeleted | Refusal;
  "declare-boards": BoardsDeclared;
  "add-card": CardChanged | Refusal;
  "update-card": CardChanged | Refusal;
  "delete-card": Nothing | Refusal;
  /** Where the stage has a limiter, `pull-waiting` even with `maxWait` 0: what comes of it is said on the stream. */
  pull: Pulled | PullWaiting | Refusal;
  "resume-work": Pulled | Refusal;
  "open-session": Nothing;
  "resume-session": BoardSessionResumed | Refusal;
  "renew-session": BoardSessionRenewed | Refusal;
  "leave-session": Nothing;
  /** WAITER_NOT_FOUND: nothing of that id is under the stream by itself. What a session has pulled is not. */
  "leave-pull": Nothing | Refusal;
  /** The card that was given back; nothing where there was none. */
  "withdraw-pull": CardChanged | Nothing;
  "abandon-pull": Nothing;
  "settle-claim": Nothing;
  "hold-claim": Nothing;
  "lose-claim": Nothing;
  "renew-work": WorkRenewed | Refusal;
  finish: CardChanged | Refusal;
  "give-back": CardChanged | Refusal;
  "send-back": CardChanged | Refusal;
  block: CardChanged | Refusal;
  unblock: CardChanged | Refusal;
  wake: Nothing;
}

export type BoardOutcomeOf<C extends BoardCommand> = BoardOutcomes[C["kind"]];
export type BoardOutcome = BoardOutcomes[BoardCommand["kind"]];

/** What the step means for a stream other than the caller's. */
export interface BoardEvent {
  readonly to: StreamId;
  /** The id of the pull that it is about, which is that of its work, too; or of a session. */
  readonly about: string;
  readonly news: BoardNews;
}

export type BoardNews =
  | Pulled
  /** What it waits for is something else now. */
  | PullWaiting
  /** Leaves the queue without a card, or loses the one it had; the stream ends. */
  | Refusal
  | WorkOver
  | Displaced;

/** The work has ended as its worker wished; so does the stream. */
export interface WorkOver {
  readonly kind: "work-over";
}

/** What the engine has to do at a limiter for a pull. */
export type ClaimEffect =
  /** Ask for a permit and a token, and say with `settle-claim` what came of it. */
  | {
      readonly kind: "claim";
      readonly id: string;
      /** Fresh; the id of the waiter and lease at the limiter. */
      readonly leaseId: string;
      readonly limiter: string;
      readonly worker: string;
      readonly caller: string;
      readonly now: boolean;
    }
  /** Give up asking, or give back what was granted. */
  | { readonly kind: "unclaim"; readonly id: string };

/** A record to keep. It refers to live state. */
export type BoardChange =
  | { readonly kind: "board-put"; readonly board: Board }
  | { readonly kind: "board-removed"; readonly name: string }
  | { readonly kind: "card-put"; readonly card: Card }
  | { readonly kind: "card-removed"; readonly board: string; readonly cardId: string };
