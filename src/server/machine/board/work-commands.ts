/** What becomes of cards that are worked on, and of their workers. */

import { type Called, callerOf, keyOfCaller } from "../callers.ts";
import { isHeldOver, keepsPlace, outlivesStream, renewHeld, type StreamEnd, sessionIdOf } from "../liveness.ts";
import { type Refusal, refusal } from "../reasons.ts";
import { enter } from "../session.ts";
import { setState } from "./cards.ts";
import type {
  AbandonPull,
  BlockCard,
  BoardOutcomes,
  EndWork,
  HoldClaim,
  LeavePull,
  LoseClaim,
  RenewWork,
  SettleClaim,
  UnblockCard,
  WithdrawPull,
} from "./command.ts";
import type { Card, EndVerb, Puller, Work } from "./model.ts";
import { unreserve } from "./pull-rules.ts";
import { admitPuller, dequeuePuller, placeOfStage, unclaim } from "./puller-queue.ts";
import { type BoardState, touch } from "./state.ts";
import { endWork, failWork, orphanWork, placeOf, returnWork, tellOver, undoWork, VANISHED } from "./work.ts";

/**
 * Finishes a card, gives it back, or sends it back; under a token that is not the card's nothing changes. A worker that has not heard
 * the answer may repeat it, and is answered with the card as it stands by then.
 */
export function concludeWork(state: BoardState, command: EndWork): BoardOutcomes["finish"] {
  const session = enter(state, command);
  if (session?.kind === "refused") return session;
  const card = findCard(state, command.board, command.cardId);
  if (card.kind === "refused") return card;
  const work = workUnder(card, command);
  if (work === undefined) {
    const again = hasEnded(card, command, command.kind);
    return again ? { kind: "card", card } : refusal("STALE_FENCING_TOKEN", { at: placeOf(card) });
  }
  switch (command.kind) {
    case "finish":
      // A stage that has nothing to say leaves the next what the one before has said.
      if (command.words !== "") card.result = command.words;
      card.reason = "";
      endWork(state, work, "finished", command.kind);
      break;
    case "give-back":
      if (command.failed) {
        failWork(state, work, command.words, command.kind);
        break;
      }
      card.reason = command.words;
      returnWork(state, work, command.kind);
      break;
    case "send-back":
      card.reason = command.words;
      endWork(state, work, "sent-back", command.kind);
      break;
  }
  // The worker's own session has the answer.
  if (session === undefined || sessionIdOf(work) !== session.id) tellOver(state, work, undefined);
  return { kind: "card", card };
}

/** Keeps the card from being pulled until it is unblocked. */
export function blockCard(state: BoardState, command: BlockCard): BoardOutcomes["block"] {
  const card = findCard(state, command.board, command.cardId);
  if (card.kind === "refused") return card;
  const at = placeOf(card);
  const byWorker = command.token !== 0;
  if (byWorker && hasEnded(card, command, "block")) return { kind: "card", card };
  if (card.state === "completed") return refusal("CARD_STATE", { at });
  if (byWorker && workUnder(card, command) === undefined) return refusal("STALE_FENCING_TOKEN", { at });
  freeCard(state, card);
  card.reason = command.reason;
  const { work } = card;
  if (work !== undefined) {
    endWork(state, work, "blocked", byWorker ? "block" : "otherwise");
    tellOver(state, work, byWorker ? undefined : "CARD_BLOCKED");
  } else if (card.state === "blocked") {
    touch(state, card);
  } else {
    setState(state, card, "blocked");
  }
  return { kind: "card", card };
}

export function unblockCard(state: BoardState, command: UnblockCard): BoardOutcomes["unblock"] {
  const card = findCard(state, command.board, command.cardId);
  if (card.kind === "refused") return card;
  if (card.state !== "blocked") return refusal("CARD_STATE", { at: placeOf(card) });
  card.attempt = 0;
  card.reason = "";
  setState(state, card, "waiting");
  return { kind: "card", card };
}

export function renewWork(state: BoardState, command: RenewWork): BoardOutcomes["renew-work"] {
  const card = findCard(state, command.board, command.cardId);
  if (card.kind === "refused") return card;
  const { work } = card;
  if (work?.token !== command.token || work.caller !== callerOf(command)) {
    return refusal("STALE_FENCING_TOKEN", { at: placeOf(card) });
  }
  if (!work.heard) {
    work.heard = true;
    touch(state, card);
  }
  renewHeld(state, work);
  return { kind: "work-renewed", work };
}

/** A stream has ended: what it stood for ends with it, or has its ttl to come back. */
export function leavePull(state: BoardState, command: LeavePull): BoardOutcomes["leave-pull"] {
  const puller = state.pullers.get(command.id);
  if (puller?.stream === command.stream) {
    leaveQueue(state, puller, command.how);
    return DONE;
  }
  const work = state.works.get(command.id);
  if (work === undefined || !isHeldOver(work, command.stream)) return refusal("WAITER_NOT_FOUND");
  if (command.unheard) work.heard = false;
  leaveWork(state, work, command.how);
  return DONE;
}

/** A puller has lost its stream: it leaves the queue, or its place is kept for it. */
export function leaveQueue(state: BoardState, puller: Puller, how: StreamEnd): void {
  const { stage, requestId, keepsOnCancel } = puller;
  const ttl = puller.ttl ?? stage.board.config.ttl;
  if (puller.now || !keepsPlace({ ttl, keepsOnCancel, requestId }, how)) {
    dequeuePuller(state, puller);
    return;
  }
  puller.stream = undefined;
  // Watchers see how many wait.
  state.changed.add(stage.board);
  if (puller.claiming === undefined) {
    stage.pullers.leave(puller);
  } else {
    // It stands aside already; what was kept for it is free again.
    unreserve(state, puller);
    state.claims.push({ kind: "unclaim", id: puller.id });
  }
  state.deadlines.set(puller, Math.min(puller.deadline, state.now + ttl));
}

/** Work has lost its stream: it ends, or its ttl runs. */
export function leaveWork(state: BoardState, work: Work, how: StreamEnd): void {
  if (outlivesStream(work, how)) orphanWork(state, work);
  else if (how === "lost") vanish(state, work);
  else returnWork(state, work);
}

/** The worker's ttl has run out. */
export function expireWork(state: BoardState, work: Work): void {
  vanish(state, work);
  tellOver(state, work, "LEASE_EXPIRED");
}

/** Nothing was heard of the worker: an attempt has failed, unless its worker never heard of the card. */
function vanish(state: BoardState, work: Work): void {
  if (work.heard) failWork(state, work, VANISHED);
  else returnWork(state, work);
}

/** Undoes a pull of which no call has heard. A retry under the same request id keeps it: it has been promised the same card. */
export function abandonPull(state: BoardState, command: AbandonPull): BoardOutcomes["abandon-pull"] {
  const { id, requestId } = command;
  const puller = state.pullers.get(id);
  if (puller !== undefined) dequeuePuller(state, puller);
  const live =
    state.works.get(id) ??
    (requestId === "" ? undefined : state.requests.get(keyOfCaller(callerOf(command), requestId)));
  if (live?.kind !== "work") return DONE;
  live.promises -= 1;
  if (live.promises === 0) undoWork(state, live);
  return DONE;
}

/** Gives up a pull: its card is given back, its puller leaves, and if neither is there it will be refused. */
export function withdrawPull(state: BoardState, command: WithdrawPull): BoardOutcomes["withdraw-pull"] {
  const { requestId, words } = command;
  const key = keyOfCaller(callerOf(command), requestId);
  const live = state.requests.get(key);
  if (live?.kind === "work") {
    live.card.reason = words;
    returnWork(state, live, "give-back");
    tellOver(state, live, undefined);
    return { kind: "card", card: live.card };
  }
  if (live !== undefined) {
    dequeuePuller(state, live);
    if (live.stream !== undefined) {
      const news = refusal("REQUEST_WITHDRAWN", { at: placeOfStage(live.stage) });
      state.events.push({ to: live.stream, about: live.id, news });
    }
  }
  if (state.pastRequests.get(key) === undefined) {
    state.pastRequests.set(key, { kind: "withdrawn" }, state.now);
  }
  return DONE;
}

export function settleClaim(state: BoardState, command: SettleClaim): BoardOutcomes["settle-claim"] {
  const puller = state.pullers.get(command.id);
  if (puller?.claiming === undefined) {
    // It has given up meanwhile: what was granted for it goes back.
    if (command.refusal === undefined) state.claims.push({ kind: "unclaim", id: command.id });
    return DONE;
  }
  if (command.refusal === undefined) {
    admitPuller(state, puller);
    return DONE;
  }
  unreserve(state, puller);
  const { stream } = puller;
  dequeuePuller(state, puller);
  if (stream !== undefined) state.events.push({ to: stream, about: puller.id, news: command.refusal });
  return DONE;
}

/** What a puller waits for at its stage's limiter; it hears of it when that changes. */
export function holdClaim(state: BoardState, { id, missing }: HoldClaim): BoardOutcomes["hold-claim"] {
  const puller = state.pullers.get(id);
  if (puller?.claiming === undefined || puller.missing === missing) return DONE;
  puller.missing = missing;
  if (puller.stream !== undefined) {
    state.events.push({ to: puller.stream, about: id, news: { kind: "pull-waiting", puller } });
  }
  return DONE;
}

export function loseClaim(state: BoardState, command: LoseClaim): BoardOutcomes["lose-claim"] {
  const work = state.works.get(command.id);
  if (work === undefined) return DONE;
  work.card.reason = "the lease on the stage's limiter was taken back";
  returnWork(state, work);
  tellOver(state, work, command.reason);
  return DONE;
}

export function findCard(
  state: BoardState,
  boardName: string,
  cardId: string,
): (Card & { readonly kind?: never }) | Refusal {
  const board = state.boards.get(boardName);
  if (board === undefined) return refusal("BOARD_NOT_FOUND", { at: { board: boardName } });
  const card = board.cards.get(cardId);
  return card ?? refusal("CARD_NOT_FOUND", { at: { board: boardName, card: cardId } });
}

/** Takes a card from one for whom it was kept. */
export function freeCard(state: BoardState, card: Card): void {
  if (card.reservedFor !== undefined) unclaim(state, card.reservedFor);
}

/** What names work, and who does. */
type WorkRef = Called & { readonly token: number };

/** The caller's live work under a token; 0 stands for that of a person, which has no ttl. */
function workUnder({ work }: Card, command: WorkRef): Work | undefined {
  if (work === undefined || work.caller !== callerOf(command)) return undefined;
  const { token } = command;
  return work.token === token || (token === 0 && work.ttl === undefined) ? work : undefined;
}

/** Whether the last work on the card was the caller's and ended so, under this token. */
function hasEnded({ lastWork }: Card, command: WorkRef, how: EndVerb): boolean {
  return lastWork?.token === command.token && lastWork.end === how && lastWork.caller === callerOf(command);
}

const DONE = { kind: "done" } as const;
