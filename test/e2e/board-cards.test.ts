/** Cards come onto a board, change their words, are blocked, and are taken off. */

import { expect, test } from "vitest";
import { BoardService } from "../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { CardState } from "../../src/client/gen/ggen/backpressure/v1/card_pb.ts";
import { Reason } from "../../src/client/gen/ggen/backpressure/v1/reason_pb.ts";
import {
  add,
  BOARD,
  boardOf,
  cardOf,
  finish,
  giveBack,
  layoutOf,
  noneNow,
  queue,
  stagesOf,
  take,
  work,
} from "../support/board.ts";
import { Code, failureOf } from "../support/call-failure.ts";
import type { ContractClient } from "../support/contract-client.ts";
import { microsOf } from "../support/look.ts";
import { startTestServer } from "../support/server.ts";

const { addCard, blockCard, deleteCard, getCard, listCards, unblockCard, updateCard } = BoardService.method;
const { ACTIVE, BLOCKED, COMPLETED, FINISHED, SENT_BACK, WAITING } = CardState;

const RELEASE = "boards: [{ name: release }]";
/** Nothing moves by itself. */
const STILL = `
boards:
  - name: release
    max_cards: 4
    stages: [{ name: Inbox, wip_limit: 3 }, { name: Work }, { name: Out, auto_pull: false }]`;

async function block(client: ContractClient, cardId: string, { reason = "", fencingToken = 0n } = {}) {
  return (await client.call(blockCard, { board: BOARD, cardId, reason, fencingToken })).card;
}

test("a card comes into the first stage, and at once as far as stages pull by themselves", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  const content = { title: "Title", description: "At length", data: '{"a":1}', priority: -3 };
  const [card] = await add(client, { id: "#1", ...content });
  expect(card).toMatchObject({
    id: "#1",
    ...content,
    stage: "Ready",
    state: WAITING,
    attempt: 0,
    reason: "",
    result: "",
  });
  expect(card?.lease).toBeUndefined();
  expect(microsOf(card?.enterTime)).toBeGreaterThanOrEqual(microsOf(card?.addTime));
  expect(await cardOf(client, "#1")).toMatchObject({ id: "#1", etag: card?.etag });
});

test("a card without an id is given one that is its own", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  const cards = await add(client, { title: "same" }, { title: "same" });
  expect(new Set(cards.map(({ id }) => id)).size).toBe(2);
  for (const { id } of cards) expect(id).toMatch(/^[A-Za-z0-9#][A-Za-z0-9._/#:-]*$/);
});

test("the same id with the same content again is harmless wherever the card stands; with other content it exists", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  const content = { id: "a", title: "Title", priority: 1 };
  await add(client, content);
  const held = await take(client, "InProgress");
  expect(await add(client, content)).toMatchObject([{ stage: "InProgress", state: ACTIVE, etag: held.card.etag }]);
  const other = client.call(addCard, { board: BOARD, card: { ...content, priority: 2 } });
  expect(await failureOf(other)).toMatchObject({
    code: Code.AlreadyExists,
    reason: "CARD_EXISTS",
    resourceType: "card",
    metadata: { board: BOARD, card: "a" },
  });
  expect(await cardOf(client, "a")).toMatchObject({ priority: 1, etag: held.card.etag });
  expect((await boardOf(client)).status).toMatchObject({ cards: 1, addedCount: 1n });
});

test("a first stage with a limit, and a board with its own, take no more than that", async () => {
  await using server = await startTestServer(STILL);
  const client = server.grpc();
  const more = () => failureOf(client.call(addCard, { board: BOARD, card: { id: "more" } }));
  await add(client, "a", "b", "c");
  expect(await more()).toMatchObject({ code: Code.ResourceExhausted, reason: "STAGE_FULL", retryDelay: 1_000 });
  await take(client, "Work");
  await add(client, "d");
  await take(client, "Work");
  expect(await more()).toMatchObject({ code: Code.ResourceExhausted, reason: "BOARD_FULL", retryDelay: 1_000 });
  await client.call(deleteCard, { board: BOARD, cardId: "a" });
  await add(client, "more");
});

test("an update changes words and priority, what its mask names or else what is set, and no stage", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  const [before] = await add(client, { id: "a", title: "Title", description: "Text", priority: 5 });
  const update = (card: object, paths: string[] = []) =>
    client.call(updateCard, { board: BOARD, card: { id: "a", ...card }, updateMask: { paths } });
  await update({ data: "{}", stage: "Done", state: COMPLETED, result: "mine" });
  expect(await cardOf(client, "a")).toMatchObject({ title: "Title", data: "{}", stage: "Ready", result: "" });
  await update({ title: "New", data: "ignored" }, ["title", "description"]);
  expect(await cardOf(client, "a")).toMatchObject({ title: "New", description: "", data: "{}", priority: 5 });
  const late = update({ title: "Late", etag: before?.etag });
  expect(await failureOf(late)).toMatchObject({ code: Code.Aborted, reason: "ETAG_MISMATCH", metadata: { card: "a" } });
  const { etag } = await cardOf(client, "a");
  await update({ title: "In time", etag });
  expect((await cardOf(client, "a")).title).toBe("In time");
});

test("the highest priority is pulled first, equals by age, and a change of priority counts at once", async () => {
  await using server = await startTestServer(STILL);
  const client = server.grpc();
  await add(client, { id: "a" }, { id: "b" }, { id: "c", priority: 1 });
  const order: string[] = [];
  const next = async () => order.push((await take(client, "Work")).cardId);
  await next();
  await client.call(updateCard, { board: BOARD, card: { id: "b", priority: 2 } });
  await add(client, { id: "d", priority: 2 });
  for (let i = 0; i < 3; i += 1) await next();
  expect(order).toEqual(["c", "b", "d", "a"]);
});

test("cards are listed from the last stage to the first, in each as they came, a page at a time", async () => {
  await using server = await startTestServer("boards: [{ name: release, max_cards: 20 }]");
  const client = server.grpc();
  await add(client, ...Array.from({ length: 12 }, (_, i) => `c${i}`));
  for (let i = 0; i < 3; i += 1) await take(client, "InProgress");
  const everything = Object.entries(await layoutOf(client)).flatMap(([, ids]) => ids);
  expect(everything).toEqual(["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9", "c10", "c11"]);
  const list = async (request: { stage?: string; states?: CardState[]; pageSize?: number }) => {
    const pages: string[][] = [];
    let pageToken = "";
    do {
      const page = await client.call(listCards, { board: BOARD, pageToken, ...request });
      pages.push(page.cards.map(({ id }) => id));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return pages;
  };
  expect(await list({ pageSize: 5 })).toEqual([everything.slice(0, 5), everything.slice(5, 10), everything.slice(10)]);
  expect(await list({ stage: "Ready", pageSize: 3 })).toEqual([
    ["c3", "c4", "c5"],
    ["c6", "c7"],
  ]);
  await finish(client, { cardId: "c1", fencingToken: 0n });
  expect(await list({ states: [FINISHED, ACTIVE], pageSize: 2 })).toEqual([["c0", "c1"], ["c2"]]);
  expect(await list({ states: [SENT_BACK] })).toEqual([[]]);
  expect(await list({ stage: "nowhere" })).toEqual([[]]);
});

test("a page goes on where the one before has ended, whatever has moved meanwhile", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  await add(client, ...Array.from({ length: 9 }, (_, i) => `c${i}`));
  const first = await client.call(listCards, { board: BOARD, pageSize: 3 });
  expect(first.cards.map(({ id }) => id)).toEqual(["c0", "c1", "c2"]);
  // The last of the page goes on to another stage, and those that have not been listed yet stay.
  await take(client, { stage: "InProgress", cardId: "c2" });
  await client.call(deleteCard, { board: BOARD, cardId: "c3" });
  const rest = await client.call(listCards, { board: BOARD, pageToken: first.nextPageToken });
  expect(rest.cards.map(({ id }) => id)).toEqual(["c4", "c5", "c6", "c7", "c8"]);
});

test("a card that is deleted is gone, its room is free at once, and its worker is notified", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  await add(client, "a", "b", "c", "d");
  const held = await work(client, "InProgress");
  await take(client, "InProgress");
  await take(client, "InProgress");
  const waiting = await queue(client, "InProgress");
  const stale = client.call(deleteCard, { board: BOARD, cardId: "a", etag: "1" });
  expect(await failureOf(stale)).toMatchObject({ code: Code.Aborted, reason: "ETAG_MISMATCH" });
  await client.call(deleteCard, { board: BOARD, cardId: "a" });
  expect(await held.ending).toMatchObject({ code: Code.Aborted, reason: "CARD_DELETED", metadata: { card: "a" } });
  expect(await waiting.next("pulled")).toMatchObject({ card: { id: "d" } });
  const gone = { code: Code.NotFound, reason: "CARD_NOT_FOUND", resourceType: "card" };
  expect(await failureOf(client.call(getCard, { board: BOARD, cardId: "a" }))).toMatchObject(gone);
  expect(await failureOf(client.call(deleteCard, { board: BOARD, cardId: "a" }))).toMatchObject(gone);
  expect(await failureOf(finish(client, held))).toMatchObject(gone);
});

test("a blocked card counts where it stands, and is not pulled until it is unblocked", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  await add(client, "a");
  const held = await work(client, "InProgress");
  expect(await block(client, "a", { reason: "no decision yet" })).toMatchObject({
    stage: "InProgress",
    state: BLOCKED,
    reason: "no decision yet",
  });
  expect(await held.ending).toMatchObject({ code: Code.Aborted, reason: "CARD_BLOCKED" });
  expect((await stagesOf(client)).InProgress).toMatchObject({ cards: 1, blocked: 1, active: 0 });
  expect((await boardOf(client)).status.blocked).toBe(1);
  expect(await noneNow(client, "InProgress")).toBe(Reason.NO_CARD);
  expect(await failureOf(finish(client, held))).toMatchObject({ code: Code.Aborted, reason: "STALE_FENCING_TOKEN" });

  const waiting = await queue(client, "InProgress");
  const { card } = await client.call(unblockCard, { board: BOARD, cardId: "a" });
  // The waiting puller has it already, as the first of a new count.
  expect(card).toMatchObject({ state: ACTIVE, reason: "", attempt: 1 });
  expect(microsOf(card?.enterTime)).toBe(microsOf(held.card.enterTime));
  expect(card?.blockedTime?.nanos).toBeGreaterThan(0);
  expect(await waiting.next("pulled")).toMatchObject({ card: { id: "a" } });
});

test("a worker blocks its own card under its token, and its stream ends as it wished", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  await add(client, "a");
  const first = await work(client, "InProgress");
  await giveBack(client, first);
  const second = await work(client, "InProgress");
  expect(await failureOf(block(client, "a", first))).toMatchObject({
    code: Code.Aborted,
    reason: "STALE_FENCING_TOKEN",
  });
  expect(await block(client, "a", second)).toMatchObject({ state: BLOCKED });
  expect(await second.ending).toBeUndefined();
});

test("a card is blocked in every state but when it is completed; one that is not blocked is not unblocked", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  await add(client, "a", "b");
  const never = { code: Code.FailedPrecondition, reason: "CARD_STATE", metadata: { card: "a" } };
  expect(await failureOf(client.call(unblockCard, { board: BOARD, cardId: "a" }))).toMatchObject(never);
  expect(await block(client, "b", { reason: "first" })).toMatchObject({ stage: "Ready", state: BLOCKED });
  expect(await block(client, "b", { reason: "second" })).toMatchObject({ reason: "second" });
  for (const stage of ["InProgress", "Review"]) await finish(client, await take(client, stage));
  expect(await cardOf(client, "a")).toMatchObject({ state: COMPLETED });
  expect(await failureOf(block(client, "a"))).toMatchObject(never);
});

test("completed cards are kept as many as the board keeps, the latest; their figures stay", async () => {
  await using server = await startTestServer(`
boards: [{ name: release, keep_completed: 2, stages: [{ name: In }, { name: Out }] }]`);
  const client = server.grpc();
  await add(client, "a", "b", "c", "d");
  expect(await layoutOf(client)).toEqual({ Out: ["c", "d"] });
  expect((await boardOf(client)).status).toMatchObject({ cards: 0, completed: 2, completedCount: 4n, addedCount: 4n });
  expect((await boardOf(client)).status.leadTime).toMatchObject({ count: 4n });
});

test("a completed card is kept as long as the board says, and is gone then for watchers, too", async () => {
  await using server = await startTestServer(`
boards: [{ name: release, keep_completed_for: 1s, stages: [{ name: In }, { name: Out }] }]`);
  const client = server.grpc();
  await add(client, "a");
  const { sequence } = (await boardOf(client)).status;
  const stream = client.open(BoardService.method.watchBoard, { name: BOARD, afterSequence: sequence });
  for (let removed: string[] = []; removed.length === 0; ) {
    const { event } = await stream.next();
    if (event.case === "changes") removed = event.value.removedCardIds;
  }
  expect(await layoutOf(client)).toEqual({});
});
