/** The verbs of BoardService for workers on cards, apart from what carries them; see `verbs.ts`. */

import { create } from "@bufbuild/protobuf";
import { isAnswer } from "../../reasons/reasons.ts";
import type { BoardAnswerTo, PullNews } from "../engine/board-engine.ts";
import {
  type CardCredential,
  type FinishCardRequest,
  type GiveBackCardRequest,
  type PullCardRequest,
  type PullCardResponse,
  PullWaitingSchema,
  type RenewCardResult,
  RenewCardResultSchema,
  type SendBackCardRequest,
  type TryPullCardRequest,
  type TryPullCardResponse,
  TryPullCardResponseSchema,
} from "../gen/ggen/backpressure/v1/board_service_pb.ts";
import type { Ids } from "../ids.ts";
import type { EndWork, PullCard, RenewWork, ResumeWork, WithdrawPull } from "../machine/board/command.ts";
import type { ShownPull } from "../machine/board/show.ts";
import type { PlaceView } from "../machine/board/view.ts";
import { type Refusal, refusal } from "../machine/reasons.ts";
import type { SessionRef } from "../machine/session.ts";
import { pulledToWire, workToWire } from "../wire/card-wire.ts";
import { type FieldViolation, invalidRequest, refusalError } from "../wire/error-wire.ts";
import { reasonToWire, refusalToWire } from "../wire/lease-wire.ts";
import { durationToMicros } from "../wire/time-wire.ts";
import type { CommandCaller } from "./command-caller.ts";
import { type StreamOver, waitOf } from "./verbs.ts";

/** What is asked of the engine, but for the stream, which its carrier gives. */
export type PullQuestion =
  | Omit<PullCard, "stream" | "monitored" | "session">
  | Omit<ResumeWork, "stream" | "monitored">;

/** A pull that does not wait; its carrier knows of a stream and a promise. */
export type TryPull = Omit<PullCard, "stream" | "monitored" | "keepOnCancel">;

/** What the client of a pull receives: the answer, and what comes after it. */
export type PullTidings = PullNews | BoardAnswerTo<PullCard>;

export type PullEvent = Exclude<PullCardResponse["event"], { case: undefined }>;

export type BoardVerbs = ReturnType<typeof createBoardVerbs>;

const NO_ATTEMPT: FieldViolation = {
  field: "failed",
  description: "cannot be given with request_id: a request that is withdrawn is no attempt",
  reason: "give_back_card.failed",
};

export function createBoardVerbs(ids: Pick<Ids, "next">) {
  const pull = {
    /** `timeout`: µs that the caller's deadline leaves. */
    toCommand(request: PullCardRequest, timeout: number | undefined, by: CommandCaller): PullQuestion {
      const { board, stage, worker, requestId, resume, keepOnCancel } = request;
      if (resume) {
        const { cardId, fencingToken } = resume;
        return { kind: "resume-work", board, cardId, token: Number(fencingToken), keepOnCancel, caller: by.caller };
      }
      return {
        kind: "pull",
        id: ids.next(),
        board,
        stage,
        worker,
        maxWait: waitOf(request, timeout),
        ttl: request.ttl && durationToMicros(request.ttl),
        requestId,
        keepOnCancel,
        detached: false,
        cardId: undefined,
        caller: by.caller,
        bounds: by.bounds,
      };
    },

    /** Undefined: there is nothing to say but how it ends. */
    toMessage(news: PullTidings): PullEvent | undefined {
      switch (news.kind) {
        case "pull-waiting":
        case "moved":
          return waitingEvent(news.place);
        case "pulled":
          return { case: "pulled", value: pulledToWire(news) };
        case "refused":
          return isAnswer(news.reason) ? { case: "none", value: refusalToWire(news) } : undefined;
        default:
          return undefined;
      }
    },

    /** Undefined: it goes on. */
    toEnd(news: PullTidings): StreamOver | undefined {
      switch (news.kind) {
        case "pulled":
          return news.workId === undefined ? "ok" : undefined;
        case "work-over":
          return "ok";
        case "displaced":
          return refusalError(refusal(news.reason));
        case "refused":
          return isAnswer(news.reason) ? "ok" : refusalError(news);
        default:
          return undefined;
      }
    },
  };

  const tryPull = {
    /** What has no ttl is a person's, and belongs to no session. */
    toCommand(request: TryPullCardRequest, session: SessionRef | undefined, by: CommandCaller): TryPull {
      const own = request.ttl === undefined ? undefined : session;
      return {
        kind: "pull",
        id: ids.next(),
        board: request.board,
        stage: request.stage,
        worker: request.worker,
        maxWait: 0,
        ttl: request.ttl && durationToMicros(request.ttl),
        requestId: request.requestId,
        detached: own === undefined,
        cardId: request.cardId === "" ? undefined : request.cardId,
        session: own,
        caller: by.caller,
        bounds: by.bounds,
      };
    },

    /** Throws a refusal that is no answer. */
    toMessage(answer: ShownPull | Refusal): TryPullCardResponse {
      if (answer.kind === "pulled") {
        return create(TryPullCardResponseSchema, { result: { case: "pulled", value: pulledToWire(answer) } });
      }
      if (!isAnswer(answer.reason)) throw refusalError(answer);
      return create(TryPullCardResponseSchema, { result: { case: "none", value: refusalToWire(answer) } });
    },
  };

  const renew = {
    toCommand: (board: string, { cardId, fencingToken }: CardCredential, { caller }: CommandCaller): RenewWork => ({
      kind: "renew-work",
      board,
      cardId,
      token: Number(fencingToken),
      caller,
    }),

    toMessage(cardId: string, answer: BoardAnswerTo<RenewWork>): RenewCardResult {
      if (answer.kind === "refused") {
        return create(RenewCardResultSchema, { cardId, result: { case: "refused", value: refusalToWire(answer) } });
      }
      const value = answer.card.work && workToWire(answer.card.work);
      return create(RenewCardResultSchema, { cardId, result: value && { case: "renewed", value } });
    },
  };

  const finish = {
    toCommand: (request: FinishCardRequest, session: SessionRef | undefined, by: CommandCaller): EndWork =>
      endOf("finish", request, request.result, { session, by }),
  };
  const sendBack = {
    toCommand: (request: SendBackCardRequest, session: SessionRef | undefined, by: CommandCaller): EndWork =>
      endOf("send-back", request, request.reason, { session, by }),
  };

  const giveBack = {
    /** With a request id it is withdrawn, whatever has become of it. */
    toCommand(
      request: GiveBackCardRequest,
      session: SessionRef | undefined,
      by: CommandCaller,
    ): EndWork | WithdrawPull {
      const { requestId, reason, failed } = request;
      if (requestId === "") return { ...endOf("give-back", request, reason, { session, by }), failed };
      if (failed) throw invalidRequest([NO_ATTEMPT]);
      return { kind: "withdraw-pull", requestId, words: reason, caller: by.caller };
    },
  };

  return { pull, tryPull, renew, finish, giveBack, sendBack };
}

interface EndRequest {
  readonly board: string;
  readonly cardId: string;
  readonly fencingToken: bigint;
}

function endOf(
  kind: EndWork["kind"],
  { board, cardId, fencingToken }: EndRequest,
  words: string,
  { session, by: { caller } }: { readonly session: SessionRef | undefined; readonly by: CommandCaller },
): EndWork {
  return { kind, board, cardId, token: Number(fencingToken), words, failed: false, session, caller };
}

function waitingEvent({ pullersAhead, missing }: PlaceView): PullEvent | undefined {
  // The limiter's answer comes next.
  if (missing === undefined) return undefined;
  return { case: "waiting", value: create(PullWaitingSchema, { pullersAhead, missing: reasonToWire(missing) }) };
}
