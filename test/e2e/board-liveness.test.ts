/** Workers that vanish, come back, or come back too late; and people, who are never in a hurry. */

import { expect, test } from "vitest";
import { BoardService } from "../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { CardState } from "../../src/client/gen/ggen/backpressure/v1/card_pb.ts";
import { Reason } from "../../src/client/gen/ggen/backpressure/v1/reason_pb.ts";
import { startTcpProxy } from "../client/support/tcp-proxy.ts";
import {
  add,
  BOARD,
  boardOf,
  type Credential,
  cardOf,
  finish,
  giveBack,
  layoutOf,
  pull,
  pulled,
  queue,
  stagesOf,
  take,
  type Work,
  work,
} from "../support/board.ts";
import { watchBoard } from "../support/board-view.ts";
import { Code, failureOf } from "../support/call-failure.ts";
import type { ContractClient } from "../support/contract-client.ts";
import { createGrpcClient } from "../support/grpc-client.ts";
import { microsOf, nowMicros } from "../support/look.ts";
import { startTestServer } from "../support/server.ts";

const { renewCards } = BoardService.method;
const { ACTIVE, BLOCKED, WAITING } = CardState;

const TTL = 1_000_000;
/** µs that a busy machine may be late. */
const LATENESS = 2_000_000;
const LONG = "boards: [{ name: release, ttl: 60s }]";
const SHORT = "boards: [{ name: release, ttl: 1s, max_attempts: 2 }]";

function resume(client: ContractClient, card: Credential): Promise<Work> {
  return work(client, { stage: "InProgress", resume: credential(card) });
}

function renew(client: ContractClient, ...cards: readonly Credential[]) {
  return client.call(renewCards, { board: BOARD, cards: cards.map(credential) });
}

/** Resolves when a watcher sees the card's ttl running. */
async function untilOrphaned(client: ContractClient, cardId: string): Promise<void> {
  const view = await watchBoard(client);
  await view.until(({ cards }) => cards.get(cardId)?.lease?.expireTime !== undefined);
}

test("a worker that cancels gives its card back: it waits in its stage, and no attempt is counted", async () => {
  await using server = await startTestServer(LONG);
  const client = server.grpc();
  await add(client, "a");
  const first = await work(client, "InProgress");
  const waiting = await queue(client, "InProgress");
  first.cancel();
  expect(await pulled(waiting)).toMatchObject({ cardId: "a", card: { attempt: 1 } });
  expect(await failureOf(finish(client, first))).toMatchObject({ code: Code.Aborted, reason: "STALE_FENCING_TOKEN" });
});

test("a worker whose connection is lost keeps its card for its ttl, and takes it up again from another", async () => {
  await using server = await startTestServer(LONG);
  const proxy = await startTcpProxy(server.address);
  await using client = createGrpcClient(proxy.address);
  const other = server.connect({ protocol: "connect", httpVersion: "2" });
  await add(other, "a");
  const lost = await work(client, "InProgress");
  const waiting = await queue(other, "InProgress");
  const orphaned = untilOrphaned(server.grpc(), "a");
  proxy.cut();
  await orphaned;
  expect((await stagesOf(other)).InProgress).toMatchObject({ cards: 1, active: 1 });

  const resumed = await resume(other, lost);
  expect(resumed).toMatchObject({ resumed: true, fencingToken: lost.fencingToken, card: { attempt: 1 } });
  expect(resumed.lease.expireTime).toBeUndefined();
  expect(waiting.kinds).not.toContain("pulled");
  await finish(other, resumed);
  expect(await resumed.ending).toBeUndefined();
});

test("a worker that does not come back loses it: it waits in its stage, and the next to pull begins attempt 2", async () => {
  await using server = await startTestServer(SHORT);
  const proxy = await startTcpProxy(server.address);
  await using client = createGrpcClient(proxy.address);
  const other = server.grpc();
  await add(other, "a");
  const lost = await work(client, "InProgress");
  await add(other, { id: "urgent", priority: 9 });
  const view = await watchBoard(other);
  const cut = nowMicros();
  proxy.cut();
  await view.until(({ cards }) => cards.get("a")?.state === WAITING);
  expect(view.cards.get("a")).toMatchObject({ stage: "InProgress", reason: "its worker has vanished" });
  expect(view.cards.get("a")?.lease).toMatchObject({ fencingToken: lost.fencingToken, live: false });

  // What was begun goes before what is new.
  const again = await work(other, "InProgress");
  expect(again).toMatchObject({ cardId: "a", resumed: false, card: { attempt: 2 } });
  expect(again.fencingToken).toBeGreaterThan(lost.fencingToken);
  expect(microsOf(again.lease.pullTime) - cut).toBeGreaterThanOrEqual(TTL);
  const late = pull(other, { stage: "InProgress", resume: credential(lost) });
  expect(await late.ending).toMatchObject({ code: Code.Aborted, reason: "STALE_FENCING_TOKEN" });
  await finish(other, again);
});

test("a waiting puller is served at the instant when the ttl has passed, and not before", async () => {
  await using server = await startTestServer(SHORT);
  const proxy = await startTcpProxy(server.address);
  await using client = createGrpcClient(proxy.address);
  await add(client, "a");
  await work(client, "InProgress");
  const waiting = await queue(server.grpc(), "InProgress");
  const cut = nowMicros();
  proxy.cut();
  const { lease } = await pulled(waiting);
  expect(microsOf(lease.pullTime) - cut).toBeGreaterThanOrEqual(TTL);
  expect(microsOf(lease.pullTime) - cut).toBeLessThan(TTL + LATENESS);
});

test("a pull may choose its ttl; with a ttl of zero the work ends with its stream, whichever way that ends", async () => {
  await using server = await startTestServer(LONG);
  const proxy = await startTcpProxy(server.address);
  await using client = createGrpcClient(proxy.address);
  const other = server.grpc();
  await add(client, "a", "b");
  const [none, some] = [
    await work(client, { stage: "InProgress", ttl: {} }),
    await work(client, { stage: "InProgress", ttl: { nanos: 100e6 } }),
  ];
  expect(none.lease).toMatchObject({ ttl: { seconds: 0n, nanos: 0 } });
  expect(none.lease.validFor).toBeUndefined();
  expect(some.lease).toMatchObject({ ttl: { nanos: 100e6 }, validFor: { nanos: 50e6 } });
  const waiting = [await queue(other, "InProgress"), await queue(other, "InProgress")];
  proxy.cut();
  const [first, second] = await Promise.all(waiting.map(pulled));
  expect([first?.cardId, second?.cardId]).toEqual(["a", "b"]);
  expect(first?.card.attempt).toBe(2);
});

test("a card on which too many attempts have failed is blocked, and counts where it stands", async () => {
  await using server = await startTestServer(SHORT);
  const proxy = await startTcpProxy(server.address);
  await using client = createGrpcClient(proxy.address);
  const other = server.grpc();
  await add(other, "a");
  await giveBack(other, await work(other, "InProgress"), { reason: "tests are red", failed: true });
  expect(await cardOf(other, "a")).toMatchObject({ state: WAITING, attempt: 1, reason: "tests are red" });
  await giveBack(other, await work(other, "InProgress"), { reason: "not mine" });
  expect(await cardOf(other, "a")).toMatchObject({ state: WAITING, attempt: 1, reason: "not mine" });
  expect(await work(client, "InProgress")).toMatchObject({ card: { attempt: 2 } });
  const view = await watchBoard(other);
  proxy.cut();
  await view.until(({ cards }) => cards.get("a")?.state === BLOCKED);
  expect(view.cards.get("a")?.reason).toBe("blocked after 2 attempts: its worker has vanished");
  expect((await stagesOf(other)).InProgress).toMatchObject({ cards: 1, blocked: 1 });
});

test("a worker that never reads is found by the keepalive, and its card goes to another", async () => {
  await using server = await startTestServer(`
liveness: { keepalive_time: 200ms, keepalive_timeout: 200ms }
${SHORT}`);
  const proxy = await startTcpProxy(server.address);
  await using client = createGrpcClient(proxy.address);
  await add(client, "a");
  const silent = await work(client, "InProgress");
  const waiting = await queue(server.grpc(), "InProgress");
  proxy.silence();
  const again = await pulled(waiting);
  expect(again).toMatchObject({ cardId: "a", card: { attempt: 2 } });
  expect(await failureOf(finish(server.grpc(), silent))).toMatchObject({ reason: "STALE_FENCING_TOKEN" });
});

test("a puller whose connection is lost blocks no other, and has its old place if it comes back in time", async () => {
  await using server = await startTestServer(LONG);
  const proxy = await startTcpProxy(server.address);
  await using client = createGrpcClient(proxy.address);
  const other = server.grpc();
  const request = { stage: "InProgress", requestId: "0123456789abcdef0123456789abcdef" };
  await queue(client, request);
  const second = await queue(other, "InProgress");
  const third = await queue(other, "InProgress");
  proxy.cut();
  await (await watchBoard(other)).until(({ board }) => board.stages[2]?.status?.pullers === 2);
  await add(other, "a");
  expect(await pulled(second)).toMatchObject({ cardId: "a" });
  const back = await queue(other, request);
  await add(other, "b", "c");
  expect(await pulled(back)).toMatchObject({ cardId: "b" });
  expect(await pulled(third)).toMatchObject({ cardId: "c" });
});

test("a person's card stays theirs for ever, and is finished by any call, from anywhere", async () => {
  await using server = await startTestServer(SHORT);
  const client = server.connect({ protocol: "connect-json", httpVersion: "1.1" });
  await add(client, "a", "b");
  const held = await take(client, { stage: "InProgress", worker: "ann" });
  expect(held.card).toMatchObject({ state: ACTIVE, lease: { worker: "ann", live: true } });
  for (const field of ["ttl", "expireTime", "validFor"] as const) expect(held.card.lease?.[field]).toBeUndefined();
  // Longer than any ttl here, by the server's own clock.
  const timer = await queue(client, { stage: "Review", maxWait: { seconds: 1n, nanos: 200e6 } });
  expect(await timer.ending).toMatchObject({ reason: "WAIT_TIMEOUT" });
  expect(await finish(server.grpc(), { cardId: "a", fencingToken: 0n }, "done on paper")).toMatchObject({
    result: "done on paper",
  });
  // It is not hers any more.
  expect(await failureOf(finish(client, { cardId: "a", fencingToken: 0n }))).toMatchObject({
    code: Code.Aborted,
    reason: "STALE_FENCING_TOKEN",
  });
});

test("work without a stream lives by RenewCards, which answers for each card by itself", async () => {
  await using server = await startTestServer(LONG);
  const client = server.grpc();
  await add(client, "a", "b");
  const mine = await take(client, { stage: "InProgress", ttl: { seconds: 1n } });
  expect(microsOf(mine.card.lease?.expireTime)).toBe(microsOf(mine.card.lease?.pullTime) + TTL);
  const over = await take(client, "InProgress");
  await finish(client, over);
  const waiting = await queue(client, "InProgress");

  const sent = nowMicros();
  const { results } = await renew(client, over, mine, { cardId: "x", fencingToken: 1n });
  expect(results).toMatchObject([
    { cardId: "b", result: { case: "refused", value: { reason: Reason.STALE_FENCING_TOKEN } } },
    { cardId: "a", result: { case: "renewed", value: { live: true, validFor: { nanos: 500e6 } } } },
    { cardId: "x", result: { case: "refused", value: { reason: Reason.CARD_NOT_FOUND } } },
  ]);
  const expiry = microsOf(results[1]?.result.case === "renewed" ? results[1].result.value.expireTime : undefined);
  expect(expiry).toBeGreaterThanOrEqual(sent + TTL);
  const { card, lease } = await pulled(waiting);
  expect(card).toMatchObject({ id: "a", attempt: 2 });
  expect(microsOf(lease.pullTime)).toBeGreaterThanOrEqual(expiry);
});

test("over HTTP/1.1, which cannot be probed, a worker lives by RenewCards, and is notified when it did not", async () => {
  await using server = await startTestServer(SHORT);
  const client = server.connect({ protocol: "connect", httpVersion: "1.1" });
  await add(client, "a");
  const held = await work(client, "InProgress");
  expect(microsOf(held.lease.expireTime)).toBe(microsOf(held.lease.pullTime) + TTL);
  const { results } = await renew(client, held);
  expect(results).toMatchObject([{ result: { case: "renewed" } }]);
  expect(await held.ending).toMatchObject({ code: Code.Aborted, reason: "LEASE_EXPIRED", metadata: { card: "a" } });
  expect(await cardOf(client, "a")).toMatchObject({ state: WAITING, attempt: 1 });
});

test("a worker that says nothing hears a sign of life all the same", async () => {
  await using server = await startTestServer(`liveness: { heartbeat: 100ms }\n${LONG}`);
  for (const client of [server.grpc(), server.connect({ protocol: "grpc-web", httpVersion: "1.1" })]) {
    const [card] = await add(client, {});
    const held = await work(client, "InProgress");
    for (let beat = 0; beat < 3; beat += 1) await held.next("heartbeat");
    await finish(client, held);
    expect(await held.ending).toBeUndefined();
    expect(card?.id).toBe(held.cardId);
  }
});

test("a resume displaces an older stream, whose end then ends nothing; under another token no resume succeeds", async () => {
  await using server = await startTestServer(LONG);
  const client = server.grpc();
  await add(client, "a");
  const older = await work(client, "InProgress");
  const wrong = pull(client, { stage: "InProgress", resume: { cardId: "a", fencingToken: older.fencingToken + 1n } });
  expect(await wrong.ending).toMatchObject({ code: Code.Aborted, reason: "STALE_FENCING_TOKEN" });
  const newer = await resume(server.grpc(), older);
  expect(await older.ending).toMatchObject({ code: Code.Aborted, reason: "LEASE_DISPLACED" });
  expect(await cardOf(client, "a")).toMatchObject({ state: ACTIVE, attempt: 1 });
  await finish(client, newer);
  expect(await layoutOf(client)).toEqual({ InProgress: ["a"] });
  expect((await boardOf(client)).status.cards).toBe(1);
});

function credential({ cardId, fencingToken }: Credential): Credential {
  return { cardId, fencingToken };
}
