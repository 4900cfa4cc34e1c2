/** A stage that names a limiter: a pull is granted with a card, room for it and a lease on the limiter, or not at all. */

import { expect, test } from "vitest";
import { BoardService } from "../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { CardState } from "../../src/client/gen/ggen/backpressure/v1/card_pb.ts";
import { LimiterService } from "../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { Reason } from "../../src/client/gen/ggen/backpressure/v1/reason_pb.ts";
import { startTcpProxy } from "../client/support/tcp-proxy.ts";
import { giveBack, hold, queue as queueForLease } from "../support/acquire.ts";
import {
  add,
  BOARD,
  cardOf,
  finish,
  noneNow,
  type PullCall,
  pull,
  pulled,
  queue,
  stagesOf,
  take,
  work,
} from "../support/board.ts";
import { Code, failureOf } from "../support/call-failure.ts";
import { createGrpcClient } from "../support/grpc-client.ts";
import { leasesOf, statusOf, untilStatus, waitersOf } from "../support/look.ts";
import { startTestServer } from "../support/server.ts";

const { createLimiter, deleteLimiter, revokeLease, updateLimiter } = LimiterService.method;
const { ACTIVE, FINISHED, WAITING } = CardState;

/** Three may work by the board, one by the limiter. */
const GUARDED = `
limiters: [{ name: gpu, max_concurrent: 1 }]
boards:
  - name: release
    ttl: 500ms
    stages: [{ name: In }, { name: Train, wip_limit: 3, limiter: gpu }, { name: Out }]`;

test("a worker there holds a permit under its name, and gives it back with the card", async () => {
  await using server = await startTestServer(GUARDED);
  const client = server.grpc();
  const seen = untilStatus(client, "gpu", ({ permitsInUse }) => permitsInUse === 1n);
  await add(client, "a");
  const held = await work(client, { stage: "Train", worker: "ann" });
  await seen;
  expect(await leasesOf(client, "gpu")).toMatchObject([{ holder: "ann" }]);
  const free = untilStatus(client, "gpu", ({ permitsInUse }) => permitsInUse === 0n);
  await finish(client, held);
  await free;
  expect(await leasesOf(client, "gpu")).toEqual([]);
});

test("with a card and room but no permit a pull waits, its card is kept for it, and it gets both at one instant", async () => {
  await using server = await startTestServer(GUARDED);
  const client = server.grpc();
  const other = await hold(client, "gpu");
  await add(client, "a", "b");
  const first = pull(client, { stage: "Train", worker: "ann" });
  expect(await first.next("waiting")).toMatchObject({ pullersAhead: 0 });
  const second = await queue(client, { stage: "Train", worker: "bob" });
  expect((await waitersOf(client, "gpu")).map(({ holder }) => holder)).toEqual(["ann", "bob"]);
  // Neither card has moved, and no pull takes one that is kept.
  expect((await stagesOf(client)).In).toMatchObject({ cards: 2, waiting: 2 });
  expect((await stagesOf(client)).Train).toMatchObject({ cards: 0 });
  expect(await noneNow(client, { stage: "Train", cardId: "a" })).toBe(Reason.NO_CARD);

  await giveBack(client, other);
  const held = await pulled(first);
  expect(held).toMatchObject({ cardId: "a", card: { stage: "Train", state: ACTIVE } });
  expect(second.kinds).not.toContain("pulled");
  await finish(client, held);
  expect(await pulled(second)).toMatchObject({ cardId: "b" });
});

test("a pull that waits for the limiter hears why, and hears it anew when that changes", async () => {
  await using server = await startTestServer(`
liveness: { heartbeat: 100ms }
limiters: [{ name: gpu, max_concurrent: 1 }, { name: api, max_rps: 0.001 }]
boards:
  - name: release
    stages: [{ name: In }, { name: Train, limiter: gpu }, { name: Call, limiter: api }, { name: Out }]`);
  const client = server.grpc();
  const missing = async (call: PullCall) => (await call.next("waiting")).missing;
  await add(client, "a", "b", "c");
  for (const _ of ["a", "b"]) await finish(client, await take(client, "Train"));
  await finish(client, await take(client, "Call"));
  expect(await missing(pull(client, "Call"))).toBe(Reason.RATE_EXHAUSTED);
  const other = await hold(client, "gpu");
  const first = pull(client, "Train");
  expect(await missing(first)).toBe(Reason.CONCURRENCY_EXHAUSTED);
  const paths = ["paused"];
  await client.call(updateLimiter, { limiter: { name: "gpu", paused: true }, updateMask: { paths } });
  // With a heartbeat, since its place is the same.
  while ((await missing(first)) !== Reason.PAUSED);
  await client.call(updateLimiter, { limiter: { name: "gpu", paused: false }, updateMask: { paths } });
  await giveBack(client, other);
  expect(await pulled(first)).toMatchObject({ cardId: "c" });
});

test("a pull without a card, or without room, stands in no waiter's way at the limiter", async () => {
  await using server = await startTestServer(`
limiters: [{ name: gpu, max_concurrent: 1 }]
boards:
  - name: release
    stages: [{ name: In }, { name: Train, wip_limit: 1, limiter: gpu }, { name: Check }, { name: Out }]`);
  const client = server.grpc();
  const waiting = pull(client, "Train");
  expect(await waiting.next("waiting")).toMatchObject({ missing: Reason.NO_CARD });
  await giveBack(client, await hold(client, "gpu"));
  await add(client, "a", "b");
  await finish(client, await pulled(waiting));
  const next = pull(client, "Train");
  expect(await next.next("waiting")).toMatchObject({ missing: Reason.STAGE_FULL });
  expect(await waitersOf(client, "gpu")).toEqual([]);
  await giveBack(client, await hold(client, "gpu"));
});

test("now or not at all: the answer says what is missing, and nothing is kept", async () => {
  await using server = await startTestServer(GUARDED);
  const client = server.grpc();
  const other = await hold(client, "gpu");
  expect(await noneNow(client, "Train")).toBe(Reason.NO_CARD);
  await add(client, "a");
  expect(await noneNow(client, "Train")).toBe(Reason.CONCURRENCY_EXHAUSTED);
  const call = pull(client, { stage: "Train", maxWait: {} });
  expect(await call.next("none")).toMatchObject({ reason: Reason.CONCURRENCY_EXHAUSTED });
  expect(await call.ending).toBeUndefined();
  expect(await waitersOf(client, "gpu")).toEqual([]);
  await giveBack(client, other);
  expect(await take(client, "Train")).toMatchObject({ cardId: "a", card: { state: ACTIVE } });
});

test("a pull that waits is answered none only by a limiter without waiting, and then with the reason", async () => {
  await using server = await startTestServer(`
limiters: [{ name: gpu, max_concurrent: 1, max_wait: 0s }, { name: api, max_rps: 0.001, max_wait: 0s }]
boards:
  - name: release
    stages: [{ name: In }, { name: Train, limiter: gpu }, { name: Call, limiter: api }, { name: Out }]`);
  const client = server.grpc();
  const none = async (call: PullCall) => [(await call.next("none")).reason, await call.ending];
  const other = await hold(client, "gpu");
  // Without a card it waits like any puller; with one it asks the limiter.
  const first = await queue(client, "Train");
  await add(client, "a", "b");
  expect(await none(first)).toEqual([Reason.CONCURRENCY_EXHAUSTED, undefined]);
  await client.call(updateLimiter, { limiter: { name: "gpu", paused: true } });
  expect(await none(pull(client, "Train"))).toEqual([Reason.PAUSED, undefined]);
  await client.call(updateLimiter, { limiter: { name: "gpu", paused: false }, updateMask: { paths: ["paused"] } });
  await giveBack(client, other);
  for (const id of ["a", "b"]) expect(await finish(client, await take(client, "Train"))).toMatchObject({ id });
  await finish(client, await take(client, "Call"));
  expect(await none(pull(client, "Call"))).toEqual([Reason.RATE_EXHAUSTED, undefined]);
});

test.each([
  ["no room among its waiters", "max_waiters: 0", Code.ResourceExhausted, "QUEUE_FULL"],
  ["a wait that took too long", "max_wait: 50ms", Code.DeadlineExceeded, "WAIT_TIMEOUT"],
])(
  "every other no of the limiter ends the stream of one that waits with its own status: %s",
  async (_what, setting, code, reason) => {
    await using server = await startTestServer(`
limiters: [{ name: gpu, max_concurrent: 1, ${setting} }]
boards: [{ name: release, stages: [{ name: In }, { name: Train, limiter: gpu }, { name: Out }] }]`);
    const client = server.grpc();
    await hold(client, "gpu");
    await add(client, "a");
    const call = pull(client, "Train");
    expect(await call.ending).toMatchObject({ code, reason });
    expect(call.kinds).not.toContain("none");
    expect(await cardOf(client, "a")).toMatchObject({ stage: "In", state: WAITING });
  },
);

test("a rate counts, too: each pull takes a token", async () => {
  await using server = await startTestServer(`
limiters: [{ name: api, max_rps: 0.001, burst_size: 1 }]
boards: [{ name: release, stages: [{ name: In }, { name: Call, limiter: api }, { name: Out }] }]`);
  const client = server.grpc();
  await add(client, "a", "b");
  await finish(client, await take(client, "Call"));
  expect(await noneNow(client, "Call")).toBe(Reason.RATE_EXHAUSTED);
});

test("a puller that gives up while the limiter lets it wait leaves that queue, and its card is free again", async () => {
  await using server = await startTestServer(GUARDED);
  const client = server.grpc();
  const other = await hold(client, "gpu");
  await add(client, "a");
  const late = pull(client, { stage: "Train", maxWait: { nanos: 200e6 } });
  expect(await late.ending).toMatchObject({ code: Code.DeadlineExceeded, reason: "WAIT_TIMEOUT" });
  const cancelled = await queue(client, "Train");
  cancelled.cancel();
  await untilStatus(client, "gpu", ({ waiters }) => waiters === 0n);
  const last = await queue(client, "Train");
  await giveBack(client, other);
  expect(await pulled(last)).toMatchObject({ cardId: "a" });
});

test("a lease that an operator takes back takes the card back: it waits in its stage, and no attempt is counted", async () => {
  await using server = await startTestServer(GUARDED);
  const client = server.grpc();
  await add(client, "a");
  const held = await work(client, { stage: "Train", worker: "ann" });
  const [lease] = await leasesOf(client, "gpu");
  await client.call(revokeLease, { leaseId: lease?.id ?? "", force: true });
  expect(await held.ending).toMatchObject({ code: Code.Aborted, reason: "LEASE_REVOKED", metadata: { card: "a" } });
  expect(await cardOf(client, "a")).toMatchObject({ stage: "Train", state: WAITING, attempt: 0 });
  expect(await failureOf(finish(client, held))).toMatchObject({ code: Code.Aborted, reason: "STALE_FENCING_TOKEN" });
  expect(await work(client, "Train")).toMatchObject({ cardId: "a", card: { attempt: 1 } });
});

test("a worker that is lost keeps card and permit for its ttl, and both are free at one instant", async () => {
  await using server = await startTestServer(GUARDED);
  const proxy = await startTcpProxy(server.address);
  await using client = createGrpcClient(proxy.address);
  const other = server.grpc();
  await add(other, "a");
  await work(client, "Train");
  const next = await queueForLease(other, "gpu");
  const again = await queue(other, "Train");
  proxy.cut();
  const granted = await next.next("granted");
  expect(granted.lease?.claims).toMatchObject([{ limiter: "gpu" }]);
  // The card waits for a permit now, and stands in the stage all the while.
  expect(await cardOf(other, "a")).toMatchObject({ stage: "Train", state: WAITING });
  next.cancel();
  expect(await pulled(again)).toMatchObject({ cardId: "a", card: { attempt: 2 } });
});

test("a limiter that is not there refuses the pull; one that goes by force takes its cards back", async () => {
  await using server = await startTestServer(`
boards: [{ name: release, stages: [{ name: In }, { name: Train, limiter: later }, { name: Out }] }]`);
  const client = server.grpc();
  await add(client, "a");
  const missing = { code: Code.NotFound, reason: "LIMITER_NOT_FOUND", resourceType: "limiter" };
  expect(await pull(client, "Train").ending).toMatchObject(missing);
  expect(await failureOf(client.call(BoardService.method.tryPullCard, { board: BOARD, stage: "Train" }))).toMatchObject(
    missing,
  );
  await client.call(createLimiter, { limiter: { name: "later", maxConcurrent: 1 } });
  const held = await work(client, "Train");
  await client.call(deleteLimiter, { name: "later", force: true });
  expect(await held.ending).toMatchObject({ code: Code.Aborted, reason: "LIMITER_DELETED" });
  expect(await cardOf(client, "a")).toMatchObject({ stage: "Train", state: WAITING });
});

test("a paused limiter stops the stage, and work that goes on is not touched", async () => {
  await using server = await startTestServer(GUARDED);
  const client = server.grpc();
  await add(client, "a", "b");
  const held = await work(client, "Train");
  await client.call(updateLimiter, { limiter: { name: "gpu", paused: true } });
  const waiting = await queue(client, "Train");
  expect(await finish(client, held)).toMatchObject({ stage: "Out", state: CardState.COMPLETED });
  expect(waiting.kinds).not.toContain("pulled");
  await client.call(updateLimiter, { limiter: { name: "gpu", paused: false }, updateMask: { paths: ["paused"] } });
  expect(await pulled(waiting)).toMatchObject({ cardId: "b" });
  expect((await stagesOf(client)).Train).toMatchObject({ cards: 1, active: 1, finished: 0 });
});

test("a finished card holds no permit, and counts in its stage all the same", async () => {
  await using server = await startTestServer(`
limiters: [{ name: gpu, max_concurrent: 1 }]
boards: [{ name: release, stages: [{ name: In }, { name: Train, limiter: gpu }, { name: Check, wip_limit: 1 }, { name: Out }] }]`);
  const client = server.grpc();
  await add(client, "a", "b");
  for (const id of ["a", "b"]) {
    expect(await finish(client, await take(client, "Train"))).toMatchObject({ id, state: FINISHED });
  }
  expect(await statusOf(client, "gpu")).toMatchObject({ permitsInUse: 0n });
  expect((await stagesOf(client)).Train).toMatchObject({ cards: 2, finished: 2 });
});
