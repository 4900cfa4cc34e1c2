/**
 * What a session has to say. All of one turn of the event loop leaves as one message; a reader that is behind gets the newest
 * place of each waiter, and everything else once.
 */

import { create } from "@bufbuild/protobuf";
import { DrainingSchema } from "../../gen/ggen/backpressure/v1/admission_service_pb.ts";
import {
  type SessionAnswer,
  type SessionNotice,
  type SessionOpened,
  type SessionResponse,
  SessionResponseSchema,
} from "../../gen/ggen/backpressure/v1/session_service_pb.ts";
import { msToTimestamp } from "../../wire/time-wire.ts";
import type { BidiStream } from "../rpc.ts";
import type { CommandId } from "./open-commands.ts";

export type Answer = SessionAnswer["answer"];

/** A command that waits. */
export interface Placed {
  /** Its place in the queue, while that has not left. */
  place: SessionAnswer | undefined;
}

export interface SessionOutbox {
  /** Whether the reader has yet to take what was said: nothing more should be decided for it. */
  readonly behind: boolean;
  opened(opened: SessionOpened): void;
  /** The last answer to a command. Returns the answer, for `keeps`. */
  answer(id: CommandId, answer: Answer, command: Placed | undefined): SessionAnswer;
  /** A command's place in its queue; one that has not left yet is replaced. */
  place(id: CommandId, answer: Answer, command: Placed): void;
  notice(notice: SessionNotice): void;
  /** `endTime`: ms since 1970. */
  draining(endTime: number): void;
  /** A sign of life, unless something is about to leave. */
  beat(): void;
  /** The answers that have not been handed to the stream yet. */
  unsent(): ReadonlySet<SessionAnswer>;
  /** Hands to the stream what it takes now. */
  flush(): void;
  /** Hands everything to the stream, reader behind or not: it is about to end. */
  flushAll(): void;
}

export interface SessionOutboxOptions {
  readonly stream: BidiStream<unknown, SessionResponse>;
  /** Something waits to be flushed, at the end of this turn. */
  readonly onFilled: () => void;
  /** The reader has taken all. */
  readonly onEmpty: () => void;
}

/** Answers and notices of one message: a few hundred KB at most. */
const MOST = 1_000;

export function createSessionOutbox({ stream, onFilled, onEmpty }: SessionOutboxOptions): SessionOutbox {
  let answers: SessionAnswer[] = [];
  let notices: SessionNotice[] = [];
  let opened: SessionOpened | undefined;
  let endTime: number | undefined;
  /** Answers that a later one may replace, with the commands that wait. */
  const places = new Map<SessionAnswer, Placed>();
  let writable = true;

  stream.onWritable(() => {
    writable = true;
    flush();
    if (writable) onEmpty();
  });

  function isEmpty(): boolean {
    return answers.length + notices.length === 0 && opened === undefined && endTime === undefined;
  }

  function send(): void {
    const some = answers.length > MOST ? answers.splice(0, MOST) : answers;
    const sent = places.size > 0 ? some.filter(stillMeant) : some;
    if (some === answers) answers = [];
    const few = notices.length > MOST ? notices.splice(0, MOST) : notices;
    if (few === notices) notices = [];
    const draining = endTime === undefined ? undefined : create(DrainingSchema, { endTime: msToTimestamp(endTime) });
    writable = stream.send({
      $typeName: SessionResponseSchema.typeName,
      opened,
      answers: sent,
      notices: few,
      draining,
    });
    opened = undefined;
    endTime = undefined;
  }

  function stillMeant(answer: SessionAnswer): boolean {
    const placed = places.get(answer);
    if (placed === undefined) return true;
    places.delete(answer);
    placed.place = undefined;
    return answer.answer.case !== undefined;
  }

  function flush(): void {
    while (writable && !isEmpty()) send();
  }

  function push(id: CommandId, answer: Answer): SessionAnswer {
    const message: SessionAnswer = { $typeName: "ggen.backpressure.v1.SessionAnswer", id: BigInt(id), answer };
    answers.push(message);
    onFilled();
    return message;
  }

  return {
    get behind() {
      return !writable;
    },
    opened(message) {
      opened = message;
      onFilled();
    },
    answer(id, answer, command) {
      const before = command?.place;
      // It stays among the places, where it is left out when its turn comes.
      if (before !== undefined) before.answer = NOTHING;
      return push(id, answer);
    },
    place(id, answer, command) {
      if (command.place !== undefined) {
        command.place.answer = answer;
        return;
      }
      command.place = push(id, answer);
      places.set(command.place, command);
    },
    notice(notice) {
      notices.push(notice);
      onFilled();
    },
    draining(at) {
      endTime = at;
      onFilled();
    },
    beat() {
      if (writable && isEmpty()) send();
    },
    unsent: () => new Set(answers),
    flush,
    flushAll() {
      while (!isEmpty()) send();
    },
  };
}

const NOTHING: Answer = { case: undefined };
