/** Boards, stages, cards, work and pullers: they refer to one another. */

import type { Held, Queuer } from "../liveness.ts";
import type { WaitReason } from "../reasons.ts";
import type { Session } from "../session.ts";
import type { Fifo, FifoNode } from "../structures/fifo.ts";
import { boundsInSeconds, type Histogram } from "../structures/histogram.ts";
import type { Due } from "../structures/indexed-heap.ts";
import type { Durations, Meter } from "../structures/meter.ts";
import type { ChangeLog } from "./change-log.ts";
import type { FlowHistory } from "./flow-history.ts";
import type { Ranked, Ranking } from "./ranking.ts";

/** What an operator decides about a stage; every default has been filled in. */
export interface StageConfig {
  readonly name: string;
  readonly kind: "queue" | "work";
  /** Cards; undefined: no limit. */
  readonly wipLimit: number | undefined;
  /** A queue that pulls by itself whenever it has room. */
  readonly autoPull: boolean;
  /** The limiter on which work here holds a lease; empty: none. */
  readonly limiter: string;
}

/** What an operator decides about a board; every default has been filled in. Times in µs. */
export interface BoardConfig {
  readonly name: string;
  readonly description: string;
  /** From the first to the last; both are queues. */
  readonly stages: readonly StageConfig[];
  readonly maxAttempts: number;
  readonly ttl: number;
  readonly maxCards: number;
  readonly keepCompleted: number;
  readonly keepCompletedFor: number | undefined;
  readonly maxPullers: number;
}

export interface Board extends Due {
  readonly kind: "board";
  config: BoardConfig;
  /** The file's last word on it; undefined if it was made by RPC. */
  declaration: BoardConfig | undefined;
  /** Rises with each change of `config`. */
  revision: number;
  readonly createdAt: number;
  updatedAt: number;
  stages: Stage[];
  readonly cards: Map<string, Card>;
  /** The highest token that was granted. */
  fencingToken: number;
  /** Numbers the changes of the board and its cards. */
  sequence: number;
  readonly log: ChangeLog;
  /** Stages want another look before the step ends. */
  unsettled: boolean;
  readonly arrivals: Meter;
  readonly completions: Meter;
  readonly leadTimes: Durations;
  /** The same, of all that were ever completed. */
  readonly leads: Histogram;
  readonly history: FlowHistory;
  /** By the number of the day since 1970, UTC; the latest last. */
  readonly completedByDay: Map<number, number>;
  blocked: number;
}

export interface Stage {
  readonly board: Board;
  config: StageConfig;
  /** Its place on the board; 0 is the first. */
  index: number;
  /** All that stand here, in the order in which they came. */
  readonly cards: Map<string, Card>;
  /** Cards without work; the best first. */
  readonly waiting: Ranking<Card>;
  readonly finished: Ranking<Card>;
  readonly sentBack: Ranking<Card>;
  /** The one that is forgotten first is first. */
  readonly completed: Ranking<Card>;
  /** How many there are in each state, those kept for a puller included. */
  readonly tally: Record<CardState, number>;
  /** Places that are promised to cards which are about to come. */
  promised: number;
  readonly pullers: Fifo<Puller>;
  readonly arrivals: Meter;
  readonly departures: Meter;
  readonly cycleTimes: Durations;
  /** The same, of all that have ever left. */
  readonly cycles: Histogram;
  /** How many cards were pulled into it, or taken up where they stood in it. */
  pulls: number;
}

const HOUR = 3_600;
const DAY = 86_400;

/** Of the time that cards take: work of a machine, and of people. */
export const FLOW_BOUNDS = boundsInSeconds(
  ...[1, 10, 60, 300, 900, HOUR, 4 * HOUR, 12 * HOUR],
  ...[DAY, 3 * DAY, 7 * DAY, 30 * DAY],
);

/** `waiting`: no worker holds it. `finished`: the next stage may pull it. `sent-back`: the stage before shall. */
export type CardState = "waiting" | "active" | "blocked" | "finished" | "sent-back" | "completed";

/** What a card says: the part that the client decides that adds it. */
export interface CardContent {
  readonly title: string;
  readonly description: string;
  readonly data: string;
  /** Higher goes first. */
  readonly priority: number;
}

export interface Card extends Ranked {
  readonly id: string;
  content: CardContent;
  stage: Stage;
  state: CardState;
  /** Rises with each card that is added: the order of age. */
  readonly serial: number;
  /** The sequence number of its last change. */
  revision: number;
  /** The work on it; defined while it is active. */
  work: Work | undefined;
  lastWork: PastWork | undefined;
  /** A pull that waits for the stage's limiter and will take this card: no other may. */
  reservedFor: Puller | undefined;
  attempt: number;
  reason: string;
  result: string;
  readonly addedAt: number;
  enteredAt: number;
  /** Rises with each entry into a stage: the order of lists. */
  entry: number;
  completedAt: number | undefined;
  blockedAt: number | undefined;
  /** µs, without the time that runs. */
  blockedTime: number;
}

export interface PastWork {
  readonly worker: string;
  readonly caller: string;
  readonly token: number;
  readonly pulledAt: number;
  readonly ttl: number | undefined;
  readonly end: WorkEnd;
}

/** What has ended work; `otherwise`: its time, its stream, or another caller. */
export type WorkEnd = EndVerb | "otherwise";

/** What a worker says to end its work. */
export type EndVerb = "finish" | "give-back" | "send-back" | "block";

/** A worker's right to a card. */
export interface Work extends Held {
  readonly kind: "work";
  /** That of the pull. */
  readonly id: string;
  readonly card: Card;
  readonly worker: string;
  /** Whose it is: to any other there is no such work. */
  readonly caller: string;
  readonly token: number;
  readonly pulledAt: number;
  /** µs; undefined: for ever. */
  readonly ttl: number | undefined;
  readonly requestId: string;
  /** The id of its lease on the stage's limiter; undefined: it has none. */
  readonly leaseId: string | undefined;
  /** False while the card is known not to have reached its worker: then no work has begun, and no attempt is counted. */
  heard: boolean;
}

/** A pull that waits for a card in one stage. */
export interface Puller extends Queuer, FifoNode<Puller> {
  readonly kind: "puller";
  readonly id: string;
  readonly stage: Stage;
  readonly worker: string;
  readonly caller: string;
  readonly ttl: number | undefined;
  readonly requestId: string;
  /** It does not wait: what cannot be had at once is refused. */
  now: boolean;
  /** The work will have no stream of its own. */
  detached: boolean;
  /** Whose stream it waits on; undefined: it has one of its own. */
  session: Session<Puller> | undefined;
  /** What it will take once the stage's limiter has admitted it; it then stands aside in its queue. */
  claiming: Pull | undefined;
  /** Why that limiter has not admitted it, as last heard; undefined: it has yet to answer. */
  missing: WaitReason | undefined;
  /** The id of its waiter, and then lease, at the stage's limiter: a fresh one each time when it claims. */
  leaseId: string | undefined;
  /** How often it has claimed. */
  claims: number;
  sentAhead: number;
}

/** What a pull into a stage does. */
export type Pull =
  /** Takes up a card that stands in the stage already. */
  | { readonly kind: "own"; readonly card: Card }
  /** Takes a card from the stage before, or one that the stage after has sent back. */
  | { readonly kind: "move"; readonly card: Card }
  /** Both stages are full: a card that was sent back goes up, a finished one comes down. */
  | { readonly kind: "exchange"; readonly card: Card; readonly up: Card };
