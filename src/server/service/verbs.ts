/**
 * The verbs of AdmissionService apart from what carries them: a request as a command, and an answer or news as a message.
 * Unary calls and streams carry them, one command or many. Whether a lease's secret is right is for the carrier to ask.
 */

import { create } from "@bufbuild/protobuf";
import { isAnswer } from "../../reasons/reasons.ts";
import type { AnswerTo, StreamNews } from "../engine/engine.ts";
import {
  type AcquireRequest,
  type AcquireResponse,
  type ReleaseRequest,
  type ReleaseResponse,
  ReleaseResponseSchema,
  RenewedSchema,
  type RenewResult,
  RenewResultSchema,
  RevokingSchema,
  type TryAcquireRequest,
  type TryAcquireResponse,
} from "../gen/ggen/backpressure/v1/admission_service_pb.ts";
import type { Ids } from "../ids.ts";
import type { Acquire, Release, Renew, Resume, TryAcquire, Withdraw } from "../machine/limiter/command.ts";
import { END_REASONS } from "../machine/limiter/lease.ts";
import { refusal } from "../machine/reasons.ts";
import type { SessionRef } from "../machine/session.ts";
import { refusalError, type WireError } from "../wire/error-wire.ts";
import {
  claimsFromWire,
  grantedToWire,
  leaseEndToWire,
  refusalToWire,
  waitingToWire,
  workOutcomeFromWire,
} from "../wire/lease-wire.ts";
import { durationToMicros, optionalDuration, optionalTimestamp } from "../wire/time-wire.ts";
import type { CommandCaller } from "./command-caller.ts";

/** What is asked of the engine, but for the stream, which its carrier gives. */
export type AcquireQuestion = Omit<Acquire, "stream" | "monitored" | "session"> | Omit<Resume, "stream" | "monitored">;

/** What the client of an Acquire receives: the answer, and what comes after it. */
export type AcquireNews = StreamNews | AnswerTo<Acquire>;

export type AcquireEvent = Exclude<AcquireResponse["event"], { case: undefined }>;

/** How a stream ends after what its client receives. */
export type StreamOver = "ok" | WireError;

export type Verbs = ReturnType<typeof createVerbs>;

export function createVerbs(ids: Pick<Ids, "next" | "secretOf">) {
  const acquire = {
    /** `timeout`: µs that the caller's deadline leaves. It passes in the queue like `max_wait`, and says so. */
    toCommand(request: AcquireRequest, timeout: number | undefined, by: CommandCaller): AcquireQuestion {
      const { resume, holder, requestId, keepOnCancel } = request;
      if (resume) return { kind: "resume", leaseId: resume.leaseId, keepOnCancel, caller: by.caller };
      return {
        kind: "acquire",
        id: ids.next(),
        claims: claimsFromWire(request.claims),
        maxWait: waitOf(request, timeout),
        holder,
        requestId,
        keepOnCancel,
        ttl: request.ttl && durationToMicros(request.ttl),
        caller: by.caller,
        bounds: by.bounds,
      };
    },

    /** The command whole, of a request that names nothing to resume: a session makes a hundred thousand of them in a second. */
    toSessionCommand(
      request: AcquireRequest,
      over: Pick<Acquire, "stream" | "monitored" | "keepOnCancel" | "session">,
      by: CommandCaller,
    ): Acquire {
      return {
        kind: "acquire",
        id: ids.next(),
        claims: claimsFromWire(request.claims),
        holder: request.holder,
        maxWait: waitOf(request, undefined),
        ttl: request.ttl && durationToMicros(request.ttl),
        requestId: request.requestId,
        stream: over.stream,
        monitored: over.monitored,
        keepOnCancel: over.keepOnCancel,
        session: over.session,
        caller: by.caller,
        bounds: by.bounds,
      };
    },

    /** Undefined: there is nothing to say but how it ends. */
    toMessage(news: AcquireNews): AcquireEvent | undefined {
      switch (news.kind) {
        case "waiting":
          return { case: "waiting", value: waitingToWire(news) };
        case "moved":
          return { case: "waiting", value: waitingToWire(news.waiter) };
        case "granted":
          return { case: "granted", value: grantedToWire(news, ids) };
        case "revoking": {
          const { lease, message } = news;
          return {
            case: "revoking",
            value: create(RevokingSchema, { endTime: optionalTimestamp(lease.expiresAt), message }),
          };
        }
        default:
          return undefined;
      }
    },

    /** Undefined: it goes on. */
    toEnd(news: AcquireNews): StreamOver | undefined {
      switch (news.kind) {
        case "granted":
          return news.held ? undefined : "ok";
        case "ended":
          return news.end === "released" ? "ok" : refusalError(refusal(END_REASONS[news.end]));
        case "displaced":
          return refusalError(refusal(news.reason));
        case "refused":
          return refusalError(news);
        default:
          return undefined;
      }
    },
  };

  const tryAcquire = {
    toCommand(request: TryAcquireRequest, session: SessionRef | undefined, by: CommandCaller): TryAcquire {
      const { claims, holder, ttl, requestId } = request;
      return {
        kind: "try-acquire",
        id: ids.next(),
        claims: claimsFromWire(claims),
        holder,
        ttl: ttl && durationToMicros(ttl),
        requestId,
        session,
        caller: by.caller,
        bounds: by.bounds,
      };
    },

    /** Throws a refusal that is no answer. */
    toMessage(answer: AnswerTo<TryAcquire>): TryAcquireResponse {
      if (answer.kind === "granted") {
        return tryAcquireResponse({ case: "granted", value: grantedToWire(answer, ids) });
      }
      if (!isAnswer(answer.reason)) throw refusalError(answer);
      return tryAcquireResponse({ case: "refused", value: refusalToWire(answer) });
    },
  };

  const renew = {
    toCommand: (leaseId: string, { caller }: CommandCaller): Renew => ({ kind: "renew", leaseId, caller }),

    toMessage(leaseId: string, answer: AnswerTo<Renew>): RenewResult {
      switch (answer.kind) {
        case "renewed": {
          const value = create(RenewedSchema, {
            validFor: optionalDuration(answer.validFor),
            expireTime: optionalTimestamp(answer.expiresAt),
            revoking: answer.revoking,
          });
          return create(RenewResultSchema, { leaseId, result: { case: "renewed", value } });
        }
        case "ended":
          return create(RenewResultSchema, { leaseId, result: { case: "ended", value: leaseEndToWire(answer.end) } });
        case "refused":
          return create(RenewResultSchema, { leaseId, result: { case: "refused", value: refusalToWire(answer) } });
      }
    },
  };

  const release = {
    /** With a request id it is withdrawn, whatever has become of it. */
    toCommand(
      { leaseId, requestId, outcome }: ReleaseRequest,
      session: SessionRef | undefined,
      { caller }: CommandCaller,
    ): Release | Withdraw {
      const workOutcome = workOutcomeFromWire(outcome);
      if (requestId !== "") return { kind: "withdraw", requestId, workOutcome, caller };
      return { kind: "release", leaseId, workOutcome, session, caller };
    },

    /** Throws a refusal. */
    toMessage(answer: AnswerTo<Release | Withdraw>): ReleaseResponse {
      if (answer.kind === "refused") throw refusalError(answer);
      if (answer.kind === "withdrawn") return create(ReleaseResponseSchema, { withdrawn: true });
      const end = leaseEndToWire(answer.end);
      return { $typeName: "ggen.backpressure.v1.ReleaseResponse", end, alreadyEnded: answer.already, withdrawn: false };
    },
  };

  return { acquire, tryAcquire, renew, release };
}

function tryAcquireResponse(result: TryAcquireResponse["result"]): TryAcquireResponse {
  return { $typeName: "ggen.backpressure.v1.TryAcquireResponse", result };
}

/** µs that a request waits at most: what it says, or what its caller's deadline leaves where that is less. */
export function waitOf({ maxWait }: Pick<AcquireRequest, "maxWait">, timeout: number | undefined): number | undefined {
  if (maxWait === undefined) return timeout;
  const said = durationToMicros(maxWait);
  return Math.min(said, timeout ?? said);
}
