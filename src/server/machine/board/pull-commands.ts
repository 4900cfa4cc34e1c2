/** Asking for a card: now, or whenever there is one and room for it. */

import { callerOf, keyOfCaller, overQuota } from "../callers.ts";
import { type Attachment, attach, DETACHED, displaceQueuer, restartTtl, takenUpOver, takePlace } from "../liveness.ts";
import { type Refusal, refusal } from "../reasons.ts";
import { changeSession, enter, type Session } from "../session.ts";
import { fullness } from "./cards.ts";
import type { BoardOutcomes, PullCard, Pulled, ResumeWork } from "./command.ts";
import type { Pull, Puller, Stage, Work } from "./model.ts";
import { carryOut, findPull, findPullOf } from "./pull-rules.ts";
import { claim, dequeuePuller, enqueuePuller, placeOfStage } from "./puller-queue.ts";
import { type BoardState, type PastPull, samePull, touch, unsettle } from "./state.ts";

export function pullCard(state: BoardState, command: PullCard): BoardOutcomes["pull"] {
  const session = enter(state, command);
  if (session?.kind === "refused") return session;
  const known = recall(state, command);
  if (known?.kind === "puller") return takeOver(state, known, command, session);
  if (known?.kind === "work") {
    const keeps = session?.keepsOnCancel ?? command.keepOnCancel;
    return takeUp(state, known, session ?? attachmentOf(command), keeps);
  }
  if (known !== undefined) return known;
  const stage = findStage(state, command.board, command.stage);
  if (stage.kind === "refused") return stage;
  return command.maxWait === 0 ? pullNow(state, stage, command, session) : pullOrWait(state, stage, command, session);
}

export function resumeWork(state: BoardState, command: ResumeWork): BoardOutcomes["resume-work"] {
  const board = state.boards.get(command.board);
  if (board === undefined) return refusal("BOARD_NOT_FOUND", { at: { board: command.board } });
  const card = board.cards.get(command.cardId);
  const at = { board: command.board, card: command.cardId };
  if (card === undefined) return refusal("CARD_NOT_FOUND", { at });
  const { work } = card;
  if (work?.token !== command.token || work.caller !== callerOf(command)) {
    return refusal("STALE_FENCING_TOKEN", { at });
  }
  return takeUp(state, work, takenUpOver(command.stream, command.monitored), command.keepOnCancel);
}

/** Finds what a request id of the caller's has led to: undefined if nothing, a refusal if something else. */
function recall(state: BoardState, command: PullCard): Puller | Work | Pulled | Refusal | undefined {
  const { requestId } = command;
  if (requestId === "") return undefined;
  const key = keyOfCaller(callerOf(command), requestId);
  const live = state.requests.get(key);
  if (live?.kind === "puller") {
    const { stage, worker, detached, session } = live;
    const same = samePull({ stage, worker, detached, inSession: session !== undefined }, command);
    return same ? live : refusal("REQUEST_ID_REUSED");
  }
  if (live?.kind === "work") {
    const { card, worker, attachment } = live;
    const inSession = attachment.kind === "in-session";
    const detached = attachment.kind === "detached";
    const same = samePull({ stage: card.stage, worker, detached, inSession }, command);
    return same ? live : refusal("REQUEST_ID_REUSED");
  }
  const past = state.pastRequests.get(key);
  return past === undefined ? undefined : recallPast(state, past, command);
}

function recallPast(state: BoardState, past: PastPull, command: PullCard): Pulled | Refusal {
  if (past.kind === "withdrawn") return refusal("REQUEST_WITHDRAWN");
  if (past.board !== command.board || past.stage !== command.stage) return refusal("REQUEST_ID_REUSED");
  const card = state.boards.get(past.board)?.cards.get(past.cardId);
  if (past.held || card === undefined) return refusal("LEASE_ENDED", { at: { board: past.board, card: past.cardId } });
  return { kind: "pulled", card, work: undefined, resumed: true };
}

function findStage(state: BoardState, boardName: string, stageName: string): (Stage & { kind?: never }) | Refusal {
  const board = state.boards.get(boardName);
  if (board === undefined) return refusal("BOARD_NOT_FOUND", { at: { board: boardName } });
  const stage = board.stages.find(({ config }) => config.name === stageName);
  const at = { board: boardName, stage: stageName };
  if (stage === undefined) return refusal("STAGE_NOT_FOUND", { at });
  return stage.index === 0 ? refusal("FIRST_STAGE", { at }) : stage;
}

function pullNow(
  state: BoardState,
  stage: Stage,
  command: PullCard,
  session: Session<Puller> | undefined,
): BoardOutcomes["pull"] {
  const at = placeOfStage(stage);
  const waitersAhead = stage.pullers.presentCount;
  if (waitersAhead > 0) return refusal("WAITERS_AHEAD", { at, waitersAhead });
  const { cardId } = command;
  const card = cardId === undefined ? undefined : stage.board.cards.get(cardId);
  if (cardId !== undefined && card === undefined) return refusal("CARD_NOT_FOUND", { at: { ...at, card: cardId } });
  const pull = card === undefined ? findPull(stage) : findPullOf(stage, card);
  if (pull === "STAGE_FULL") return refusal(pull, { at, numbers: fullness(stage) });
  if (pull === "NO_CARD") return refusal(pull, { at });
  const tooMany = overQuota(state, command, isWork(stage), false);
  if (tooMany !== undefined) return tooMany;
  if (claims(stage)) {
    const puller = enqueuePuller(state, stage, command, { ttl: ttlOf(stage, command), session });
    claim(state, puller, pull);
    return { kind: "pull-waiting", puller };
  }
  return take(state, stage, pull, command, session);
}

function take(
  state: BoardState,
  stage: Stage,
  pull: Pull,
  command: PullCard,
  session: Session<Puller> | undefined,
): Pulled {
  const { id, worker, requestId, stream, monitored, detached, keepOnCancel } = command;
  const origin = {
    id,
    worker,
    caller: callerOf(command),
    requestId,
    stream,
    monitored,
    detached,
    keepsOnCancel: session?.keepsOnCancel ?? keepOnCancel,
    session,
    leaseId: undefined,
  };
  return carryOut(state, stage, pull, { ...origin, ttl: ttlOf(stage, command) });
}

/** Whether a pull into the stage begins work. */
function isWork({ config }: Stage): boolean {
  return config.kind === "work";
}

/** Whether it needs a lease on a limiter, too. */
function claims(stage: Stage): boolean {
  return isWork(stage) && stage.config.limiter !== "";
}

function pullOrWait(
  state: BoardState,
  stage: Stage,
  command: PullCard,
  session: Session<Puller> | undefined,
): BoardOutcomes["pull"] {
  const direct = stage.pullers.presentCount === 0 ? findPull(stage) : undefined;
  const isDirect = typeof direct === "object" && !claims(stage);
  const tooMany = overQuota(state, command, isWork(stage), !isDirect);
  if (tooMany !== undefined) return tooMany;
  if (isDirect) return take(state, stage, direct, command, session);
  if (typeof direct !== "object" && stage.pullers.size >= stage.board.config.maxPullers) {
    const numbers = { maxPullers: stage.board.config.maxPullers };
    return refusal("QUEUE_FULL", { at: placeOfStage(stage), waitersAhead: stage.pullers.size, numbers });
  }
  // A puller that can be served is, before the step ends: its stream hears that.
  const puller = enqueuePuller(state, stage, command, { ttl: ttlOf(stage, command), session });
  unsettle(state, stage.board);
  return { kind: "pull-waiting", puller };
}

/** A retry has found its place: it waits on there, on the new stream. */
function takeOver(
  state: BoardState,
  puller: Puller,
  command: PullCard,
  session: Session<Puller> | undefined,
): BoardOutcomes["pull"] {
  const { stream, stage } = puller;
  // A session knows by itself that it has asked twice.
  if (stream !== command.stream) displaceQueuer(state, puller);
  if (command.maxWait === 0) {
    dequeuePuller(state, puller);
    return pullNow(state, stage, command, session);
  }
  puller.now = false;
  puller.detached = command.detached;
  takePlace(state, puller, command, state.now + (command.maxWait ?? Number.POSITIVE_INFINITY));
  if (session !== undefined) puller.keepsOnCancel = session.keepsOnCancel;
  changeSession(state, puller, session);
  if (stream === undefined) {
    stage.pullers.comeBack(puller);
    state.changed.add(stage.board);
    unsettle(state, stage.board);
  }
  return { kind: "pull-waiting", puller };
}

/** `by`: what has it from now on. */
function takeUp(state: BoardState, work: Work, by: Attachment | Session, keepOnCancel: boolean): Pulled {
  // Without a ttl it ends with the stream that it has, whatever else it was promised to.
  if (by.kind === "detached" && work.ttl === 0) work.promises += 1;
  else attach(state, work, by, keepOnCancel);
  work.heard = true;
  restartTtl(state, work);
  touch(state, work.card);
  return { kind: "pulled", card: work.card, work, resumed: true };
}

function attachmentOf({ detached, stream, monitored }: PullCard): Attachment {
  return detached ? DETACHED : takenUpOver(stream, monitored);
}

function ttlOf(stage: Stage, command: PullCard): number | undefined {
  return command.ttl ?? (command.detached ? undefined : stage.board.config.ttl);
}
