/** One Acquire call: its place in the queue, then its lease, told over its stream. */

import { create } from "@bufbuild/protobuf";
import type { Clock } from "../clock.ts";
import type { AnswerTo, Engine, EngineUnavailable, StreamNews } from "../engine/engine.ts";
import {
  type AcquireResponse,
  AcquireResponseSchema,
  DrainingSchema,
  HeartbeatSchema,
  RevokingSchema,
} from "../gen/ggen/backpressure/v1/admission_service_pb.ts";
import type { Ids } from "../ids.ts";
import type { Acquire, Resume } from "../machine/command.ts";
import { END_REASONS } from "../machine/lease.ts";
import { refusal } from "../machine/reasons.ts";
import type { ShownGrant } from "../machine/show.ts";
import { refusalError } from "../wire/error-wire.ts";
import { grantedToWire, waitingToWire } from "../wire/lease-wire.ts";
import { msToTimestamp } from "../wire/time-wire.ts";
import { giveBack } from "./ask.ts";
import { failureOf } from "./failure.ts";
import type { Heartbeats } from "./heartbeats.ts";
import { createHeldCall, type Gone, type OpenCall } from "./held-call.ts";
import type { ServerStream, StreamEnd } from "./rpc.ts";

export interface AcquirePorts {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly engine: Engine;
  readonly heartbeats: Heartbeats;
}

/** What is asked of the engine, but for the stream, which is given here. */
export type AcquireQuestion = Omit<Acquire, "stream" | "monitored"> | Omit<Resume, "stream" | "monitored">;

interface AcquireOptions {
  readonly stream: ServerStream<AcquireResponse>;
  readonly question: AcquireQuestion;
  /** Where the call stands while it is open. */
  readonly openCalls: Set<OpenCall>;
}

type Said = Exclude<AcquireResponse["event"], { case: undefined }>;

/** Asks, and talks through the stream until it ends. */
export function openAcquire(
  { clock, ids, engine, heartbeats }: AcquirePorts,
  { stream, question, openCalls }: AcquireOptions,
): void {
  const engineStream = engine.openStream(hear, lose);
  const call = createHeldCall<Said["case"], AcquireResponse>({
    stream,
    heartbeats,
    openCalls,
    askedId: question.kind === "acquire" ? question.id : undefined,
    grant: "granted",
    beat,
    sayDraining: (endTime) =>
      say({ case: "draining", value: create(DrainingSchema, { endTime: msToTimestamp(endTime) }) }),
    giveBack: leave,
    onOver: () => engine.closeStream(engineStream),
  });

  function leave(id: string, { how, unheard }: Gone): void {
    // A lease that the holder knows nothing of, and cannot come back for, is none.
    if (unheard && mayNotComeBack(question, how)) giveBack(engine, { kind: "abandon", id, requestId: "" });
    giveBack(engine, { kind: "leave", id, stream: engineStream, how });
  }

  function say(event: Said): void {
    call.say(event.case, create(AcquireResponseSchema, { event }));
  }

  function hear(news: StreamNews | AnswerTo<Acquire>): void {
    if (call.phase.kind === "over") return;
    switch (news.kind) {
      case "waiting":
        call.waits(news.waiterId);
        say({ case: "waiting", value: waitingToWire(news) });
        return;
      case "moved":
        say({ case: "waiting", value: waitingToWire(news.waiter) });
        return;
      case "granted":
        hold(news);
        return;
      case "revoking": {
        const endTime = msToTimestamp(news.lease.expiresAt ?? clock.wallTime(clock.now()));
        say({ case: "revoking", value: create(RevokingSchema, { endTime, message: news.message }) });
        return;
      }
      case "ended":
        if (news.end === "released") call.finish();
        else call.fail(refusalError(refusal(END_REASONS[news.end])));
        return;
      case "displaced":
        call.fail(refusalError(refusal(news.reason)));
        return;
      case "refused":
        call.fail(refusalError(news));
        return;
    }
  }

  function hold(granted: ShownGrant): void {
    call.unsay("waiting");
    say({ case: "granted", value: grantedToWire(granted, ids) });
    if (granted.held) call.holds(granted.lease.id);
    else call.finish();
  }

  function beat(): void {
    const { phase } = call;
    if (phase.kind === "holding") say({ case: "heartbeat", value: create(HeartbeatSchema) });
    if (phase.kind !== "waiting") return;
    engine.waiter(phase.id).then((waiter) => {
      if (call.phase.kind === "waiting" && waiter) say({ case: "waiting", value: waitingToWire(waiter) });
    }, LEFT_OUT);
  }

  function lose(error: EngineUnavailable): void {
    if (call.phase.kind !== "over") call.fail(failureOf(error));
  }

  engine.submit(
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

/** Whether the stream's end is the holder's last word, or it has no request id to come back with. */
function mayNotComeBack(question: AcquireQuestion, how: StreamEnd): boolean {
  if (question.kind !== "acquire") return false;
  return question.requestId === "" || (how === "cancelled" && !question.keepOnCancel);
}
