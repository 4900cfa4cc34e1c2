import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import {
  type SessionAnswer,
  SessionCredentialSchema,
  type SessionNotice,
  SessionNoticeSchema,
  type SessionRequest,
  type SessionResponse,
} from "../../../src/server/gen/ggen/backpressure/v1/session_service_pb.ts";
import type { BidiStream } from "../../../src/server/service/rpc.ts";
import { openedParts } from "../../../src/server/service/session/opened-parts.ts";
import { type Answer, createSessionOutbox } from "../../../src/server/service/session/outbox.ts";

/** A stream that takes so many messages before its reader is behind. */
function createScene(takes = Number.POSITIVE_INFINITY) {
  const sent: string[][] = [];
  let left = takes;
  let writable = () => {};
  const stream = {
    send({ opened, answers, notices }: SessionResponse) {
      sent.push([
        ...(opened?.leaseIds ?? []),
        ...answers.map(({ id, answer }) => `${id} ${answer.case} ${placeOf(answer)}`.trim()),
        ...notices.map(({ subject }) => `notice of ${subject.value}`),
      ]);
      left -= 1;
      return left > 0;
    },
    onWritable(listener: () => void) {
      writable = listener;
    },
  } as unknown as BidiStream<SessionRequest, SessionResponse>;
  const outbox = createSessionOutbox({ stream, onFilled: () => {}, onEmpty: () => {} });
  return {
    sent,
    outbox,
    catchUp(more: number) {
      left = more;
      writable();
    },
  };
}

function placeOf(answer: Answer): string {
  return answer.case === "waiting" ? String(answer.value.waitersAhead) : "";
}

function waiting(waitersAhead: number): Answer {
  const value = { $typeName: "ggen.backpressure.v1.Waiting", waitersAhead, estimatedWait: undefined } as const;
  return { case: "waiting", value };
}

const RENEWED: Answer = { case: "renewed", value: { $typeName: "ggen.backpressure.v1.SessionRenewed" } };

describe("a session's outbox", () => {
  test("hands over all that was said since the last time as one message, in order", () => {
    const { outbox, sent } = createScene();
    const command = { place: undefined };
    outbox.place(1n, waiting(4), command);
    outbox.answer(2n, RENEWED, undefined);
    outbox.flush();
    outbox.flush();
    expect(sent).toEqual([["1 waiting 4", "2 renewed"]]);
  });

  test("has for a reader that is behind the newest place of each waiter, and its last answer alone", () => {
    const { outbox, sent, catchUp } = createScene(1);
    const commands = [1n, 2n].map((id) => ({ id, place: undefined as SessionAnswer | undefined }));
    outbox.answer(9n, RENEWED, undefined);
    outbox.flush();
    expect(outbox.behind).toBe(true);
    for (let ahead = 1_000; ahead > 0; ahead -= 1) {
      for (const command of commands) outbox.place(command.id, waiting(ahead), command);
      outbox.flush();
    }
    expect(outbox.unsent().size).toBe(2);
    outbox.answer(2n, RENEWED, commands[1]);
    catchUp(9);
    expect(sent).toEqual([["9 renewed"], ["1 waiting 1", "2 renewed"]]);
    outbox.place(1n, waiting(0), commands[0] as (typeof commands)[0]);
    outbox.flush();
    expect(sent.at(-1)).toEqual(["1 waiting 0"]);
  });

  test("has no message with more than a thousand answers", () => {
    const { outbox, sent } = createScene();
    for (let id = 0n; id < 2_500n; id += 1n) outbox.answer(id, RENEWED, undefined);
    outbox.flush();
    expect(sent.map(({ length }) => length)).toEqual([1_000, 1_000, 500]);
    expect(sent.flat()).toEqual(Array.from({ length: 2_500 }, (_, id) => `${id} renewed`));
  });

  test("says of a lease neither before its grant nor after what was decided later, in however many messages", () => {
    const { outbox, sent } = createScene();
    for (let id = 0n; id < 1_500n; id += 1n) outbox.answer(id, RENEWED, undefined);
    outbox.notice(noticeOf("a"));
    outbox.answer(1_500n, RENEWED, undefined);
    outbox.notice(noticeOf("b"));
    outbox.flush();
    expect(sent.map((message) => message.length)).toEqual([1_000, 503]);
    expect(sent[1]?.slice(-3)).toEqual(["1500 renewed", "notice of a", "notice of b"]);
  });

  test("says what a thousand notices have come before only after them", () => {
    const { outbox, sent } = createScene();
    outbox.answer(1n, RENEWED, undefined);
    for (let i = 0; i < 1_001; i += 1) outbox.notice(noticeOf(`${i}`));
    outbox.answer(2n, RENEWED, undefined);
    outbox.flush();
    expect(sent.map((message) => message.length)).toEqual([1_001, 2]);
    expect(sent[1]).toEqual(["2 renewed", "notice of 1000"]);
  });

  test("has no more in a message than some cards with all their words", () => {
    const { outbox, sent } = createScene();
    const card = { $typeName: "ggen.backpressure.v1.Card", data: "x".repeat(65_536) };
    const pulled = { case: "pulled", value: { $typeName: "ggen.backpressure.v1.PulledCard", card } } as Answer;
    for (let id = 0n; id < 20n; id += 1n) outbox.answer(id, pulled, undefined);
    outbox.flush();
    const counts = sent.map((message) => message.length);
    expect(counts.reduce((sum, count) => sum + count)).toBe(20);
    // 4 MiB, with characters of three bytes.
    expect(Math.max(...counts)).toBeLessThan((4 << 20) / (3 * 65_536) / 2);
  });

  test("says what a session holds part by part, before any answer", () => {
    const { outbox, sent } = createScene();
    const leaseIds = Array.from({ length: 20_001 }, (_, i) => `lease-${i}`);
    const credential = create(SessionCredentialSchema, { sessionId: "session" });
    outbox.opened(openedParts(credential, true, { leaseIds, cards: [] }));
    outbox.answer(1n, RENEWED, undefined);
    outbox.flush();
    expect(sent.map((message) => message.length)).toEqual([10_000, 10_000, 2]);
    expect(sent.flat()).toEqual([...leaseIds, "1 renewed"]);
  });
});

function noticeOf(leaseId: string): SessionNotice {
  return create(SessionNoticeSchema, { subject: { case: "leaseId", value: leaseId } });
}
