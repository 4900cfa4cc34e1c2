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
import { roomFor } from "./room.ts";

export type Answer = SessionAnswer["answer"];

/** A command that waits. */
export interface Placed {
  /** Its place in the queue, while that has not left. */
  place: SessionAnswer | undefined;
}

export interface SessionOutbox {
  /** Whether the reader has yet to take what was said: nothing more should be decided for it. */
  readonly behind: boolean;
  /** One part after the other, which leave as messages of their own. Nothing else is said before they have left. */
  opened(parts: readonly SessionOpened[]): void;
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

/** Answers and notices of one message: a few hundred KB at most, beside what cards bring. */
const MOST = 1_000;

export function createSessionOutbox({ stream, onFilled, onEmpty }: SessionOutboxOptions): SessionOutbox {
  let answers: SessionAnswer[] = [];
  /** Each with the number of answers that were said before it. */
  let notices: { readonly notice: SessionNotice; readonly after: number }[] = [];
  /** Answers that were said, and that have left. */
  let said = 0;
  let left = 0;
  let opened: SessionOpened[] = [];
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
    return answers.length + notices.length + opened.length === 0 && endTime === undefined;
  }

  function send(): void {
    const part = opened.shift();
    if (part !== undefined && opened.length > 0) {
      writable = stream.send({ $typeName: SessionResponseSchema.typeName, opened: part, answers: [], notices: [] });
      return;
    }
    const some = takeAnswers();
    const few = takeNotices();
    const sent = places.size > 0 ? some.filter(stillMeant) : some;
    const draining = endTime === undefined ? undefined : create(DrainingSchema, { endTime: msToTimestamp(endTime) });
    writable = stream.send({
      $typeName: SessionResponseSchema.typeName,
      opened: part,
      answers: sent,
      notices: few,
      draining,
    });
    endTime = undefined;
  }

  /** No more than come before the notices for which this message has no room. */
  function takeAnswers(): SessionAnswer[] {
    const notice = notices[MOST];
    const count = Math.min(roomFor(answers, MOST), notice === undefined ? MOST : notice.after - left);
    const taken = count < answers.length ? answers.splice(0, count) : answers;
    if (taken === answers) answers = [];
    left += taken.length;
    return taken;
  }

  /** Those that come before the next answer: what was renewed after a lease has ended is then never said before that. */
  function takeNotices(): SessionNotice[] {
    const next = notices.findIndex(({ after }, index) => index === MOST || after > left);
    const taken = next === -1 ? notices : notices.splice(0, next);
    if (taken === notices) notices = [];
    return taken.map(({ notice }) => notice);
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
    said += 1;
    onFilled();
    return message;
  }

  return {
    get behind() {
      return !writable;
    },
    opened(parts) {
      opened = [...parts];
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
      notices.push({ notice, after: said });
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
