/** What the model of boards knows, and how it puts what it says. */

import type { PullCard } from "../../../../src/server/machine/board/command.ts";
import type { BoardConfig, CardContent, CardState, StageConfig } from "../../../../src/server/machine/board/model.ts";
import { type Called, callerOf } from "../../../../src/server/machine/callers.ts";
import type { ModelAttachment, ModelSession } from "../model-sessions.ts";

/** An outcome or an event, of the machine or the model. */
export type Said = { readonly kind: string } & Readonly<Record<string, unknown>>;

export interface ModelStep {
  readonly outcome: Said;
  readonly events: readonly ModelEvent[];
  /** What is asked of limiters and given back, in order. */
  readonly claims: readonly string[];
}

export interface ModelEvent {
  readonly to: number;
  readonly about: string;
  readonly said: Said;
}

export interface ModelStage {
  config: StageConfig;
}

export interface ModelBoard {
  config: BoardConfig;
  declaration: BoardConfig | undefined;
  revision: number;
  stages: ModelStage[];
  /** In the order in which they came into their stages. */
  cards: ModelCard[];
  added: number;
  completed: number;
}

export interface ModelWork {
  readonly id: string;
  readonly caller: string;
  readonly worker: string;
  readonly ttl: number | undefined;
  readonly requestId: string;
  readonly claimed: boolean;
  keepsOnCancel: boolean;
  heard: boolean;
  promises: number;
  token: number;
  attachment: ModelAttachment;
  /** Infinity: it lasts. Of what is not in a session. */
  expiresAt: number;
}

export interface ModelCard {
  readonly id: string;
  readonly board: ModelBoard;
  readonly serial: number;
  readonly addedAt: number;
  content: CardContent;
  stage: ModelStage;
  state: CardState;
  attempt: number;
  reason: string;
  result: string;
  work: ModelWork | undefined;
  lastWork: { readonly token: number; readonly end: string; readonly caller: string } | undefined;
  enteredAt: number;
  completedAt: number | undefined;
  blockedAt: number | undefined;
  blockedTime: number;
}

export interface ModelPuller {
  readonly id: string;
  readonly caller: string;
  readonly board: ModelBoard;
  readonly stage: ModelStage;
  readonly worker: string;
  readonly ttl: number | undefined;
  readonly requestId: string;
  detached: boolean;
  stream: number | undefined;
  monitored: boolean;
  session: ModelSession | undefined;
  keepsOnCancel: boolean;
  now: boolean;
  /** When it gives up: by its own bound, and while it is away. */
  deadline: number;
  awayUntil: number;
  kept: ModelPull | undefined;
}

export interface ModelPull {
  readonly kind: "own" | "move" | "exchange";
  readonly card: ModelCard;
  /** In an exchange, the one that goes up. */
  readonly up: ModelCard | undefined;
}

type Place = { readonly board?: string; readonly stage?: string; readonly card?: string };

/** A revision that nothing has. */
export const STALE = -1;
export const DETACHED: ModelAttachment = { kind: "detached" };
export const DONE: Said = { kind: "done" };

/** Whether two pieces of content or configuration say the same. */
export function same(a: object, b: object): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

export function toPuller(
  command: PullCard,
  {
    board,
    stage,
    session,
    now,
  }: { board: ModelBoard; stage: ModelStage; session: ModelSession | undefined; now: number },
): ModelPuller {
  const { id, worker, requestId, detached, stream, monitored, maxWait } = command;
  return {
    id,
    caller: callerOf(command),
    board,
    stage,
    worker,
    ttl: command.ttl ?? (detached ? undefined : board.config.ttl),
    requestId,
    detached,
    stream,
    monitored,
    session,
    keepsOnCancel: session?.keepsOnCancel ?? command.keepOnCancel,
    now: maxWait === 0,
    deadline: now + (maxWait ?? Number.POSITIVE_INFINITY),
    awayUntil: Number.POSITIVE_INFINITY,
    kept: undefined,
  };
}

/** What a request id of a caller stands for is that caller's alone. */
export function keyOf({ caller, requestId }: Called & { readonly requestId: string }): string {
  return JSON.stringify([callerOf({ caller }), requestId]);
}

/** A pull that asks for an answer at once is answered by the limiter. */
export function givesUpAt({ now, deadline, awayUntil }: ModelPuller): number {
  return now ? Number.POSITIVE_INFINITY : Math.min(deadline, awayUntil);
}

export function isPresent({ stream, kept }: ModelPuller): boolean {
  return stream !== undefined && kept === undefined;
}

export function claims({ config }: ModelStage): boolean {
  return config.kind === "work" && config.limiter !== "";
}

export function openCards({ cards, stages }: ModelBoard): number {
  return cards.filter(({ stage }) => stage !== stages.at(-1)).length;
}

export function nameOf({ config }: ModelBoard): string {
  return config.name;
}

export function stageName({ stages }: ModelBoard, index: number): string {
  return stages[index]?.config.name ?? "";
}

export function placeOf(of: ModelCard | ModelPuller): Place {
  const at = { board: nameOf(of.board), stage: of.stage.config.name };
  return "serial" in of ? { ...at, card: of.id } : at;
}

export function refused(reason: string, at: Place | undefined, waitersAhead = 0): Said {
  return { kind: "refused", reason, at: at && { board: "", stage: "", card: "", ...at }, waitersAhead };
}

export function refusalSaid({
  reason,
  at,
  waitersAhead,
}: {
  reason: string;
  at: Place | undefined;
  waitersAhead: number;
}): Said {
  return { kind: "refused", reason, at, waitersAhead };
}

export function boardSaid({ config, revision }: ModelBoard): Said {
  return { kind: "board", name: config.name, revision };
}

export function cardSaid({ id }: ModelCard): Said {
  return { kind: "card", card: id };
}

export function pulledSaid({ id }: ModelCard, work: string | undefined, resumed: boolean): Said {
  return { kind: "pulled", card: id, work, resumed };
}

export function sessionSaid(held: readonly { readonly card: ModelCard; readonly work: ModelWork }[]): Said {
  const cards = held.map(({ card, work }) => ({
    workId: work.id,
    board: nameOf(card.board),
    cardId: card.id,
  }));
  return { kind: "session-resumed", cards: cards.sort(byWork) };
}

/** The order in which a session's cards are listed is left open. */
export function byWork(a: { readonly workId: string }, b: { readonly workId: string }): number {
  return Number(a.workId) - Number(b.workId);
}
