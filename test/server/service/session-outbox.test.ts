import { describe, expect, test } from "vitest";
import type {
  SessionAnswer,
  SessionRequest,
  SessionResponse,
} from "../../../src/server/gen/ggen/backpressure/v1/session_service_pb.ts";
import type { BidiStream } from "../../../src/server/service/rpc.ts";
import { type Answer, createSessionOutbox } from "../../../src/server/service/session/outbox.ts";

/** A stream that takes so many messages before its reader is behind. */
function createScene(takes = Number.POSITIVE_INFINITY) {
  const sent: string[][] = [];
  let left = takes;
  let writable = () => {};
  const stream = {
    send({ answers }: SessionResponse) {
      sent.push(answers.map(({ id, answer }) => `${id} ${answer.case} ${placeOf(answer)}`.trim()));
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
});
