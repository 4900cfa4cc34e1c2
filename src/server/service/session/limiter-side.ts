/** A session at the engine of limiters: its commands there, and what that engine says of its waiters and leases. */

import { isAnswer } from "../../../reasons/reasons.ts";
import type { AnswerTo, Engine, EngineUnavailable, StreamNews } from "../../engine/engine.ts";
import type {
  AcquireRequest,
  ReleaseRequest,
  TryAcquireRequest,
} from "../../gen/ggen/backpressure/v1/admission_service_pb.ts";
import type { SessionAnswer, SessionNotice } from "../../gen/ggen/backpressure/v1/session_service_pb.ts";
import type { Status } from "../../gen/google/rpc/status_pb.ts";
import type { Ids } from "../../ids.ts";
import type { TryAcquire } from "../../machine/limiter/command.ts";
import { refusal } from "../../machine/reasons.ts";
import type { SessionRef } from "../../machine/session.ts";
import type { TraceContext } from "../../tracing/trace-context.ts";
import { refusalError, type WireError } from "../../wire/error-wire.ts";
import { refusalToWire } from "../../wire/lease-wire.ts";
import { OK, statusToWire } from "../../wire/status-wire.ts";
import { giveBack } from "../ask.ts";
import type { CommandCaller } from "../command-caller.ts";
import { failureOf } from "../failure.ts";
import type { StreamEnd } from "../rpc.ts";
import { type AcquireNews, createVerbs } from "../verbs.ts";
import type { OpenCommand } from "./open-commands.ts";
import type { Answer, SessionOutbox } from "./outbox.ts";

/** What a side of a session needs of its call. */
export interface SideOptions {
  readonly sessionId: string;
  /** Whose session it is; asked for anew with each command. */
  readonly by: () => CommandCaller;
  /** Whether the server notices by itself that the stream's connection is dead. */
  readonly monitored: boolean;
  readonly keepOnCancel: boolean;
  readonly ids: Ids;
  readonly outbox: SessionOutbox;
  /** Says the last answer to a command. */
  readonly close: (command: OpenCommand, answer: Answer) => SessionAnswer | undefined;
  /** The same of one that has failed. */
  readonly fail: (command: OpenCommand, error: WireError) => void;
  /** The command waits, in the place of this id. Returns whether it is still wanted; it is given up if not. */
  readonly waits: (command: OpenCommand, subject: string) => boolean;
  readonly at: (subject: string) => OpenCommand | undefined;
  readonly traceOf: (command: OpenCommand) => TraceContext | undefined;
  /** The command is asked under this id, and may wait. */
  readonly asks: (command: OpenCommand, subject: string) => void;
  /** Another stream has taken the session up. */
  readonly displaced: () => void;
  readonly lose: (error: EngineUnavailable) => void;
}

export type LimiterSide = ReturnType<typeof createLimiterSide>;

export function createLimiterSide(engine: Engine, options: SideOptions) {
  const { sessionId, by, monitored, keepOnCancel, ids, outbox, close, fail, waits, at, traceOf } = options;
  const { caller } = by();
  const stream = engine.openStream(hear, options.lose);
  const session: SessionRef = { id: sessionId, stream };
  // What a session holds is its own: no secret is needed, and making one costs more than a grant.
  const verbs = createVerbs({ next: ids.next, secretOf: () => "" });

  function hear(news: StreamNews, about: string): void {
    if (news.kind === "displaced" && news.reason === "SESSION_DISPLACED") {
      options.displaced();
      return;
    }
    const command = at(about);
    if (command !== undefined) answerAcquire(command, news);
    else if (news.kind === "revoking") notice(about, verbs.acquire.toMessage(news));
    else tellEnd(about, news);
  }

  function notice(leaseId: string, event: ReturnType<typeof verbs.acquire.toMessage>): void {
    if (event?.case === "revoking") outbox.notice(noticeOf(leaseId, event));
  }

  function tellEnd(leaseId: string, news: StreamNews): void {
    const end = verbs.acquire.toEnd(news);
    if (end === undefined) return;
    outbox.notice(noticeOf(leaseId, { case: "ended", value: end === "ok" ? OK : statusToWire(end) }));
  }

  function answerAcquire(command: OpenCommand, news: AcquireNews): void {
    const event = verbs.acquire.toMessage(news);
    if (event?.case === "waiting") outbox.place(command.id, event, command);
    else if (event?.case === "granted") close(command, event);
    else if (news.kind === "refused") fail(command, refusalError(news));
    else if (news.kind === "displaced") fail(command, refusalError(refusal(news.reason)));
  }

  /**
   * `left` is called once it waits no more, or the engine is out of reach; never if something else was decided before, which is
   * said in its time.
   */
  function leaveQueue(subject: string, how: StreamEnd, left: () => void): void {
    engine.submit({ kind: "leave", id: subject, stream, how }, (answer) => answer.kind !== "refused" && left(), left);
  }

  return {
    open(answered: () => void, failed: (error: EngineUnavailable) => void): void {
      engine.submit({ kind: "open-session", sessionId, stream, monitored, keepOnCancel, caller }, answered, failed);
    },

    /** Undefined: nothing is left of it. */
    resume(
      answered: (leaseIds: readonly string[] | undefined) => void,
      failed: (error: EngineUnavailable) => void,
    ): void {
      engine.submit(
        { kind: "resume-session", sessionId, stream, monitored, keepOnCancel, caller },
        (answer) => answered(answer.kind === "refused" ? undefined : answer.leaseIds),
        failed,
      );
    },

    /** µs; undefined: nothing is bound to a time. */
    renew(answered: (validFor: number | undefined) => void, failed: (error: EngineUnavailable) => void): void {
      engine.submit(
        { kind: "renew-session", session, caller },
        (answer) => answered(answer.kind === "refused" ? undefined : answer.validFor),
        failed,
      );
    },

    acquire(command: OpenCommand, request: AcquireRequest): void {
      const asked = verbs.acquire.toSessionCommand(request, { stream, monitored, keepOnCancel, session }, by());
      options.asks(command, asked.id);
      engine.submit(
        asked,
        (answer) => {
          if (command.phase === "over") return;
          if (answer.kind !== "waiting" || waits(command, answer.waiterId)) answerAcquire(command, answer);
        },
        (error) => fail(command, failureOf(error)),
        traceOf(command),
      );
    },

    tryAcquire(command: OpenCommand, request: TryAcquireRequest): void {
      const asked: TryAcquire = verbs.tryAcquire.toCommand(request, session, by());
      command.subject = asked.id;
      engine.submit(
        asked,
        (answer) => close(command, tryAnswer(answer)),
        (error) => fail(command, failureOf(error)),
        traceOf(command),
      );
    },

    release(command: OpenCommand, request: ReleaseRequest): void {
      const { leaseId, secret, requestId } = request;
      const own = secret === "";
      if (requestId === "" && !own && !ids.isSecretOf(leaseId, secret)) {
        engine.knowsLease(leaseId, caller).then(
          (known) => fail(command, refusalError(refusal(known ? "LEASE_SECRET_MISMATCH" : "LEASE_NOT_FOUND"))),
          (error) => fail(command, failureOf(error)),
        );
        return;
      }
      engine.submit(
        verbs.release.toCommand(request, own ? session : undefined, by()),
        (answer) => {
          if (answer.kind === "refused") fail(command, refusalError(answer));
          else close(command, { case: "released", value: verbs.release.toMessage(answer) });
        },
        (error) => fail(command, failureOf(error)),
      );
    },

    leaveQueue,

    /** What a waiter claims; undefined once it has left. */
    claimsOf: async (subject: string) => (await engine.waiter(subject))?.claims,

    /** The client is to hear nothing more of a command: it takes nothing. */
    abandon(subject: string, requestId: string): void {
      giveBack(engine, { kind: "abandon", id: subject, requestId, caller });
      leaveQueue(subject, "cancelled", NOTHING);
    },

    leave(how: StreamEnd): void {
      engine.submit({ kind: "leave-session", sessionId, stream, how }, NOTHING, NOTHING);
      engine.closeStream(stream);
    },

    /** The session is another stream's, or the engine is lost. */
    forget: () => engine.closeStream(stream),
  };

  function tryAnswer(answer: AnswerTo<TryAcquire>): Answer {
    if (answer.kind === "refused" && !isAnswer(answer.reason)) {
      return { case: "failed", value: statusToWire(refusalError(answer)) };
    }
    if (answer.kind === "refused") return { case: "refused", value: refusalToWire(answer) };
    return verbs.acquire.toMessage(answer) as Answer;
  }
}

function noticeOf(
  leaseId: string,
  notice: Extract<SessionNotice["notice"], { case: "revoking" }> | { case: "ended"; value: Status },
): SessionNotice {
  return {
    $typeName: "ggen.backpressure.v1.SessionNotice",
    subject: { case: "leaseId", value: leaseId },
    notice,
  };
}

const NOTHING = () => {};
