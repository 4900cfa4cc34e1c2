/** Commands of a session whose answers wait for the disk: each is answered in its time, and what it is answered is true. */

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import type { BoardEngine } from "../../../src/server/engine/board-engine.ts";
import type { Engine } from "../../../src/server/engine/engine.ts";
import {
  type SessionAnswer,
  type SessionCommandSchema,
  type SessionRequest,
  SessionRequestSchema,
  type SessionResponse,
} from "../../../src/server/gen/ggen/backpressure/v1/session_service_pb.ts";
import { ErrorInfoSchema } from "../../../src/server/gen/google/rpc/error_details_pb.ts";
import { createIds } from "../../../src/server/ids.ts";
import { refusal } from "../../../src/server/machine/reasons.ts";
import { createCallsUnderWay } from "../../../src/server/service/calls-under-way.ts";
import { createHeartbeats } from "../../../src/server/service/heartbeats.ts";
import type { BidiStream } from "../../../src/server/service/rpc.ts";
import { openSessionCall } from "../../../src/server/service/session/session-call.ts";
import { callOf } from "../../support/call-of.ts";
import { createFakeClock } from "../../support/fake-clock.ts";

/** µs: the time that an answer may take, and by which it is looked for late. */
const BOUND = 10_000_000;
const LOOK = 50_000;

interface Asked {
  readonly kind: string;
  readonly id?: string;
  readonly answer: (value: unknown) => void;
}

/** An engine that opens sessions, and answers everything else when the test says so. */
function createHeldEngine() {
  const asked: Asked[] = [];
  let hear: (news: unknown, about: string) => void = () => {};
  const engine = {
    submit(command: { readonly kind: string; readonly id?: string }, answer: (value: unknown) => void) {
      if (command.kind === "open-session") answer({ kind: "done" });
      else if (command.kind !== "renew-session") asked.push({ ...command, answer });
    },
    openStream(listener: typeof hear) {
      hear = listener;
      return 1;
    },
    closeStream: () => {},
  };
  return {
    asked,
    engine: engine as unknown as Engine & BoardEngine,
    /** Says this on the session's stream. */
    tell: (news: unknown, about: string) => hear(news, about),
  };
}

function openScene() {
  const clock = createFakeClock();
  const limiters = createHeldEngine();
  const boards = createHeldEngine();
  const calls = createCallsUnderWay({ clock, bound: () => BOUND });
  const answers: SessionAnswer[] = [];
  let say: (request: SessionRequest) => void = () => {};
  const stream = {
    ...callOf(),
    probed: true,
    send(response: SessionResponse) {
      answers.push(...response.answers);
      return true;
    },
    onMessage(listener: typeof say) {
      say = listener;
    },
    onWritable() {},
    onHalfClose() {},
    onEnd() {},
    pause() {},
    resume() {},
    end() {},
    fail() {},
  } as BidiStream<SessionRequest, SessionResponse>;
  const heartbeats = createHeartbeats(clock, () => 1_000_000_000);
  const ports = { clock, calls, ids: createIds(), engine: limiters.engine, boards: boards.engine, heartbeats };
  openSessionCall({ ...ports, maxCommands: () => 100 }, { stream, isStopping: () => false, onOver: () => {} });
  say(create(SessionRequestSchema, { open: { keepOnCancel: true } }));
  let ids = 0n;
  return {
    clock,
    calls,
    limiters: limiters.asked,
    boards: boards.asked,
    tell: limiters.tell,
    ask(command: Command) {
      ids += 1n;
      say(create(SessionRequestSchema, { commands: [{ id: ids, command }] }));
    },
    /** What has been said so far, once this turn is over: the reason of each that has failed. */
    async said() {
      await new Promise(setImmediate);
      return answers.map(
        ({ id, answer }) => `${id} ${answer.case === "failed" ? reasonOf(answer.value) : answer.case}`,
      );
    },
  };
}

type Command = NonNullable<MessageInitShape<typeof SessionCommandSchema>["command"]>;

function reasonOf({ details }: { readonly details: Parameters<typeof anyUnpack>[0][] }): string | undefined {
  const found = details.map((detail) => anyUnpack(detail, ErrorInfoSchema)).find((info) => info !== undefined);
  return found?.reason;
}

const GONE = refusal("WAITER_NOT_FOUND");
const ACQUIRE: Command = { case: "acquire", value: { claims: [{ limiter: "db" }] } };
const TRY_ACQUIRE: Command = { case: "tryAcquire", value: { claims: [{ limiter: "db" }] } };
const PULL: Command = { case: "pull", value: { board: "delivery", stage: "Build" } };

test("a command that has no word of the engine in its time is answered NOT_KEPT, and takes nothing", async () => {
  const { ask, clock, calls, limiters, boards, said } = openScene();
  for (const command of [ACQUIRE, TRY_ACQUIRE, PULL]) ask(command);
  ask({ case: "release", value: { leaseId: "lease" } });
  clock.advance(BOUND - 1);
  expect(await said()).toEqual([]);
  clock.advance(LOOK + 1);
  expect(await said()).toEqual(["1 NOT_KEPT", "2 NOT_KEPT", "3 NOT_KEPT", "4 NOT_KEPT"]);
  const [acquire, tryAcquire] = limiters;
  const given = limiters.filter(({ kind }) => kind === "abandon" || kind === "leave");
  expect(given).toMatchObject([
    { kind: "abandon", id: acquire?.id },
    { kind: "leave", id: acquire?.id },
    { kind: "abandon", id: tryAcquire?.id },
    { kind: "leave", id: tryAcquire?.id },
  ]);
  expect(boards.map(({ kind }) => kind)).toEqual(["pull", "abandon-pull"]);
  expect(calls.count).toBe(0);
});

test("a late word of the engine is no second answer", async () => {
  const { ask, clock, limiters, said } = openScene();
  ask(TRY_ACQUIRE);
  ask(ACQUIRE);
  clock.advance(BOUND + LOOK);
  for (const { answer } of limiters.slice(0, 2)) answer(refusal("LIMITER_NOT_FOUND"));
  expect(await said()).toEqual(["1 NOT_KEPT", "2 NOT_KEPT"]);
});

test("each command has its own time, and one that waits in a queue has none", async () => {
  const { ask, clock, calls, limiters, said } = openScene();
  ask(ACQUIRE);
  limiters[0]?.answer({ kind: "waiting", waiterId: limiters[0].id, waitersAhead: 0, estimatedWait: undefined });
  ask(TRY_ACQUIRE);
  clock.advance(BOUND / 2);
  ask(TRY_ACQUIRE);
  clock.advance(BOUND / 2 + LOOK);
  expect(await said()).toEqual(["1 waiting", "2 NOT_KEPT"]);
  expect(calls.count).toBe(1);
  clock.advance(BOUND);
  expect(await said()).toEqual(["1 waiting", "2 NOT_KEPT", "3 NOT_KEPT"]);
});

/** A command that waits in its queue, and is cancelled. */
async function cancelWaiting() {
  const scene = openScene();
  scene.ask(ACQUIRE);
  const [acquire] = scene.limiters as [Asked];
  acquire.answer({ kind: "waiting", waiterId: acquire.id, waitersAhead: 0, estimatedWait: undefined });
  scene.ask({ case: "cancel", value: { commandId: 1n } });
  const leave = scene.limiters.at(-1) as Asked;
  expect(leave).toMatchObject({ kind: "leave", id: acquire.id });
  return { ...scene, leave, about: acquire.id as string };
}

test("a command that is cancelled while it waits is answered so once it has left its queue", async () => {
  const { leave, said } = await cancelWaiting();
  expect(await said()).not.toContain("1 undefined");
  leave.answer({ kind: "done" });
  // A cancel has no reason of its own.
  expect(await said()).toEqual(["1 waiting", "2 undefined", "1 undefined"]);
});

test("a command that is cancelled when its grant has yet to be kept is answered with that, and its client holds it", async () => {
  const { leave, tell, said, about } = await cancelWaiting();
  leave.answer(GONE);
  expect(await said()).toEqual(["1 waiting", "2 undefined"]);
  const lease = { id: about, claims: [], grantedAt: 0, ttl: 0 };
  tell({ kind: "granted", lease, held: true, resumed: false, validFor: undefined }, about);
  expect(await said()).toEqual(["1 waiting", "2 undefined", "1 granted"]);
});

test("a command that is refused before its place was said is answered with that, once", async () => {
  const { ask, limiters, tell, said, calls } = openScene();
  ask(ACQUIRE);
  const [acquire] = limiters as [Asked];
  // A refusal takes nothing, so it does not wait for the disk; the place does, behind what was decided before.
  tell(refusal("WAIT_TIMEOUT"), acquire.id as string);
  acquire.answer({ kind: "waiting", waiterId: acquire.id, waitersAhead: 0, estimatedWait: undefined });
  expect(await said()).toEqual(["1 WAIT_TIMEOUT"]);
  expect(calls.count).toBe(0);
});
