/** One pull: its place among those who wait, then its card, told over its stream. */

import { create } from "@bufbuild/protobuf";
import {
  type PullCardResponse,
  PullCardResponseSchema,
  PullDrainingSchema,
  PullHeartbeatSchema,
  PullWaitingSchema,
} from "../../client/gen/ggen/backpressure/v1/board_service_pb.ts";
import type { Clock } from "../clock.ts";
import type { BoardEngine, PullNews } from "../engine/board-engine.ts";
import type { PullCard, ResumeWork } from "../machine/board/command.ts";
import type { ShownOutcomeOf, ShownPull } from "../machine/board/show.ts";
import type { PlaceView } from "../machine/board/view.ts";
import { type Refusal, refusal } from "../machine/reasons.ts";
import { pulledToWire } from "../wire/card-wire.ts";
import { draining, refusalError } from "../wire/error-wire.ts";
import { reasonToWire, refusalToWire } from "../wire/lease-wire.ts";
import { msToTimestamp } from "../wire/time-wire.ts";
import type { Heartbeats } from "./heartbeats.ts";
import { createOutbox } from "./outbox.ts";
import type { ServerStream, StreamEnd } from "./rpc.ts";

export interface PullPorts {
  readonly clock: Clock;
  readonly boards: BoardEngine;
  readonly heartbeats: Heartbeats;
}

/** A call that is open. */
export interface PullCall {
  /** The server stops: who waits is told to go elsewhere, who works hears until when (ms since 1970) it may. */
  drain(endTime: number, retryAfter: number): void;
}

export type PullQuestion = Omit<PullCard, "stream" | "probed"> | Omit<ResumeWork, "stream" | "probed">;

interface PullOptions {
  readonly stream: ServerStream<PullCardResponse>;
  readonly question: PullQuestion;
  /** Where the call stands while it is open. */
  readonly openCalls: Set<PullCall>;
}

type Phase =
  | { readonly kind: "asked" }
  | { readonly kind: "waiting"; readonly id: string }
  | { readonly kind: "working"; readonly id: string }
  | { readonly kind: "over" };

/** The reasons for which there is no card now: an answer to who would not wait. */
export const NONE_NOW: ReadonlySet<Refusal["reason"]> = new Set([
  "NO_CARD",
  "STAGE_FULL",
  "WAITERS_AHEAD",
  "CONCURRENCY_EXHAUSTED",
  "RATE_EXHAUSTED",
  "PAUSED",
  "LEARNING",
]);

/** Asks, and talks through the stream until it ends. */
export function openPull({ clock, boards, heartbeats }: PullPorts, { stream, question, openCalls }: PullOptions): void {
  let phase: Phase = { kind: "asked" };
  let goneEarly: StreamEnd | undefined;
  let drainsEarly: Parameters<PullCall["drain"]> | undefined;
  const outbox = createOutbox<NonNullable<PullCardResponse["event"]["case"]>, PullCardResponse>(stream);
  const engineStream = boards.openStream(hear);
  const heart = heartbeats.add(beat);

  function say(event: Exclude<PullCardResponse["event"], { case: undefined }>): void {
    outbox.put(event.case, create(PullCardResponseSchema, { event }));
    heart.touch();
  }

  function hear(news: PullNews | ShownOutcomeOf<PullCard>): void {
    if (phase.kind === "over") return;
    switch (news.kind) {
      case "pull-waiting":
        phase = { kind: "waiting", id: news.pullId };
        sayPlace(news.place);
        return;
      case "moved":
        sayPlace(news.place);
        return;
      case "pulled":
        work(news);
        return;
      case "work-over":
        finish();
        return;
      case "displaced":
        fail(refusal(news.reason));
        return;
      case "refused":
        if (NONE_NOW.has(news.reason)) {
          say({ case: "none", value: refusalToWire(news) });
          finish();
        } else {
          fail(news);
        }
        return;
    }
  }

  function sayPlace({ pullersAhead, missing }: PlaceView): void {
    const value = create(PullWaitingSchema, { pullersAhead, missing: reasonToWire(missing) });
    say({ case: "waiting", value });
  }

  function work({ card, workId, resumed }: ShownPull): void {
    outbox.drop("waiting");
    say({ case: "pulled", value: pulledToWire({ card, held: workId !== undefined, resumed }, clock) });
    if (workId === undefined) finish();
    else phase = { kind: "working", id: workId };
  }

  function beat(): void {
    if (phase.kind === "working") say({ case: "heartbeat", value: create(PullHeartbeatSchema) });
    if (phase.kind !== "waiting") return;
    boards.place(phase.id).then((place) => {
      if (phase.kind === "waiting" && place) sayPlace(place);
    });
  }

  function finish(): void {
    close();
    outbox.flush();
    stream.end();
  }

  function fail(no: Refusal): void {
    close();
    outbox.flush();
    stream.fail(refusalError(no));
  }

  function close(): void {
    phase = { kind: "over" };
    heart.stop();
    boards.closeStream(engineStream);
    openCalls.delete(call);
  }

  function leave(how: StreamEnd): void {
    const id = phase.kind === "waiting" || phase.kind === "working" ? phase.id : undefined;
    close();
    if (id !== undefined) boards.submit([{ kind: "leave-pull", id, stream: engineStream, how }], () => {});
  }

  const call: PullCall = {
    drain(endTime, retryAfter) {
      if (phase.kind === "asked") {
        drainsEarly = [endTime, retryAfter];
      } else if (phase.kind === "working") {
        say({ case: "draining", value: create(PullDrainingSchema, { endTime: msToTimestamp(endTime) }) });
      } else if (phase.kind === "waiting") {
        leave("cancelled");
        stream.fail(draining(retryAfter));
      }
    },
  };

  openCalls.add(call);
  stream.onEnd((how) => {
    if (phase.kind === "asked") goneEarly = how;
    else if (phase.kind !== "over") leave(how);
  });
  boards.submit([{ ...question, stream: engineStream, probed: stream.probed }], ([outcome]) => {
    hear(outcome);
    if (goneEarly !== undefined && phase.kind !== "over") leave(goneEarly);
    if (drainsEarly !== undefined) call.drain(...drainsEarly);
  });
}
