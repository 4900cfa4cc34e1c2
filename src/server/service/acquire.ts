/** One Acquire call: its place in the queue, then its lease, told over its stream. */

import { create } from "@bufbuild/protobuf";
import {
  type AcquireResponse,
  AcquireResponseSchema,
  DrainingSchema,
  HeartbeatSchema,
  RevokingSchema,
} from "../../client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import type { Clock } from "../clock.ts";
import type { Engine, StreamNews } from "../engine/engine.ts";
import type { Ids } from "../ids.ts";
import type { Acquire, Granted, Resume, Waiting } from "../machine/command.ts";
import { END_REASONS, expiresAt } from "../machine/lease.ts";
import { type Refusal, refusal } from "../machine/reasons.ts";
import { draining, refusalError } from "../wire/error-wire.ts";
import { grantedToWire, waitingToWire } from "../wire/lease-wire.ts";
import { msToTimestamp } from "../wire/time-wire.ts";
import type { Heartbeats } from "./heartbeats.ts";
import { createOutbox } from "./outbox.ts";
import type { ServerStream, StreamEnd } from "./rpc.ts";

export interface AcquirePorts {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly engine: Engine;
  readonly heartbeats: Heartbeats;
}

/** A call that is open. */
export interface AcquireCall {
  /** The server stops: who waits is told to go elsewhere, who holds hears until when (ms since 1970) it may. */
  drain(endTime: number, retryAfter: number): void;
}

type Phase =
  /** The engine has not answered yet. */
  | { readonly kind: "asked" }
  | { readonly kind: "waiting"; readonly waiterId: string }
  | { readonly kind: "holding"; readonly leaseId: string }
  | { readonly kind: "over" };

/** What is asked of the engine, but for the stream, which is given here. */
export type AcquireQuestion = Omit<Acquire, "stream" | "probed"> | Omit<Resume, "stream" | "probed">;

interface AcquireOptions {
  readonly stream: ServerStream<AcquireResponse>;
  readonly question: AcquireQuestion;
  /** Where the call stands while it is open. */
  readonly openCalls: Set<AcquireCall>;
}

/** Asks, and talks through the stream until it ends. */
export function openAcquire(
  { clock, ids, engine, heartbeats }: AcquirePorts,
  { stream, question, openCalls }: AcquireOptions,
): void {
  let phase: Phase = { kind: "asked" };
  let goneEarly: StreamEnd | undefined;
  let drainsEarly: Parameters<AcquireCall["drain"]> | undefined;
  const outbox = createOutbox<NonNullable<AcquireResponse["event"]["case"]>, AcquireResponse>(stream);
  const engineStream = engine.openStream(hear);
  const heart = heartbeats.add(beat);

  function say(event: Exclude<AcquireResponse["event"], { case: undefined }>): void {
    outbox.put(event.case, create(AcquireResponseSchema, { event }));
    heart.touch();
  }

  function hear(news: StreamNews | Waiting): void {
    if (phase.kind === "over") return;
    switch (news.kind) {
      case "waiting":
        phase = { kind: "waiting", waiterId: news.waiterId };
        say({ case: "waiting", value: waitingToWire(news) });
        return;
      case "moved":
        say({ case: "waiting", value: waitingToWire(news.waiter) });
        return;
      case "granted":
        hold(news);
        return;
      case "revoking": {
        const until = expiresAt(news.lease) ?? clock.now();
        const endTime = msToTimestamp(clock.wallTime(until));
        say({ case: "revoking", value: create(RevokingSchema, { endTime, message: news.message }) });
        return;
      }
      case "ended":
        if (news.end === "released") finish();
        else fail(refusal(END_REASONS[news.end]));
        return;
      case "displaced":
        fail(refusal(news.reason));
        return;
      case "refused":
        fail(news);
        return;
    }
  }

  function hold(granted: Granted): void {
    outbox.drop("waiting");
    say({ case: "granted", value: grantedToWire(granted, ids, clock) });
    if (granted.held) phase = { kind: "holding", leaseId: granted.lease.id };
    else finish();
  }

  function beat(): void {
    if (phase.kind === "holding") say({ case: "heartbeat", value: create(HeartbeatSchema) });
    if (phase.kind !== "waiting") return;
    engine.waiter(phase.waiterId).then((waiter) => {
      if (phase.kind === "waiting" && waiter) say({ case: "waiting", value: waitingToWire(waiter) });
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
    engine.closeStream(engineStream);
    openCalls.delete(call);
  }

  /** Gives back what the stream has, as its end says. */
  function leave(how: StreamEnd): void {
    const id = phase.kind === "waiting" ? phase.waiterId : phase.kind === "holding" ? phase.leaseId : undefined;
    close();
    if (id !== undefined) engine.submit([{ kind: "leave", id, stream: engineStream, how }], () => {});
  }

  const call: AcquireCall = {
    drain(endTime, retryAfter) {
      if (phase.kind === "asked") {
        drainsEarly = [endTime, retryAfter];
      } else if (phase.kind === "holding") {
        say({ case: "draining", value: create(DrainingSchema, { endTime: msToTimestamp(endTime) }) });
      } else if (phase.kind === "waiting") {
        leave("cancelled");
        stream.fail(draining(retryAfter));
      }
    },
  };

  openCalls.add(call);
  stream.onEnd((how) => {
    // Before the answer there is nothing that could be given back; the answer will find nobody here.
    if (phase.kind === "asked") goneEarly = how;
    else if (phase.kind !== "over") leave(how);
  });
  engine.submit([{ ...question, stream: engineStream, probed: stream.probed }], ([outcome]) => {
    hear(outcome.kind === "granted" ? { ...outcome, to: engineStream } : withStream(outcome, engineStream));
    if (goneEarly !== undefined && phase.kind !== "over") leave(goneEarly);
    if (drainsEarly !== undefined) call.drain(...drainsEarly);
  });
}

function withStream(outcome: Waiting | Refusal, to: number): Waiting | (Refusal & { readonly to: number }) {
  return outcome.kind === "waiting" ? outcome : { ...outcome, to };
}
