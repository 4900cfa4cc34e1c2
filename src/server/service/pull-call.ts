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

/** Asks, and talks through the stream until it ends. */
export function openPull({ verbs, boards, heartbeats }: PullPorts, { stream, question, openCalls }: PullOptions): void {
  const kind: HeldCallKind<PullTidings, PullEvent> = {
    ...verbs.pull,
    openStream: (hear, lose) => boards.openStream(hear, lose),
    closeStream: (engineStream) => boards.closeStream(engineStream),
    ask: (engineStream, answer, fail) =>
      boards.submit({ ...question, stream: engineStream, monitored: stream.probed, session: undefined }, answer, fail),
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
    giveBack: (id, engineStream, gone) =>
      giveBackPull(boards, { kind: "leave-pull", id, stream: engineStream, ...gone }),
  };
  openHeldCall({
    kind,
    stream,
    toResponse: (event) => create(PullCardResponseSchema, { event }),
    heartbeats,
    openCalls,
    askedId: question.kind === "pull" ? question.id : undefined,
    grant: "pulled",
  });
}

function turnOf(news: PullTidings): Turn | undefined {
  if (news.kind === "pull-waiting") return { kind: "waits", id: news.pullId };
  if (news.kind === "pulled") return { kind: "holds", id: news.workId };
  return undefined;
}
