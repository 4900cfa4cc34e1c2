/** One Acquire call: its place in the queue, then its lease, sent over its stream. */

import { create } from "@bufbuild/protobuf";
import type { Engine } from "../engine/engine.ts";
import {
  type AcquireResponse,
  DrainingSchema,
  HeartbeatSchema,
} from "../gen/ggen/backpressure/v1/admission_service_pb.ts";
import { msToTimestamp } from "../wire/time-wire.ts";
import { giveBack } from "./ask.ts";
import type { Heartbeats } from "./heartbeats.ts";
import { type HeldCallKind, type OpenCall, openHeldCall, type Turn } from "./held-call.ts";
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

/** Returns what asks, and talks through the stream until it ends. */
export function createAcquireCalls({ verbs, engine, heartbeats }: AcquirePorts): (options: AcquireOptions) => void {
  const kind: HeldCallKind<AcquireQuestion, AcquireNews, AcquireEvent, AcquireResponse> = {
    ...verbs.acquire,
    grant: "granted",
    askedId: (question) => (question.kind === "acquire" ? question.id : undefined),
    openStream: (hear, lose) => engine.openStream(hear, lose),
    closeStream: (stream) => engine.closeStream(stream),
    ask: (question, { stream, monitored }, answer, fail, trace) =>
      engine.submit({ ...question, stream, monitored, session: undefined }, answer, fail, trace),
    turnOf,
    async readPlace(id) {
      const waiter = await engine.waiter(id);
      return waiter && { kind: "moved", waiter };
    },
    heartbeat: { case: "heartbeat", value: create(HeartbeatSchema) },
    toDraining: (endTime) => ({
      case: "draining",
      value: create(DrainingSchema, { endTime: msToTimestamp(endTime) }),
    }),
    toResponse: (event) => ({ $typeName: "ggen.backpressure.v1.AcquireResponse", event }),
    giveBack(question, id, { stream, how, unheard }) {
      // A lease that the holder knows nothing of, and cannot come back for, is none.
      if (unheard && mayNotComeBack(question, how))
        giveBack(engine, { kind: "abandon", id, requestId: "", caller: question.caller });
      giveBack(engine, { kind: "leave", id, stream, how });
    },
  };
  return (options) => openHeldCall(kind, heartbeats, options);
}

function turnOf(news: AcquireNews): Turn | undefined {
  if (news.kind === "waiting") return { kind: "waits", id: news.waiterId };
  if (news.kind === "granted") return { kind: "holds", id: news.held ? news.lease.id : undefined };
  return undefined;
}

/** Whether the stream's end is the holder's last word, or it has no request id to come back with. */
function mayNotComeBack(question: AcquireQuestion, how: StreamEnd): boolean {
  if (question.kind !== "acquire") return false;
  return question.requestId === "" || (how === "cancelled" && !question.keepOnCancel);
}
