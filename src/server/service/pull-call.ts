/** One pull: its place in the queue, then its card, sent over its stream. */

import { create } from "@bufbuild/protobuf";
import type { BoardEngine } from "../engine/board-engine.ts";
import type { EngineUnavailable } from "../engine/engine.ts";
import {
  type PullCardResponse,
  PullCardResponseSchema,
  PullDrainingSchema,
  PullHeartbeatSchema,
} from "../gen/ggen/backpressure/v1/board_service_pb.ts";
import { msToTimestamp } from "../wire/time-wire.ts";
import { giveBackPull } from "./ask.ts";
import type { BoardVerbs, PullEvent, PullQuestion, PullTidings } from "./board-verbs.ts";
import { failureOf } from "./failure.ts";
import type { Heartbeats } from "./heartbeats.ts";
import { createHeldCall, type OpenCall } from "./held-call.ts";
import type { ServerStream } from "./rpc.ts";

export interface PullPorts {
  readonly verbs: BoardVerbs;
  readonly boards: BoardEngine;
  readonly heartbeats: Heartbeats;
}

interface PullOptions {
  readonly stream: ServerStream<PullCardResponse>;
  readonly question: PullQuestion;
  /** Where the call stands while it is open. */
  readonly openCalls: Set<OpenCall>;
}

/** Asks, and talks through the stream until it ends. */
export function openPull({ verbs, boards, heartbeats }: PullPorts, { stream, question, openCalls }: PullOptions): void {
  const engineStream = boards.openStream(hear, lose);
  const call = createHeldCall<PullEvent["case"], PullCardResponse>({
    stream,
    heartbeats,
    openCalls,
    askedId: question.kind === "pull" ? question.id : undefined,
    grant: "pulled",
    beat,
    sayDraining: (endTime) =>
      say({ case: "draining", value: create(PullDrainingSchema, { endTime: msToTimestamp(endTime) }) }),
    giveBack: (id, gone) => giveBackPull(boards, { kind: "leave-pull", id, stream: engineStream, ...gone }),
    onOver: () => boards.closeStream(engineStream),
  });

  function say(event: PullEvent): void {
    call.say(event.case, create(PullCardResponseSchema, { event }));
  }

  function hear(news: PullTidings): void {
    if (call.phase.kind === "over") return;
    if (news.kind === "pull-waiting") call.waits(news.pullId);
    if (news.kind === "pulled") {
      call.drop("waiting");
      if (news.workId !== undefined) call.holds(news.workId);
    }
    const event = verbs.pull.toMessage(news);
    if (event !== undefined) say(event);
    const end = verbs.pull.toEnd(news);
    if (end !== undefined) call.end(end);
  }

  function beat(): void {
    const { phase } = call;
    if (phase.kind === "holding") say({ case: "heartbeat", value: create(PullHeartbeatSchema) });
    if (phase.kind !== "waiting") return;
    boards.place(phase.id).then((place) => {
      if (call.phase.kind === "waiting" && place) hear({ kind: "moved", place });
    }, LEFT_OUT);
  }

  function lose(error: EngineUnavailable): void {
    if (call.phase.kind !== "over") call.end(failureOf(error));
  }

  boards.submit(
    { ...question, stream: engineStream, monitored: stream.probed },
    (answer) => {
      hear(answer);
      call.answered();
    },
    lose,
  );
}

/** A beat whose place cannot be read is left out: the stream hears by itself when the engine is lost. */
const LEFT_OUT = () => {};
