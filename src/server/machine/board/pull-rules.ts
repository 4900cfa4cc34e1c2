/**
 * Pulling: the only way forward for a card. A stage pulls when it has room, and takes up what stands in it before what
 * was sent back to it, and that before what is new.
 */

import { keyOfCaller } from "../callers.ts";
import { DETACHED, grantedOver } from "../liveness.ts";
import { move, pullable, rank, room, unrank } from "./cards.ts";
import type { Pulled } from "./command.ts";
import type { Board, Card, Pull, Puller, Stage } from "./model.ts";
import { type BoardState, unsettle } from "./state.ts";
import { beginWork } from "./work.ts";

/** What a pull into the stage would do now, or what is missing for one. */
export function findPull(stage: Stage): Pull | "NO_CARD" | "STAGE_FULL" {
  const { board, index, config } = stage;
  const before = board.stages[index - 1];
  const after = board.stages[index + 1];
  if (before === undefined) return "NO_CARD";
  const own = config.kind === "work" ? stage.waiting.best : undefined;
  if (own !== undefined) return { kind: "own", card: own };
  const rework = after?.sentBack.best;
  const next = pullable(before).best;
  if (room(stage) > 0) {
    const card = rework ?? next;
    return card === undefined ? "NO_CARD" : { kind: "move", card };
  }
  // Rework must not lock the board: where both stages are full, one card goes up as the other comes down.
  const up = stage.sentBack.best;
  if (up !== undefined && next !== undefined && room(before) <= 0) return { kind: "exchange", card: next, up };
  return "STAGE_FULL";
}

/** What a pull of one card into the stage would do now; `undefined` if it cannot be pulled there. */
export function findPullOf(stage: Stage, card: Card): Pull | "NO_CARD" | "STAGE_FULL" {
  const { board, index, config } = stage;
  if (card.reservedFor !== undefined) return "NO_CARD";
  if (card.stage === stage) {
    return config.kind === "work" && card.state === "waiting" ? { kind: "own", card } : "NO_CARD";
  }
  const before = board.stages[index - 1];
  const after = board.stages[index + 1];
  const fromBefore = card.stage === before && card.state === (before.config.kind === "queue" ? "waiting" : "finished");
  const fromAfter = card.stage === after && card.state === "sent-back";
  if (!fromBefore && !fromAfter) return "NO_CARD";
  if (room(stage) > 0) return { kind: "move", card };
  const up = stage.sentBack.best;
  const exchanges = fromBefore && before !== undefined && up !== undefined && room(before) <= 0;
  return exchanges ? { kind: "exchange", card, up } : "STAGE_FULL";
}

/** Carries a pull out; into a work stage the work begins. */
export function carryOut(state: BoardState, stage: Stage, pull: Pull, puller: PullerOrigin): Pulled {
  shift(state, stage, pull);
  if (stage.config.kind === "queue") {
    rememberSpent(state, stage, pull.card, puller);
    return { kind: "pulled", card: pull.card, work: undefined, resumed: false };
  }
  const { detached, session, stream, monitored } = puller;
  const by = detached ? DETACHED : (session ?? grantedOver(stream as number, monitored));
  return beginWork(state, pull.card, { ...puller, by });
}

/** What of a puller goes into its work. */
export type PullerOrigin = Pick<
  Puller,
  | "id"
  | "leaseId"
  | "worker"
  | "caller"
  | "ttl"
  | "requestId"
  | "stream"
  | "monitored"
  | "keepsOnCancel"
  | "detached"
  | "session"
>;

/** Keeps a pull for a puller that the stage's limiter has yet to admit: no other takes its card or its room. */
export function reserve(stage: Stage, pull: Pull, puller: Puller): void {
  puller.claiming = pull;
  puller.missing = undefined;
  for (const card of cardsOf(pull)) {
    unrank(card);
    card.reservedFor = puller;
  }
  if (pull.kind === "move") stage.promised += 1;
}

/** Undoes a reservation: card and room are free again. */
export function unreserve(state: BoardState, puller: Puller): Pull | undefined {
  const pull = puller.claiming;
  if (pull === undefined) return undefined;
  puller.claiming = undefined;
  for (const card of cardsOf(pull)) {
    card.reservedFor = undefined;
    rank(card);
  }
  if (pull.kind === "move") puller.stage.promised -= 1;
  unsettle(state, puller.stage.board);
  return pull;
}

/** Lets every queue that pulls by itself do so, as long as one can. */
export function pullByThemselves(state: BoardState, board: Board): boolean {
  let pulled = false;
  for (let index = board.stages.length - 1; index > 0; index--) {
    const stage = board.stages[index] as Stage;
    if (stage.config.kind !== "queue" || !stage.config.autoPull) continue;
    for (let pull = findPull(stage); typeof pull !== "string"; pull = findPull(stage)) {
      shift(state, stage, pull);
      pulled = true;
    }
  }
  // The first stage is not pulled into; what the second sends back returns by itself.
  const [first, second] = board.stages;
  for (let card = second?.sentBack.best; first && card && room(first) > 0; card = second?.sentBack.best) {
    move(state, card, first);
    pulled = true;
  }
  return pulled;
}

/** A retry of a pull that holds nothing finds the card that the first has moved. */
function rememberSpent(state: BoardState, { board, config }: Stage, card: Card, origin: PullerOrigin): void {
  const { caller, requestId } = origin;
  if (requestId === "") return;
  const past = { kind: "pulled", board: board.config.name, stage: config.name, cardId: card.id, held: false } as const;
  state.pastRequests.set(keyOfCaller(caller, requestId), past, state.now);
}

function shift(state: BoardState, stage: Stage, pull: Pull): void {
  stage.pulls += 1;
  switch (pull.kind) {
    case "own":
      return;
    case "move":
      move(state, pull.card, stage);
      return;
    case "exchange": {
      const before = pull.card.stage;
      move(state, pull.up, before);
      move(state, pull.card, stage);
      return;
    }
  }
}

function cardsOf(pull: Pull): readonly Card[] {
  return pull.kind === "exchange" ? [pull.card, pull.up] : [pull.card];
}
