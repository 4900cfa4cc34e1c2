/** What is always true of pullers. */

import { counts, holds } from "../structures/invariant.ts";
import { room } from "./cards.ts";
import type { Card, Pull, Puller, Stage } from "./model.ts";
import type { BoardState } from "./state.ts";

/** It stands in its stage's queue, present, away or aside, has time left, and may still pull what is kept for it. */
export function assertPuller(state: BoardState, puller: Puller): void {
  const { id, stage, stream, claiming } = puller;
  const subject = `puller ${id}`;
  holds(state.pullers.get(id) === puller, subject, "it is kept under its id");
  holds(state.boards.get(stage.board.config.name) === stage.board, subject, "a puller's board exists");
  holds(stage.board.stages[stage.index] === stage, subject, "a puller's stage exists");
  holds(stage.index > 0, subject, "a puller's stage is not the first");
  holds(
    puller.present === (stream !== undefined && claiming === undefined),
    subject,
    "it stands in the queue unless it is away, or stands at the limiter",
  );
  holds(stream !== undefined || puller.requestId !== "", subject, "away implies request id");
  holds((puller.session?.caller ?? puller.caller) === puller.caller, subject, "its session is its caller's");
  holds(!puller.now || claiming !== undefined, subject, "now implies claiming");
  const endless = stream !== undefined && (puller.now || puller.deadline === Number.POSITIVE_INFINITY);
  holds((puller.heapIndex === -1) === endless, subject, "its time runs if it is bounded or away");
  holds(endless || puller.dueAt > state.now, subject, "it gives up when its time has run out");
  if (claiming !== undefined) assertKept(puller, claiming, subject);
}

/** Those of one stage stand in order, and none of them could be served. */
export function assertPullers(state: BoardState, stage: Stage): void {
  const { board, config, pullers } = stage;
  const subject = `board ${board.config.name}, stage ${config.name}`;
  const own = [...state.pullers.values()].filter((puller) => puller.stage === stage);
  const present = [...pullers.present()];
  counts(pullers.size, own.length, subject, "pullers");
  counts(pullers.presentCount, present.length, subject, "pullers present");
  holds(pullers.first === present[0], subject, "the first of those present is the next");
  let arrival = 0;
  for (const puller of pullers.all()) {
    holds(puller.arrival > arrival && puller.arrival <= state.arrival, subject, "pullers stand in order of arrival");
    arrival = puller.arrival;
    holds(
      state.pullers.get(puller.id) === puller && puller.stage === stage,
      subject,
      "each place of the queue is of a waiter",
    );
  }
  const promised = own.filter(({ claiming }) => claiming?.kind === "move").length;
  counts(stage.promised, promised, subject, "promised places");
  const pulls = couldPull(stage);
  holds(!pulls || present.length === 0, subject, "no puller waits that could be served");
  holds(!pulls || config.kind !== "queue" || !config.autoPull, subject, "a queue has pulled what it could");
  const returns = stage.index === 0 && room(stage) > 0 && free(board.stages[1], "sent-back").length > 0;
  holds(!returns, subject, "what was sent back to the first stage has returned");
}

/** What is kept for a puller at the limiter is what it may pull now. */
function assertKept(puller: Puller, pull: Pull, subject: string): void {
  const { stage } = puller;
  const { board, index } = stage;
  const { card } = pull;
  holds(stage.config.kind === "work" && stage.config.limiter !== "", subject, "it waits for a limiter that there is");
  const cards = pull.kind === "exchange" ? [card, pull.up] : [card];
  holds(
    cards.every(({ reservedFor }) => reservedFor === puller),
    subject,
    "what it will take is kept for it",
  );
  const before = board.stages[index - 1];
  const fromBefore = card.stage === before && card.state === (before.config.kind === "queue" ? "waiting" : "finished");
  const fromAfter = card.stage === board.stages[index + 1] && card.state === "sent-back";
  const right = {
    own: card.stage === stage && card.state === "waiting",
    move: fromBefore || fromAfter,
    exchange: fromBefore && pull.kind === "exchange" && pull.up.stage === stage && pull.up.state === "sent-back",
  };
  holds(right[pull.kind], subject, "what is kept for it is what it may pull");
}

/** Whether a pull into the stage would do something, as the rules have it rather than as they are carried out. */
function couldPull(stage: Stage): boolean {
  const { board, index, config } = stage;
  const before = board.stages[index - 1];
  if (before === undefined) return false;
  if (config.kind === "work" && free(stage, "waiting").length > 0) return true;
  const next = free(before, before.config.kind === "queue" ? "waiting" : "finished").length > 0;
  if (room(stage) > 0) return next || free(board.stages[index + 1], "sent-back").length > 0;
  return next && room(before) <= 0 && free(stage, "sent-back").length > 0;
}

function free(stage: Stage | undefined, state: Card["state"]): Card[] {
  return [...(stage?.cards.values() ?? [])].filter((card) => card.state === state && card.reservedFor === undefined);
}
