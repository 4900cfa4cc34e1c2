/** One pull: its place in the queue, then its card, sent over its stream. */

import { create } from "@bufbuild/protobuf";
import type { BoardEngine } from "../engine/board-engine.ts";
import {
  type PullCardResponse,
  PullCardResponseSchema,
  PullDrainingSchema,
  PullHeartbeatSchema,
} from "../gen/ggen/backpressure/v1/board_service_pb.ts";
import { msToTimestamp } from "../wire/time-wire.ts";
import { giveBackPull } from "./ask.ts";
import type { BoardVerbs, PullEvent, PullQuestion, PullTidings } from "./board-verbs.ts";
import type { Heartbeats } from "./heartbeats.ts";
import { type HeldCallKind, type OpenCall, openHeldCall, type Turn } from "./held-call.ts";
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

/** Returns what asks, and talks through the stream until it ends. */
export function createPullCalls({ verbs, boards, heartbeats }: PullPorts): (options: PullOptions) => void {
  const kind: HeldCallKind<PullQuestion, PullTidings, PullEvent, PullCardResponse> = {
    ...verbs.pull,
    grant: "pulled",
    askedId: (question) => (question.kind === "pull" ? question.id : undefined),
    openStream: (hear, lose) => boards.openStream(hear, lose),
    closeStream: (stream) => boards.closeStream(stream),
    ask: (question, { stream, monitored }, answer, fail, trace) =>
      boards.submit({ ...question, stream, monitored, session: undefined }, answer, fail, trace),
    turnOf,
    async readPlace(id) {
      const place = await boards.place(id);
      return place && { kind: "moved", place };
    },
    heartbeat: { case: "heartbeat", value: create(PullHeartbeatSchema) },
    toDraining: (endTime) => ({
      case: "draining",
      value: create(PullDrainingSchema, { endTime: msToTimestamp(endTime) }),
    }),
    toResponse: (event) => create(PullCardResponseSchema, { event }),
    giveBack: (_, id, gone) => giveBackPull(boards, { kind: "leave-pull", id, ...gone }),
  };
  return (options) => openHeldCall(kind, heartbeats, options);
}

function turnOf(news: PullTidings): Turn | undefined {
  if (news.kind === "pull-waiting") return { kind: "waits", id: news.pullId };
  if (news.kind === "pulled") return { kind: "holds", id: news.workId };
  return undefined;
}
