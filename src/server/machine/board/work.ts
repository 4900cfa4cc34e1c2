/** Work on a card: it begins with a pull, and ends exactly once. */

import { countIn, countOut, keyOfCaller } from "../callers.ts";
import { type Attachment, DETACHED, holdIn, leaveSessionOf, ORPHANED, restartTtl, streamOf } from "../liveness.ts";
import { type Reason, refusal } from "../reasons.ts";
import type { Session } from "../session.ts";
import { setState } from "./cards.ts";
import type { Pulled } from "./command.ts";
import type { Card, CardState, Puller, Work, WorkEnd } from "./model.ts";
import { type BoardState, touch } from "./state.ts";

/** What of a pull goes into the work. */
export type WorkOrigin = Pick<Puller, "id" | "worker" | "caller" | "ttl" | "requestId" | "keepsOnCancel"> & {
  /** What shows its worker's life. */
  readonly by: Attachment | Session;
  readonly leaseId: string | undefined;
};

/** Begins work on a card. */
export function beginWork(state: BoardState, card: Card, origin: WorkOrigin): Pulled {
  const { board } = card.stage;
  const { by } = origin;
  board.fencingToken += 1;
  const work: Work = {
    kind: "work",
    id: origin.id,
    card,
    worker: origin.worker,
    caller: origin.caller,
    token: board.fencingToken,
    pulledAt: state.now,
    ttl: origin.ttl,
    requestId: origin.requestId,
    leaseId: origin.leaseId,
    keepsOnCancel: origin.keepsOnCancel,
    heard: true,
    promises: 1,
    attachment: by.kind === "session" ? DETACHED : by,
    dueAt: 0,
    heapIndex: -1,
  };
  card.work = work;
  card.attempt += 1;
  state.works.set(work.id, work);
  countIn(state, work.caller, "leases");
  if (work.requestId !== "") state.requests.set(keyOfCaller(work.caller, work.requestId), work);
  if (by.kind === "session") holdIn(state, work, by, true);
  restartTtl(state, work);
  setState(state, card, "active");
  return { kind: "pulled", card, work, resumed: false };
}

/** Ends work on a card, which goes into another state; its limiter's lease is given back. */
export function endWork(state: BoardState, work: Work, next: CardState, end: WorkEnd): void {
  if (work.requestId !== "") {
    const { card } = work;
    const { stage } = card;
    const place = { board: stage.board.config.name, stage: stage.config.name, cardId: card.id };
    state.pastRequests.set(
      keyOfCaller(work.caller, work.requestId),
      { kind: "pulled", ...place, held: true },
      state.now,
    );
  }
  takeBack(state, work, next, end);
}

function takeBack(state: BoardState, work: Work, next: CardState, end: WorkEnd): void {
  const { card } = work;
  state.works.delete(work.id);
  countOut(state, work.caller, "leases");
  state.deadlines.clear(work);
  leaveSessionOf(state, work);
  if (work.requestId !== "") state.requests.delete(keyOfCaller(work.caller, work.requestId));
  card.work = undefined;
  const { worker, caller, token, pulledAt, ttl } = work;
  card.lastWork = { worker, caller, token, pulledAt, ttl, end };
  if (work.leaseId !== undefined) state.claims.push({ kind: "unclaim", id: work.id });
  setState(state, card, next);
}

/** Tells the work's stream, if it has one, why it has ended; undefined: as its worker wished. */
export function tellOver(state: BoardState, work: Work, reason: Reason | undefined): void {
  const stream = streamOf(work);
  if (stream === undefined) return;
  const news = reason === undefined ? OVER : refusal(reason, { at: placeOf(work.card) });
  state.events.push({ to: stream, about: work.id, news });
}

const OVER = { kind: "work-over" } as const;

/** The worker has vanished, or failed: the card waits for another, or is blocked after too many attempts. */
export function failWork(state: BoardState, work: Work, reason: string, end: WorkEnd = "otherwise"): void {
  const { card } = work;
  const { maxAttempts } = card.stage.board.config;
  const tooOften = card.attempt >= maxAttempts;
  card.reason = tooOften ? `blocked after ${card.attempt} attempts: ${reason}` : reason;
  endWork(state, work, tooOften ? "blocked" : "waiting", end);
}

/** Ends work of which its worker never heard, and forgets that it was asked for: the card waits for another. */
export function undoWork(state: BoardState, work: Work): void {
  work.card.attempt -= 1;
  takeBack(state, work, "waiting", "otherwise");
}

/** No worker has begun, or the worker is done without a fault: the card waits for another, and no attempt is counted. */
export function returnWork(state: BoardState, work: Work, end: WorkEnd = "otherwise"): void {
  work.card.attempt -= 1;
  endWork(state, work, "waiting", end);
}

/** Why a card waits again of whose worker nothing was heard. */
export const VANISHED = "its worker has vanished";

/** The work's connection is lost: its ttl runs. */
export function orphanWork(state: BoardState, work: Work): void {
  work.attachment = ORPHANED;
  restartTtl(state, work);
  touch(state, work.card);
}

export function placeOf({ id, stage }: Card): { board: string; stage: string; card: string } {
  return { board: stage.board.config.name, stage: stage.config.name, card: id };
}
