// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the file writes its placeholders like this.

import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { AdmissionService } from "../../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { BoardService } from "../../../../src/server/gen/ggen/backpressure/v1/board_service_pb.ts";
import { LimiterService } from "../../../../src/server/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import {
  type SessionCommand,
  SessionRequestSchema,
  SessionService,
} from "../../../../src/server/gen/ggen/backpressure/v1/session_service_pb.ts";
import { Health } from "../../../../src/server/gen/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../../../../src/server/gen/grpc/reflection/v1/reflection_pb.ts";
import { type AccessStage, callerOf, createStage, entryOf } from "./support/stage.ts";

const ALL = ["acquire", "observe", "operate"] as const;
const SRE = callerOf("token:sre");
const APP = callerOf("token:app");
const OPERATOR = entryOf(["token:sre"], ALL, { limiters: ["*"], boards: ["*"] });
const HOLDER = entryOf(["token:app"], ["acquire"], { limiters: ["db"], boards: ["b"] });

const claims = [{ limiter: "db" }];

async function stageWith(...access: readonly Parameters<typeof createStage>[0][]) {
  const stage = createStage(access[0] ?? [OPERATOR, HOLDER]);
  await stage.call(LimiterService.method.createLimiter, { limiter: { name: "db", maxConcurrent: 1 } }, SRE);
  await stage.call(LimiterService.method.createLimiter, { limiter: { name: "other", maxConcurrent: 9 } }, SRE);
  const stages = [{ name: "todo" }, { name: "doing" }, { name: "done" }];
  await stage.call(BoardService.method.createBoard, { board: { name: "b", stages } }, SRE);
  return stage;
}

describe("what is open to whom", () => {
  test.each([
    ["the anonymous", "anonymous", "NOT_ALLOWED"],
    ["any caller with a credential", "token:nobody", undefined],
  ])("health to everybody, reflection to %s: %s", async (_, name, reason) => {
    const stage = createStage([OPERATOR]);
    expect((await stage.hear(Health.method.check, {}, callerOf(name))).reason).toBeUndefined();
    expect((await stage.hear(Health.method.watch, {}, callerOf(name))).reason).toBeUndefined();
    expect(stage.open(ServerReflection.method.serverReflectionInfo, undefined, callerOf(name)).heard.reason).toBe(
      reason,
    );
  });
});

describe("a refusal", () => {
  test("names verb and resource, and is noted, some of very many", async () => {
    const stage = await stageWith();
    const { error } = await stage.hear(LimiterService.method.deleteLimiter, { name: "db" }, APP);
    expect(error?.details[0]?.value).toMatchObject({
      reason: "NOT_ALLOWED",
      metadata: { verb: "operate", resource: "limiter/db" },
    });
    const method = "ggen.backpressure.v1.LimiterService/DeleteLimiter";
    expect(stage.denied).toMatchObject([{ caller: "token:app", method, peer: "test:1", more: 0 }]);
    for (let i = 0; i < 100; i++) await stage.hear(LimiterService.method.deleteLimiter, { name: "db" }, APP);
    expect(stage.denied).toHaveLength(20);
    stage.clock.advance(1_000_000);
    await stage.hear(LimiterService.method.deleteLimiter, { name: "db" }, APP);
    expect(stage.denied[20]).toMatchObject({ more: 81 });
  });

  test("of claims is decided for each, with its key", async () => {
    const keyed = entryOf(["token:app"], ["acquire"], { limiters: ["tenants"], keys: ["${tenant}/*"] });
    const stage = await stageWith([OPERATOR, HOLDER, keyed]);
    await stage.call(
      LimiterService.method.createLimiter,
      { limiter: { name: "tenants", maxConcurrent: 5, keyed: true } },
      SRE,
    );
    const caller = callerOf("token:app", { tenant: "acme" });
    const ask = async (...wanted: { limiter: string; key?: string }[]) =>
      (await stage.hear(AdmissionService.method.tryAcquire, { claims: wanted }, caller)).reason;
    expect(await ask({ limiter: "tenants", key: "acme/1" })).toBeUndefined();
    expect(await ask({ limiter: "tenants", key: "other/1" })).toBe("NOT_ALLOWED");
    expect(await ask({ limiter: "db" }, { limiter: "other" })).toBe("NOT_ALLOWED");
  });
});

test("what is held is given back by a caller that may no longer acquire", async () => {
  const stage = await stageWith();
  const held = await stage.call(AdmissionService.method.tryAcquire, { claims }, APP);
  if (held.result.case !== "granted") throw new Error("no lease");
  const credential = { leaseId: held.result.value.lease?.id ?? "", secret: held.result.value.secret };
  await stage.call(BoardService.method.addCard, { board: "b", card: { id: "c" } }, SRE);
  const pull = { board: "b", stage: "doing", worker: "w", ttl: { seconds: 60n } };
  const pulled = await stage.call(BoardService.method.tryPullCard, pull, APP);
  if (pulled.result.case !== "pulled") throw new Error("no card");
  const fencingToken = pulled.result.value.card?.lease?.fencingToken ?? 0n;
  stage.setAccess([OPERATOR]);
  expect((await stage.hear(AdmissionService.method.tryAcquire, { claims }, APP)).reason).toBe("NOT_ALLOWED");
  const renewed = await stage.call(AdmissionService.method.renew, { leases: [credential] }, APP);
  expect(renewed.results[0]?.result.case).toBe("renewed");
  const resumed = stage.open(AdmissionService.method.acquire, { resume: credential }, APP);
  expect(resumed.received[0]?.event.case).toBe("granted");
  expect(await stage.call(AdmissionService.method.release, credential, APP)).toMatchObject({ alreadyEnded: false });
  const work = { board: "b", cardId: "c", fencingToken };
  const cards = [{ cardId: "c", fencingToken }];
  const kept = await stage.call(BoardService.method.renewCards, { board: "b", cards }, APP);
  expect(kept.results[0]?.result.case).toBe("renewed");
  // Of the board it hears nothing else.
  expect((await stage.hear(BoardService.method.finishCard, { ...work, cardId: "d" }, APP)).reason).toBe("NOT_ALLOWED");
  expect((await stage.hear(BoardService.method.finishCard, { ...work, board: "z" }, APP)).reason).toBe("NOT_ALLOWED");
  expect((await stage.call(BoardService.method.finishCard, work, APP)).card?.id).toBe("c");
});

describe("when another list is in force", () => {
  test("what waits or watches and is allowed no longer ends, and gives its place back; the rest goes on", async () => {
    const watcher = entryOf(["token:app"], ["observe"], { limiters: ["*"], boards: ["*"] });
    const stage = await stageWith([OPERATOR, HOLDER, watcher]);
    const open = {
      held: stage.open(AdmissionService.method.acquire, { claims }, APP),
      waits: stage.open(AdmissionService.method.acquire, { claims }, APP),
      waitsToo: stage.open(AdmissionService.method.acquire, { claims }, SRE),
      pulls: stage.open(BoardService.method.pullCard, { board: "b", stage: "doing" }, APP),
      watches: stage.open(LimiterService.method.watchLimiters, { names: ["db"] }, APP),
      watchesAll: stage.open(LimiterService.method.watchLimiters, {}, APP),
      watchesBoard: stage.open(BoardService.method.watchBoard, { name: "b" }, APP),
    };
    const ends = () => Object.entries(open).map(([name, { heard }]) => [name, heard.ended ? heard.reason : "open"]);
    await stage.calm();
    expect(ends().every(([, end]) => end === "open")).toBe(true);
    stage.setAccess([OPERATOR, watcher]);
    expect(Object.fromEntries(ends())).toEqual({
      held: "open",
      waits: "NOT_ALLOWED",
      waitsToo: "open",
      pulls: "NOT_ALLOWED",
      watches: "open",
      watchesAll: "open",
      watchesBoard: "open",
    });
    const { waiters } = await stage.call(LimiterService.method.listWaiters, { limiter: "db" }, SRE);
    expect(waiters.map(({ caller }) => caller)).toEqual(["token:sre"]);
    stage.setAccess([OPERATOR]);
    expect(Object.fromEntries(ends())).toMatchObject({
      held: "open",
      watches: "NOT_ALLOWED",
      watchesAll: "open",
      watchesBoard: "NOT_ALLOWED",
    });
  });

  test("a watch of all shows from then on what may be seen", async () => {
    const watcher = entryOf(["token:app"], ["observe"], { limiters: ["db"] });
    const stage = await stageWith([OPERATOR, watcher]);
    const watch = stage.open(LimiterService.method.watchLimiters, {}, APP);
    await stage.calm();
    const [first] = watch.received;
    expect(first?.event.case === "snapshot" && first.event.value.limiters.map(({ name }) => name)).toEqual(["db"]);
    const change = async (name: string) => {
      const limiter = { name, maxConcurrent: 3 };
      await stage.call(
        LimiterService.method.updateLimiter,
        { limiter, updateMask: { paths: ["max_concurrent"] } },
        SRE,
      );
      stage.clock.advance(500_000);
      await stage.calm();
    };
    await change("other");
    expect(watch.received).toHaveLength(1);
    await change("db");
    expect(watch.received).toHaveLength(2);
    stage.setAccess([OPERATOR]);
    await change("db");
    expect(watch.received).toHaveLength(2);
  });
});

describe("a session", () => {
  function openSession(stage: AccessStage, caller = APP) {
    const stream = stage.open(SessionService.method.session, undefined, caller);
    stream.say(create(SessionRequestSchema, { open: {} }));
    let id = 0n;
    return {
      stream,
      async ask(command: SessionCommand["command"]) {
        id += 1n;
        stream.say(create(SessionRequestSchema, { commands: [{ id, command }] }));
        await stage.calm();
        return id;
      },
      /** What was answered to a command, by the reason of its failure or the case of its answer. */
      answers: (of: bigint) =>
        stream.received.flatMap(({ answers }) =>
          answers.flatMap(({ id: own, answer }) => {
            if (own !== of) return [];
            return answer.case === "failed" ? [`failed ${answer.value.code}`] : [answer.case];
          }),
        ),
    };
  }

  const acquire = (limiter: string): SessionCommand["command"] => ({
    case: "acquire",
    value: create(AdmissionService.method.acquire.input, { claims: [{ limiter }] }),
  });
  const PERMISSION_DENIED = "failed 7";

  test("has each of its commands allowed by itself", async () => {
    const stage = await stageWith();
    const session = openSession(stage);
    expect(session.answers(await session.ask(acquire("db")))).toEqual(["granted"]);
    expect(session.answers(await session.ask(acquire("other")))).toEqual([PERMISSION_DENIED]);
    expect(session.answers(await session.ask(acquire("none")))).toEqual([PERMISSION_DENIED]);
    const pull = create(BoardService.method.tryPullCard.input, { board: "z", stage: "doing" });
    expect(session.answers(await session.ask({ case: "tryPull", value: pull }))).toEqual([PERMISSION_DENIED]);
    for (const board of ["z", "hidden"]) {
      const finish = create(BoardService.method.finishCard.input, { board, cardId: "c", fencingToken: 1n });
      expect(session.answers(await session.ask({ case: "finish", value: finish }))).toEqual([PERMISSION_DENIED]);
    }
    expect(session.stream.heard.ended).toBe(false);
  });

  test("goes on when another list is in force; what waits in it and is allowed no longer leaves its queue", async () => {
    const stage = await stageWith();
    const session = openSession(stage);
    const held = await session.ask(acquire("db"));
    const waits = await session.ask(acquire("db"));
    expect([session.answers(held), session.answers(waits)]).toEqual([["granted"], ["waiting"]]);
    stage.setAccess([OPERATOR]);
    await stage.calm();
    expect(session.answers(waits)).toEqual(["waiting", PERMISSION_DENIED]);
    const { waiters } = await stage.call(LimiterService.method.listWaiters, { limiter: "db" }, SRE);
    expect(waiters).toEqual([]);
    const { leases } = await stage.call(LimiterService.method.listLeases, {}, SRE);
    expect(leases.map(({ caller }) => caller)).toEqual(["token:app"]);
    const release = create(AdmissionService.method.release.input, { leaseId: leases[0]?.id ?? "" });
    expect(session.answers(await session.ask({ case: "release", value: release }))).toEqual(["released"]);
  });
});

test("bounds of an entry are those of its callers", async () => {
  const bounds = { maxWaiters: 1, maxLeases: 2 };
  const stage = await stageWith([OPERATOR, { ...HOLDER, bounds }]);
  const waiting = [0, 1].map(() => stage.open(AdmissionService.method.acquire, { claims }, APP));
  const refused = stage.open(AdmissionService.method.acquire, { claims }, APP);
  expect(waiting.map(({ received }) => received[0]?.event.case)).toEqual(["granted", "waiting"]);
  expect(refused.heard.reason).toBe("CALLER_QUOTA");
  expect(stage.open(AdmissionService.method.acquire, { claims }, SRE).received[0]?.event.case).toBe("waiting");
});
