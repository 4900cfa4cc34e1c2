/** Waiting for a card, and getting it. */

import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { BoardService } from "../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { CardState } from "../../src/client/gen/ggen/backpressure/v1/card_pb.ts";
import { Reason } from "../../src/client/gen/ggen/backpressure/v1/reason_pb.ts";
import {
  add,
  BOARD,
  boardOf,
  type Credential,
  cardOf,
  finish,
  giveBack,
  layoutOf,
  noneNow,
  pull,
  pulled,
  queue,
  sendBack,
  stagesOf,
  take,
  work,
} from "../support/board.ts";
import { watchBoard } from "../support/board-view.ts";
import { Code, failureOf } from "../support/call-failure.ts";
import type { ContractClient } from "../support/contract-client.ts";
import { startTestServer } from "../support/server.ts";

const { blockCard, finishCard, tryPullCard } = BoardService.method;
const { ACTIVE, COMPLETED, WAITING } = CardState;

const RELEASE = "boards: [{ name: release }]";
/** A pull commits each card that is to be worked on, and takes out each that is done. */
const BY_HAND = `
boards:
  - name: release
    stages:
      - { name: Ideas }
      - { name: Committed, kind: QUEUE, auto_pull: false, wip_limit: 2 }
      - { name: Work, wip_limit: 1 }
      - { name: Shipped, auto_pull: false }`;

function newRequestId(): string {
  return randomBytes(16).toString("hex");
}

test("a waiting puller is sent its place and what is missing, and gets the first card that comes", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  const first = pull(client, { stage: "InProgress", worker: "ann" });
  expect(await first.next("waiting")).toMatchObject({ pullersAhead: 0, missing: Reason.NO_CARD });
  const second = pull(client, "InProgress");
  expect(await second.next("waiting")).toMatchObject({ pullersAhead: 1, missing: Reason.NO_CARD });
  expect((await stagesOf(client)).InProgress).toMatchObject({ pullers: 2 });
  await add(client, "a");
  const held = await pulled(first);
  expect(held).toMatchObject({
    resumed: false,
    card: { id: "a", stage: "InProgress", state: ACTIVE, attempt: 1 },
    lease: { worker: "ann", live: true, ttl: { seconds: 30n }, validFor: { seconds: 15n } },
  });
  // The server can ask a connection of HTTP/2 whether it lives: nothing runs out.
  expect(held.lease.expireTime).toBeUndefined();
  expect(await second.next("waiting")).toMatchObject({ pullersAhead: 0, missing: Reason.NO_CARD });
});

test("a card that is there and for which there is room is pulled at once, and nothing else is said before", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  await add(client, "a");
  const held = await work(client, "InProgress");
  expect(held.kinds).toEqual(["pulled"]);
});

test("where the stage is full, what is missing is room: one place that comes free lets in exactly the first", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  await add(client, "a", "b", "c", "d", "e");
  const held = [await work(client, "InProgress"), await work(client, "InProgress"), await work(client, "InProgress")];
  const waiting = [pull(client, "InProgress"), pull(client, "InProgress"), pull(client, "InProgress")];
  for (const [index, call] of waiting.entries()) {
    expect(await call.next("waiting")).toMatchObject({ pullersAhead: index, missing: Reason.STAGE_FULL });
  }
  // A finished card keeps its place until it is pulled on.
  await finish(client, held[0] as (typeof held)[0]);
  expect((await stagesOf(client)).InProgress).toMatchObject({ cards: 3, finished: 1, pullers: 3 });
  await take(client, "Review");
  expect((await stagesOf(client)).InProgress).toMatchObject({ cards: 3, finished: 0, active: 3, pullers: 2 });
  expect(waiting.map(({ kinds }) => kinds.includes("pulled"))).toEqual([true, false, false]);
});

test("first come, first served, in each stage by itself", async () => {
  await using server = await startTestServer(
    "boards: [{ name: release, stages: [{name: In}, {name: Work}, {name: Out}] }]",
  );
  const client = server.grpc();
  const waiting = [];
  for (let i = 0; i < 8; i += 1) waiting.push(await queue(client, { stage: "Work", worker: `w${i}` }));
  waiting.splice(3, 1)[0]?.cancel();
  const ids = ["a", "b", "c", "d", "e", "f", "g"];
  await add(client, ...ids);
  const served = await Promise.all(waiting.map(pulled));
  expect(served.map(({ cardId, lease }) => [cardId, lease.worker])).toEqual(
    ["w0", "w1", "w2", "w4", "w5", "w6", "w7"].map((worker, index) => [ids[index], worker]),
  );
  const tokens = served.map(({ fencingToken }) => fencingToken);
  expect(tokens).toEqual(tokens.toSorted());
});

test("a pull that does not wait never overtakes a puller that waits", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  await queue(client, "InProgress");
  expect(await noneNow(client, "InProgress")).toBe(Reason.WAITERS_AHEAD);
  const call = pull(client, { stage: "InProgress", maxWait: {} });
  expect(await call.next("none")).toMatchObject({ reason: Reason.WAITERS_AHEAD });
  expect(await call.ending).toBeUndefined();
});

test("with no time to wait the answer is why there is none, and the stream ends well", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  const now = async () => {
    const call = pull(client, { stage: "InProgress", maxWait: {} });
    const { reason } = await call.next("none");
    expect(call.kinds).toEqual(["none"]);
    expect(await call.ending).toBeUndefined();
    return reason;
  };
  expect(await now()).toBe(Reason.NO_CARD);
  expect(await noneNow(client, "InProgress")).toBe(Reason.NO_CARD);
  await add(client, "a", "b", "c", "d");
  for (let i = 0; i < 3; i += 1) await work(client, { stage: "InProgress", maxWait: {} });
  expect(await now()).toBe(Reason.STAGE_FULL);
  expect(await noneNow(client, "InProgress")).toBe(Reason.STAGE_FULL);
});

test.each([
  ["its max_wait", { maxWait: { nanos: 200e6 } }, {}],
  // Time for the connection, too.
  ["its deadline", {}, { timeout: 1_500 }],
])("a puller that has waited for %s goes, and takes no card with it", async (_what, bound, options) => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  const call = pull(client, { stage: "InProgress", ...bound }, options);
  await call.next("waiting");
  expect(await call.ending).toMatchObject({ code: Code.DeadlineExceeded });
  await (await watchBoard(client)).until(({ board }) => board.stages[2]?.status?.pullers === 0);
  await add(client, "a");
  expect(await layoutOf(client)).toEqual({ Ready: ["a"] });
});

test("a stage has so many waiting as its board lets it, and sends others away until later", async () => {
  await using server = await startTestServer("boards: [{ name: release, max_pullers: 2 }]");
  const client = server.grpc();
  const [first] = [await queue(client, "InProgress"), await queue(client, "InProgress")];
  expect(await pull(client, "InProgress").ending).toMatchObject({
    code: Code.ResourceExhausted,
    reason: "QUEUE_FULL",
    retryDelay: 1_000,
    metadata: { board: BOARD, stage: "InProgress" },
  });
  await queue(client, "Review");
  await add(client, "a");
  await pulled(first);
  await queue(client, "InProgress");
});

test("a pull into a queue moves a card and holds nothing; the last stage completes it", async () => {
  await using server = await startTestServer(BY_HAND);
  const client = server.grpc();
  await add(client, "a", "b");
  expect(await layoutOf(client)).toEqual({ Ideas: ["a", "b"] });
  const call = pull(client, "Committed");
  expect(await call.next("pulled")).toMatchObject({ card: { id: "a", stage: "Committed", state: WAITING } });
  expect(await call.ending).toBeUndefined();
  expect((await cardOf(client, "a")).lease).toBeUndefined();

  const waiting = await queue(client, "Shipped");
  await finish(client, await take(client, "Work"));
  expect(await waiting.next("pulled")).toMatchObject({ card: { id: "a", stage: "Shipped", state: COMPLETED } });
  expect(await waiting.ending).toBeUndefined();
  expect((await boardOf(client)).status.completedCount).toBe(1n);
});

test("work that is not finished is not pulled on", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  await add(client, "a");
  const held = await work(client, "InProgress");
  expect(await noneNow(client, "Review")).toBe(Reason.NO_CARD);
  const next = await queue(client, "Review");
  const card = await finish(client, held, '{"build":7}');
  // The waiting puller has it already.
  expect(card).toMatchObject({ stage: "Review", state: ACTIVE, result: '{"build":7}', attempt: 1 });
  expect(await held.ending).toBeUndefined();
  expect(await pulled(next)).toMatchObject({ cardId: "a", card: { result: '{"build":7}' } });
});

test("a waiting puller is notified when its place comes nearer, and with each beat where it stands", async () => {
  await using server = await startTestServer(`liveness: { heartbeat: 300ms }\n${RELEASE}`);
  const client = server.grpc();
  const [first] = [await queue(client, "InProgress"), await queue(client, "InProgress")];
  const last = pull(client, "InProgress");
  expect(await last.next("waiting")).toMatchObject({ pullersAhead: 2 });
  first.cancel();
  let ahead = 2;
  while (ahead === 2) ahead = (await last.next("waiting")).pullersAhead;
  expect(ahead).toBe(1);
  for (let beat = 0; beat < 2; beat += 1) expect(await last.next("waiting")).toMatchObject({ pullersAhead: 1 });
});

test("a chosen card is taken if it can be pulled into the stage, the best one or not", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  await add(client, "a", "b", "c", "d", "e", "f", "g");
  const choose = (cardId: string, stage = "InProgress") => noneNow(client, { stage, cardId });
  expect(await take(client, { stage: "InProgress", cardId: "c" })).toMatchObject({ cardId: "c" });
  // `a` stands in Ready; `g` does not yet; `c` is not finished, and is worked on.
  expect(await choose("a", "Review")).toBe(Reason.NO_CARD);
  expect(await choose("g")).toBe(Reason.NO_CARD);
  expect(await choose("c")).toBe(Reason.NO_CARD);
  expect(await choose("c", "Review")).toBe(Reason.NO_CARD);
  await take(client, "InProgress");
  await take(client, "InProgress");
  expect(await choose("d")).toBe(Reason.STAGE_FULL);
  const unknown = client.call(tryPullCard, { board: BOARD, stage: "InProgress", cardId: "x" });
  expect(await failureOf(unknown)).toMatchObject({ code: Code.NotFound, reason: "CARD_NOT_FOUND" });
});

test("the same request again finds its place, its card, or that it is over; another under its id is refused", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  const request = { stage: "InProgress", worker: "ann", requestId: newRequestId() };
  const lost = await queue(client, request);
  const behind = await queue(client, "InProgress");
  const again = await queue(client, request);
  expect(await lost.ending).toMatchObject({ code: Code.Aborted, reason: "WAITER_DISPLACED" });
  await add(client, "a");
  const held = await pulled(again);
  expect(behind.kinds).not.toContain("pulled");

  const found = await work(client, request);
  expect(found).toMatchObject({ resumed: true, cardId: "a", fencingToken: held.fencingToken });
  expect(await held.ending).toMatchObject({ code: Code.Aborted, reason: "LEASE_DISPLACED" });
  for (const other of [{ worker: "bob" }, { stage: "Review" }]) {
    expect(await pull(client, { ...request, ...other }).ending).toMatchObject({
      code: Code.FailedPrecondition,
      reason: "REQUEST_ID_REUSED",
    });
  }
  await finish(client, found);
  expect(await pull(client, request).ending).toMatchObject({ code: Code.Aborted, reason: "LEASE_ENDED" });
});

test("the same TryPullCard again answers with the card that the first has taken, into a queue, too", async () => {
  await using server = await startTestServer(BY_HAND);
  const client = server.grpc();
  await add(client, "a", "b");
  for (const stage of ["Committed", "Work"]) {
    const request = { stage, requestId: newRequestId() };
    const first = await take(client, request);
    expect(await take(client, request)).toMatchObject({
      cardId: "a",
      fencingToken: first.fencingToken,
      resumed: true,
    });
  }
  expect(await layoutOf(client)).toEqual({ Work: ["a"], Ideas: ["b"] });
});

test.each([
  ["finish", (client: ContractClient, held: Credential) => finish(client, held)],
  ["give-back", giveBack],
  ["send-back", (client: ContractClient, held: Credential) => sendBack(client, held, "again")],
  [
    "block",
    async (client: ContractClient, held: Credential) => (await client.call(blockCard, { board: BOARD, ...held })).card,
  ],
] as const)(
  "a %s whose answer was lost is said again to no effect, by work with a stream and without",
  async (_verb, conclude) => {
    await using server = await startTestServer(RELEASE);
    const client = server.grpc();
    await add(client, "a", "b");
    const streamed = await work(client, "InProgress");
    for (const held of [streamed, await take(client, "InProgress")]) {
      const { cardId, fencingToken } = held;
      const said = await conclude(client, { cardId, fencingToken });
      const again = await conclude(client, { cardId, fencingToken });
      expect(again).toEqual({
        ...said,
        age: expect.anything(),
        stageAge: expect.anything(),
        blockedTime: again?.blockedTime,
      });
      expect(again?.etag).toBe(said?.etag);
    }
    expect(await streamed.ending).toBeUndefined();
  },
);

test("a finish that brings nothing leaves what an earlier stage has brought", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  await add(client, "a");
  await finish(client, await take(client, "InProgress"), "built");
  expect(await finish(client, await take(client, "Review"))).toMatchObject({ state: COMPLETED, result: "built" });
});

test("finishing twice is harmless; under a token that has passed nothing is changed", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  await add(client, "a");
  const first = await work(client, "InProgress");
  first.cancel();
  const second = await work(client, "InProgress");
  expect(second.fencingToken).toBeGreaterThan(first.fencingToken);
  const before = await cardOf(client, "a");
  for (const conclude of [finish, giveBack, sendBack]) {
    expect(await failureOf(conclude(client, first))).toMatchObject({
      code: Code.Aborted,
      reason: "STALE_FENCING_TOKEN",
      metadata: { board: BOARD, stage: "InProgress", card: "a" },
    });
  }
  expect((await cardOf(client, "a")).etag).toBe(before.etag);
  const { etag } = await finish(client, second, "mine");
  expect(await finish(client, second, "again")).toMatchObject({ etag, result: "mine" });
  // No token stands for a person, but not for work that belongs to a worker.
  expect(await failureOf(client.call(finishCard, { board: BOARD, cardId: "a" }))).toMatchObject({
    reason: "STALE_FENCING_TOKEN",
  });
});
