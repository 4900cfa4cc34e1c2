/** Pullers: first come, first served in each stage; one card that comes free wakes one of them. */

import { callerOf, countIn, countOut, keyOfCaller } from "../callers.ts";
import { refusal } from "../reasons.ts";
import { stopWaiting } from "../session.ts";
import { forgetCompleted } from "./cards.ts";
import type { PullCard } from "./command.ts";
import type { Board, Pull, Puller, Stage } from "./model.ts";
import { carryOut, findPull, findPullOf, pullByThemselves, reserve, unreserve } from "./pull-rules.ts";
import { type BoardState, unsettle } from "./state.ts";

/** Puts a puller behind all others of its stage. */
export function enqueuePuller(
  state: BoardState,
  stage: Stage,
  command: PullCard,
  { ttl, session }: Pick<Puller, "ttl" | "session">,
): Puller {
  state.arrival += 1;
  const puller: Puller = {
    kind: "puller",
    id: command.id,
    stage,
    worker: command.worker,
    caller: callerOf(command),
    ttl,
    requestId: command.requestId,
    stream: command.stream,
    monitored: command.monitored,
    keepsOnCancel: session?.keepsOnCancel ?? command.keepOnCancel,
    deadline: state.now + (command.maxWait ?? Number.POSITIVE_INFINITY),
    now: command.maxWait === 0,
    detached: command.detached,
    session,
    claiming: undefined,
    missing: undefined,
    leaseId: undefined,
    claims: 0,
    sentAhead: stage.pullers.presentCount,
    arrival: state.arrival,
    present: true,
    previous: undefined,
    next: undefined,
    dueAt: 0,
    heapIndex: -1,
  };
  stage.pullers.append(puller);
  state.pullers.set(puller.id, puller);
  countIn(state, puller.caller, "waiters");
  session?.waiting.add(puller);
  if (puller.requestId !== "") state.requests.set(keyOfCaller(puller.caller, puller.requestId), puller);
  if (!puller.now && puller.deadline !== Number.POSITIVE_INFINITY) state.deadlines.set(puller, puller.deadline);
  state.changed.add(stage.board);
  return puller;
}

/** Takes a puller out of its queue, and off the limiter's, whatever comes of it. */
export function dequeuePuller(state: BoardState, puller: Puller): void {
  if (puller.claiming !== undefined) {
    unreserve(state, puller);
    state.claims.push({ kind: "unclaim", id: puller.id });
  }
  forgetPuller(state, puller);
}

/** Keeps a pull for a puller, which joins the queue of its stage's limiter. */
export function claim(state: BoardState, puller: Puller, pull: Pull): void {
  const { id, stage, worker, caller, now } = puller;
  reserve(stage, pull, puller);
  stage.pullers.leave(puller);
  puller.claims += 1;
  // An id is used once: what is said of an earlier claim must not be taken for what is said of this one.
  const leaseId = puller.claims === 1 ? id : `${id}.${puller.claims}`;
  puller.leaseId = leaseId;
  state.claims.push({ kind: "claim", id, leaseId, limiter: stage.config.limiter, worker, caller, now });
}

/** Its limiter has admitted a puller: it takes what was kept for it. */
export function admitPuller(state: BoardState, puller: Puller): void {
  const pull = unreserve(state, puller);
  if (pull === undefined || puller.stream === undefined) return;
  const { stream } = puller;
  forgetPuller(state, puller);
  state.events.push({ to: stream, about: puller.id, news: carryOut(state, puller.stage, pull, puller) });
}

/** Its reservation has come to nothing: it is back in its old place, or refused if it does not wait. */
export function unclaim(state: BoardState, puller: Puller): void {
  const { stage, stream } = puller;
  unreserve(state, puller);
  puller.leaseId = undefined;
  state.claims.push({ kind: "unclaim", id: puller.id });
  if (!puller.now) {
    stage.pullers.comeBack(puller);
    return;
  }
  forgetPuller(state, puller);
  if (stream === undefined) return;
  state.events.push({ to: stream, about: puller.id, news: refusal("NO_CARD", { at: placeOfStage(stage) }) });
}

/**
 * After a change of the stages: what is kept for pullers that a limiter has yet to admit stays kept where they could still
 * pull it, and where they still wait on that limiter. The pullers that came first keep theirs first.
 */
export function reviewClaims(state: BoardState, board: Board, changed: ReadonlySet<Stage>): void {
  const claiming = [...state.pullers.values()].filter(({ stage, claiming: pull }) => pull && stage.board === board);
  const kept = claiming.map((puller) => ({ puller, card: (unreserve(state, puller) as Pull).card }));
  for (const { puller, card } of kept) {
    const pull = changed.has(puller.stage) ? "NO_CARD" : findPullOf(puller.stage, card);
    if (typeof pull === "string") unclaim(state, puller);
    else reserve(puller.stage, pull, puller);
  }
}

/** Brings every stage of the boards that have changed to rest: every puller that can be served is. */
export function settleBoards(state: BoardState): void {
  for (let board = state.unsettled.pop(); board; board = state.unsettled.pop()) {
    board.unsettled = false;
    // Each round serves a puller or is the last.
    let served = true;
    while (served) {
      served = pullByThemselves(state, board);
      for (let index = board.stages.length - 1; index > 0; index--) {
        served = servePullers(state, board.stages[index] as Stage) || served;
      }
    }
    // What is forgotten may make room: then the board is unsettled again.
    forgetCompleted(state, board);
  }
}

function servePullers(state: BoardState, stage: Stage): boolean {
  let served = false;
  for (let puller = stage.pullers.first; puller; puller = stage.pullers.first) {
    const pull = findPull(stage);
    if (typeof pull === "string") return served;
    served = true;
    if (stage.config.kind === "work" && stage.config.limiter !== "") {
      claim(state, puller, pull);
      continue;
    }
    const stream = puller.stream as number;
    forgetPuller(state, puller);
    state.events.push({ to: stream, about: puller.id, news: carryOut(state, stage, pull, puller) });
  }
  return served;
}

/** The puller's time is over: its bound has passed, or it was away too long to come back. */
export function giveUpPuller(state: BoardState, puller: Puller): void {
  dequeuePuller(state, puller);
  if (puller.stream === undefined) return;
  const news = refusal("WAIT_TIMEOUT", { at: placeOfStage(puller.stage) });
  state.events.push({ to: puller.stream, about: puller.id, news });
}

/** Refuses all pullers of a board that goes, or of a stage that is gone or can no longer be pulled into. */
export function turnAwayPullers(state: BoardState, board: Board, how: "all" | "misplaced"): void {
  for (const puller of [...state.pullers.values()]) {
    const { stage, stream } = puller;
    if (stage.board !== board) continue;
    const place = board.stages.indexOf(stage);
    if (how === "misplaced" && place > 0) continue;
    dequeuePuller(state, puller);
    if (stream === undefined) continue;
    const reason = how === "all" ? "BOARD_NOT_FOUND" : place === 0 ? "FIRST_STAGE" : "STAGE_NOT_FOUND";
    state.events.push({ to: stream, about: puller.id, news: refusal(reason, { at: placeOfStage(stage) }) });
  }
}

export function placeOfStage(stage: Stage): { board: string; stage: string } {
  return { board: stage.board.config.name, stage: stage.config.name };
}

function forgetPuller(state: BoardState, puller: Puller): void {
  stopWaiting(state, puller);
  puller.stage.pullers.remove(puller);
  state.pullers.delete(puller.id);
  countOut(state, puller.caller, "waiters");
  state.deadlines.clear(puller);
  if (puller.requestId !== "") state.requests.delete(keyOfCaller(puller.caller, puller.requestId));
  state.changed.add(puller.stage.board);
  unsettle(state, puller.stage.board);
}
