/** A session at the engine of boards: its pulls, and what that engine says of its pullers and of the work on its cards. */

import { create } from "@bufbuild/protobuf";
import type { BoardEngine, PullNews } from "../../engine/board-engine.ts";
import type { EngineUnavailable } from "../../engine/engine.ts";
import {
  type FinishCardRequest,
  FinishCardResponseSchema,
  type GiveBackCardRequest,
  GiveBackCardResponseSchema,
  type PullCardRequest,
  type SendBackCardRequest,
  SendBackCardResponseSchema,
  type TryPullCardRequest,
} from "../../gen/ggen/backpressure/v1/board_service_pb.ts";
import {
  type SessionAnswer,
  type SessionCard,
  SessionCardSchema,
  SessionNoticeSchema,
} from "../../gen/ggen/backpressure/v1/session_service_pb.ts";
import type { EndWork, PullCard, SessionWork } from "../../machine/board/command.ts";
import type { ShownCard } from "../../machine/board/show.ts";
import { type Refusal, refusal } from "../../machine/reasons.ts";
import type { SessionRef } from "../../machine/session.ts";
import { cardToWire } from "../../wire/card-wire.ts";
import { refusalError } from "../../wire/error-wire.ts";
import { OK, statusToWire } from "../../wire/status-wire.ts";
import { giveBackPull } from "../ask.ts";
import { createBoardVerbs, type PullTidings } from "../board-verbs.ts";
import { failureOf } from "../failure.ts";
import type { StreamEnd } from "../rpc.ts";
import type { SideOptions } from "./limiter-side.ts";
import type { OpenCommand } from "./open-commands.ts";
import type { Answer } from "./outbox.ts";

export type BoardSide = ReturnType<typeof createBoardSide>;

/** Work that the session has. */
interface Held {
  readonly card: SessionCard;
  /** What the client was answered; undefined: it was listed by a resume. */
  readonly answer: SessionAnswer | undefined;
}

export function createBoardSide(boards: BoardEngine, options: SideOptions) {
  const { sessionId, by, monitored, keepOnCancel, ids, outbox, fail, waits, at, traceOf } = options;
  const { caller } = by();
  const stream = boards.openStream(hear, options.lose);
  const session: SessionRef = { id: sessionId, stream };
  const verbs = createBoardVerbs(ids);
  /** By the id of the work. */
  const held = new Map<string, Held>();
  const workOf = new Map<string, string>();

  function close(command: OpenCommand, answer: Answer): SessionAnswer | undefined {
    return options.close(command, answer);
  }

  function hear(news: PullNews, about: string): void {
    if (news.kind === "displaced" && news.reason === "SESSION_DISPLACED") {
      options.displaced();
      return;
    }
    const command = at(about);
    if (command !== undefined) answerPull(command, news);
    else tellEnd(about, news);
  }

  function tellEnd(workId: string, news: PullNews): void {
    const end = verbs.pull.toEnd(news);
    const card = held.get(workId)?.card;
    if (end === undefined || card === undefined) return;
    forget(workId);
    const value = end === "ok" ? OK : statusToWire(end);
    outbox.notice(
      create(SessionNoticeSchema, { subject: { case: "card", value: card }, notice: { case: "ended", value } }),
    );
  }

  function answerPull(command: OpenCommand, news: PullTidings): void {
    const event = verbs.pull.toMessage(news);
    if (event?.case === "waiting") {
      if (command.pull?.immediate !== true)
        outbox.place(command.id, { case: "pullWaiting", value: event.value }, command);
    } else if (event?.case === "pulled" && news.kind === "pulled") {
      const answer = close(command, event);
      const { workId, card } = news;
      if (workId === undefined || card.work === undefined) return;
      hold(workId, { board: command.pull?.board ?? "", cardId: card.id, token: card.work.token, workId }, answer);
    } else if (event?.case === "none") close(command, event);
    else if (news.kind === "refused") fail(command, refusalError(news));
    else if (news.kind === "displaced") fail(command, refusalError(refusal(news.reason)));
  }

  function hold(workId: string, { board, cardId, token }: SessionWork, answer: SessionAnswer | undefined): SessionCard {
    const card = create(SessionCardSchema, { board, cardId, fencingToken: BigInt(token) });
    held.set(workId, { card, answer });
    workOf.set(keyOf(card), workId);
    return card;
  }

  function forget(workId: string): void {
    const card = held.get(workId)?.card;
    held.delete(workId);
    if (card !== undefined && workOf.get(keyOf(card)) === workId) workOf.delete(keyOf(card));
  }

  function ask(command: OpenCommand, pull: Omit<PullCard, "stream" | "monitored" | "keepOnCancel">): void {
    options.asks(command, pull.id);
    command.pull = { board: pull.board, immediate: pull.maxWait === 0 };
    boards.submit(
      { ...pull, stream, monitored, keepOnCancel },
      (answer) => {
        if (command.phase === "over") return;
        if (answer.kind !== "pull-waiting" || waits(command, answer.pullId)) answerPull(command, answer);
      },
      (error) => fail(command, failureOf(error)),
      traceOf(command),
    );
  }

  function end(command: OpenCommand, asked: EndWork, toAnswer: (card: ShownCard) => Answer): void {
    boards.submit(
      asked,
      (answer: ShownCard | Refusal) => {
        if (answer.kind === "refused") {
          fail(command, refusalError(answer));
          return;
        }
        const workId = workOf.get(`${asked.board} ${asked.cardId}`);
        if (workId !== undefined) forget(workId);
        close(command, toAnswer(answer));
      },
      (error) => fail(command, failureOf(error)),
    );
  }

  /** As of the side of limiters. */
  function leaveQueue(subject: string, how: StreamEnd, left: () => void): void {
    const leave = { kind: "leave-pull", id: subject, stream, how, unheard: false } as const;
    boards.submit(leave, (answer) => answer.kind !== "refused" && left(), left);
  }

  return {
    open(failed: (error: EngineUnavailable) => void): void {
      boards.submit({ kind: "open-session", sessionId, stream, monitored, keepOnCancel, caller }, NOTHING, failed);
    },

    /** Undefined: nothing is left of it. */
    resume(answered: (cards: readonly SessionCard[] | undefined) => void, failed: (error: EngineUnavailable) => void) {
      boards.submit(
        { kind: "resume-session", sessionId, stream, monitored, keepOnCancel, caller },
        (answer) =>
          answered(
            answer.kind === "refused" ? undefined : answer.cards.map((work) => hold(work.workId, work, undefined)),
          ),
        failed,
      );
    },

    renew(answered: (validFor: number | undefined) => void, failed: (error: EngineUnavailable) => void): void {
      boards.submit(
        { kind: "renew-session", session, caller },
        (answer) => answered(answer.kind === "refused" ? undefined : answer.validFor),
        failed,
      );
    },

    pull(command: OpenCommand, request: PullCardRequest): void {
      const asked = verbs.pull.toCommand(request, undefined, by());
      const question = asked as Omit<PullCard, "stream" | "monitored" | "session">;
      ask(command, { ...question, session });
    },

    tryPull: (command: OpenCommand, request: TryPullCardRequest) =>
      ask(command, verbs.tryPull.toCommand(request, session, by())),

    finish: (command: OpenCommand, request: FinishCardRequest) =>
      end(command, verbs.finish.toCommand(request, session, by()), ({ card }) => ({
        case: "finished",
        value: create(FinishCardResponseSchema, { card: cardToWire(card) }),
      })),

    sendBack: (command: OpenCommand, request: SendBackCardRequest) =>
      end(command, verbs.sendBack.toCommand(request, session, by()), ({ card }) => ({
        case: "sentBack",
        value: create(SendBackCardResponseSchema, { card: cardToWire(card) }),
      })),

    giveBack(command: OpenCommand, request: GiveBackCardRequest): void {
      const asked = verbs.giveBack.toCommand(request, session, by());
      const toAnswer = (card: ShownCard | undefined): Answer => ({
        case: "givenBack",
        value: create(GiveBackCardResponseSchema, { card: card && cardToWire(card.card) }),
      });
      if (asked.kind !== "withdraw-pull") {
        end(command, asked, toAnswer);
        return;
      }
      boards.submit(
        asked,
        (answer) => void close(command, toAnswer(answer.kind === "card" ? answer : undefined)),
        (error) => fail(command, failureOf(error)),
      );
    },

    leaveQueue,

    abandon(subject: string, requestId: string): void {
      giveBackPull(boards, { kind: "abandon-pull", id: subject, requestId, caller });
    },

    leave(how: StreamEnd): void {
      const unsent = outbox.unsent();
      const unheard = [...held].flatMap(([id, { answer }]) => (answer !== undefined && unsent.has(answer) ? [id] : []));
      boards.submit({ kind: "leave-session", sessionId, stream, how, unheard }, NOTHING, NOTHING);
      boards.closeStream(stream);
    },

    forget: () => boards.closeStream(stream),
  };
}

function keyOf({ board, cardId }: SessionCard): string {
  return `${board} ${cardId}`;
}

const NOTHING = () => {};
