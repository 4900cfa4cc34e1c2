/** One Acquire call: its place in the queue, then its lease, sent over its stream. */

import { create } from "@bufbuild/protobuf";
import type { Engine, EngineUnavailable } from "../engine/engine.ts";
import {
  type AcquireResponse,
  AcquireResponseSchema,
  DrainingSchema,
  HeartbeatSchema,
} from "../gen/ggen/backpressure/v1/admission_service_pb.ts";
import { msToTimestamp } from "../wire/time-wire.ts";
import { giveBack } from "./ask.ts";
import { failureOf } from "./failure.ts";
import type { Heartbeats } from "./heartbeats.ts";
import { createHeldCall, type Gone, type OpenCall } from "./held-call.ts";
import type { ServerStream, StreamEnd } from "./rpc.ts";
import type { AcquireEvent, AcquireNews, AcquireQuestion, Verbs } from "./verbs.ts";

export interface AcquirePorts {
  readonly verbs: Verbs;
  readonly engine: Engine;
  readonly heartbeats: Heartbeats;
}

interface AcquireOptions {
  readonly stream: ServerStream<AcquireResponse>;
  readonly question: AcquireQuestion;
  /** Where the call stands while it is open. */
  readonly openCalls: Set<OpenCall>;
}

/** Asks, and talks through the stream until it ends. */
export function openAcquire(
  { verbs, engine, heartbeats }: AcquirePorts,
  { stream, question, openCalls }: AcquireOptions,
): void {
  const engineStream = engine.openStream(hear, lose);
  const call = createHeldCall<AcquireEvent["case"], AcquireResponse>({
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

  function say(event: AcquireEvent): void {
    call.say(event.case, create(AcquireResponseSchema, { event }));
  }

  function hear(news: AcquireNews): void {
    if (call.phase.kind === "over") return;
    if (news.kind === "waiting") call.waits(news.waiterId);
    if (news.kind === "granted") {
      call.drop("waiting");
      if (news.held) call.holds(news.lease.id);
    }
    const event = verbs.acquire.toMessage(news);
    if (event !== undefined) say(event);
    const end = verbs.acquire.toEnd(news);
    if (end !== undefined) call.end(end);
  }

  function beat(): void {
    const { phase } = call;
    if (phase.kind === "holding") say({ case: "heartbeat", value: create(HeartbeatSchema) });
    if (phase.kind !== "waiting") return;
    engine.waiter(phase.id).then((waiter) => {
      if (call.phase.kind === "waiting" && waiter) hear({ kind: "moved", waiter });
    }, LEFT_OUT);
  }

  function lose(error: EngineUnavailable): void {
    if (call.phase.kind !== "over") call.end(failureOf(error));
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
