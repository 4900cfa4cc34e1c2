/** One pull: its place in the queue, then its card, sent over its stream. */

import { create } from "@bufbuild/protobuf";
import { isAnswer } from "../../reasons/reasons.ts";
import type { BoardAnswerTo, BoardEngine, PullNews } from "../engine/board-engine.ts";
import type { EngineUnavailable } from "../engine/engine.ts";
import {
  type PullCardResponse,
  PullCardResponseSchema,
  PullDrainingSchema,
  PullHeartbeatSchema,
  PullWaitingSchema,
} from "../gen/ggen/backpressure/v1/board_service_pb.ts";
import type { PullCard, ResumeWork } from "../machine/board/command.ts";
import type { ShownPull } from "../machine/board/show.ts";
import type { PlaceView } from "../machine/board/view.ts";
import { refusal } from "../machine/reasons.ts";
import { pulledToWire } from "../wire/card-wire.ts";
import { refusalError } from "../wire/error-wire.ts";
import { reasonToWire, refusalToWire } from "../wire/lease-wire.ts";
import { msToTimestamp } from "../wire/time-wire.ts";
import { giveBackPull } from "./ask.ts";
import { failureOf } from "./failure.ts";
import type { Heartbeats } from "./heartbeats.ts";
import { createHeldCall, type OpenCall } from "./held-call.ts";
import type { ServerStream } from "./rpc.ts";

export interface PullPorts {
  readonly boards: BoardEngine;
  readonly heartbeats: Heartbeats;
}

export type PullQuestion = Omit<PullCard, "stream" | "monitored"> | Omit<ResumeWork, "stream" | "monitored">;

interface PullOptions {
  readonly stream: ServerStream<PullCardResponse>;
  readonly question: PullQuestion;
  /** Where the call stands while it is open. */
  readonly openCalls: Set<OpenCall>;
}

type Said = Exclude<PullCardResponse["event"], { case: undefined }>;

/** Asks, and talks through the stream until it ends. */
export function openPull({ boards, heartbeats }: PullPorts, { stream, question, openCalls }: PullOptions): void {
  const engineStream = boards.openStream(hear, lose);
  const call = createHeldCall<Said["case"], PullCardResponse>({
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

  function say(event: Said): void {
    call.say(event.case, create(PullCardResponseSchema, { event }));
  }

  function hear(news: PullNews | BoardAnswerTo<PullCard>): void {
    if (call.phase.kind === "over") return;
    switch (news.kind) {
      case "pull-waiting":
        call.waits(news.pullId);
        sayPlace(news.place);
        return;
      case "moved":
        sayPlace(news.place);
        return;
      case "pulled":
        work(news);
        return;
      case "work-over":
        call.finish();
        return;
      case "displaced":
        call.fail(refusalError(refusal(news.reason)));
        return;
      case "refused":
        if (isAnswer(news.reason)) {
          say({ case: "none", value: refusalToWire(news) });
          call.finish();
        } else {
          call.fail(refusalError(news));
        }
        return;
    }
  }

  function sayPlace({ pullersAhead, missing }: PlaceView): void {
    // The limiter's answer comes next.
    if (missing === undefined) return;
    const value = create(PullWaitingSchema, { pullersAhead, missing: reasonToWire(missing) });
    say({ case: "waiting", value });
  }

  function work(pulled: ShownPull): void {
    call.unsay("waiting");
    say({ case: "pulled", value: pulledToWire(pulled) });
    if (pulled.workId === undefined) call.finish();
    else call.holds(pulled.workId);
  }

  function beat(): void {
    const { phase } = call;
    if (phase.kind === "holding") say({ case: "heartbeat", value: create(PullHeartbeatSchema) });
    if (phase.kind !== "waiting") return;
    boards.place(phase.id).then((place) => {
      if (call.phase.kind === "waiting" && place) sayPlace(place);
    }, LEFT_OUT);
  }

  function lose(error: EngineUnavailable): void {
    if (call.phase.kind !== "over") call.fail(failureOf(error));
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
