/** One caller that asks without end: its bound stops it, and others find room, in calls and in sessions. */

import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { AdmissionService } from "../../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { LimiterService } from "../../../../src/server/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import {
  SessionRequestSchema,
  SessionService,
} from "../../../../src/server/gen/ggen/backpressure/v1/session_service_pb.ts";
import { type AccessStage, callerOf, createStage, entryOf } from "./support/stage.ts";

const ABUSER = callerOf("token:abuser");
const OTHER = callerOf("token:other");
const MAX_WAITERS = 1_000;
/** Of the whole server, and how often the abuser asks. */
const ROOM = 1_500;
const ASKS = 3_000;

const ALL = entryOf(["*"], ["acquire", "observe", "operate"], { limiters: ["*"], boards: ["*"] });
const { acquire } = AdmissionService.method;
const claimsOf = (limiter: string) => [{ limiter }];

async function setup(isBounded: boolean): Promise<AccessStage> {
  const bounds = { maxWaiters: MAX_WAITERS, maxLeases: 10_000 };
  const stage = createStage(isBounded ? [{ ...ALL, bounds }] : [ALL], { maxWaiters: ROOM });
  for (const name of ["db", "elsewhere"]) {
    await stage.call(LimiterService.method.createLimiter, { limiter: { name, maxConcurrent: 1 } }, OTHER);
  }
  // Somebody has the permit, so that whoever comes waits.
  stage.open(acquire, { claims: claimsOf("db") }, OTHER);
  return stage;
}

/** Asks by streams of its own. Returns how many wait, and why others do not. */
function askByCalls(stage: AccessStage) {
  const streams = Array.from({ length: ASKS }, () => stage.open(acquire, { claims: claimsOf("db") }, ABUSER));
  const reasons = streams.map(({ heard }) => heard.reason);
  return { waiting: reasons.filter((reason) => reason === undefined).length, reasons: new Set(reasons) };
}

async function askBySession(stage: AccessStage) {
  const stream = stage.open(SessionService.method.session, undefined, ABUSER);
  stream.say(create(SessionRequestSchema, { open: {} }));
  for (let from = 0; from < ASKS; from += 500) {
    const commands = Array.from({ length: 500 }, (_, i) => {
      return { id: BigInt(from + i + 1), command: { case: "acquire" as const, value: { claims: claimsOf("db") } } };
    });
    stream.say(create(SessionRequestSchema, { commands }));
    for (let turn = 0; turn < 3; turn++) await stage.calm();
  }
  const { limiter } = await stage.call(LimiterService.method.getLimiter, { name: "db" }, OTHER);
  const failed = stream.received.flatMap(({ answers }) => answers.filter(({ answer }) => answer.case === "failed"));
  return { waiting: Number(limiter?.status?.waiters), failed: failed.length };
}

const arrive = (stage: AccessStage, limiter: string) => stage.open(acquire, { claims: claimsOf(limiter) }, OTHER);

test("the 1,001st waiter of a caller is refused, and another caller waits, or is granted elsewhere at once", async () => {
  const stage = await setup(true);
  const { waiting, reasons } = askByCalls(stage);
  expect(waiting).toBe(MAX_WAITERS);
  expect(reasons).toEqual(new Set([undefined, "CALLER_QUOTA"]));
  expect(arrive(stage, "db").received[0]?.event.case).toBe("waiting");
  expect(arrive(stage, "elsewhere").received[0]?.event.case).toBe("granted");
});

test("so is the 1,001st of a session", async () => {
  const stage = await setup(true);
  expect(await askBySession(stage)).toEqual({ waiting: MAX_WAITERS, failed: ASKS - MAX_WAITERS });
  expect(arrive(stage, "db").received[0]?.event.case).toBe("waiting");
});

test("the control: without a bound one caller fills the queue for all", async () => {
  const stage = await setup(false);
  expect(askByCalls(stage).waiting).toBe(ROOM);
  expect(arrive(stage, "db").heard.reason).toBe("QUEUE_FULL");
});
