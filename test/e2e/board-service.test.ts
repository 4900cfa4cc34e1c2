/** How boards are made, changed and deleted. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { type BoardSchema, StageKind, type StageSchema } from "../../src/client/gen/ggen/backpressure/v1/board_pb.ts";
import { BoardService } from "../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { CardState } from "../../src/client/gen/ggen/backpressure/v1/card_pb.ts";
import {
  add,
  BOARD,
  boardOf,
  cardOf,
  finish,
  layoutOf,
  pull,
  pulled,
  queue,
  stagesOf,
  take,
  work,
} from "../support/board.ts";
import { Code, failureOf } from "../support/call-failure.ts";
import type { ContractClient } from "../support/contract-client.ts";
import { startTestServer } from "../support/server.ts";

const { createBoard, deleteBoard, getBoard, listBoards, updateBoard } = BoardService.method;
const { QUEUE, WORK } = StageKind;

type StageInit = string | MessageInitShape<typeof StageSchema>;

async function changeStages(client: ContractClient, ...stages: readonly StageInit[]): Promise<readonly string[]> {
  const answer = await client.call(updateBoard, {
    board: { name: BOARD, stages: stages.map((stage) => (typeof stage === "string" ? { name: stage } : stage)) },
  });
  return answer.board?.stages.map(({ name }) => name) ?? [];
}

const RELEASE = "boards: [{ name: release }]";

test("a board of which nothing is said but its name has the usual five stages, and everything else its default", async () => {
  await using server = await startTestServer("");
  const { board } = await server.grpc().call(createBoard, { board: { name: "plain" } });
  expect(board?.stages.map(({ name, kind, wipLimit, autoPull }) => [name, kind, wipLimit, autoPull])).toEqual([
    ["Backlog", QUEUE, undefined, undefined],
    ["Ready", QUEUE, 5, true],
    ["InProgress", WORK, 3, undefined],
    ["Review", WORK, 2, undefined],
    ["Done", QUEUE, undefined, true],
  ]);
  expect(board).toMatchObject({
    maxAttempts: 5,
    ttl: { seconds: 30n, nanos: 0 },
    maxCards: 100_000,
    keepCompleted: 1_000,
    maxPullers: 10_000,
    declared: false,
    etag: "1",
    createTime: board?.updateTime,
    status: { cards: 0, bottleneck: "" },
  });
  expect(board?.keepCompletedFor).toBeUndefined();
});

test("making it again with the same content is harmless, with other content it exists already", async () => {
  await using server = await startTestServer("");
  const client = server.grpc();
  const { board } = await client.call(createBoard, { board: { name: BOARD, maxAttempts: 5 } });
  await add(client, "a");
  expect((await client.call(createBoard, { board: { name: BOARD } })).board).toMatchObject({
    createTime: board?.createTime,
    status: { cards: 1 },
  });
  expect(await failureOf(client.call(createBoard, { board: { name: BOARD, maxAttempts: 6 } }))).toMatchObject({
    code: Code.AlreadyExists,
    reason: "BOARD_EXISTS",
    resourceType: "board",
    metadata: { board: BOARD },
  });
  expect(await boardOf(client)).toMatchObject({ maxAttempts: 5, etag: "1" });
});

test("a board comes without its cards unless they are asked for, and then with a thousand of them at most", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  const ids = Array.from({ length: 1_003 }, (_, i) => `c${i}`);
  await add(client, ...ids);
  await take(client, "InProgress");
  expect((await client.call(getBoard, { name: BOARD })).cards).toEqual([]);
  const { cards } = await client.call(getBoard, { name: BOARD, cards: true });
  expect(cards.map(({ id }) => id)).toEqual(ids.slice(0, 1_000));
  expect(cards.slice(0, 2).map(({ stage, lease }) => [stage, lease?.live])).toEqual([
    ["InProgress", true],
    ["Ready", undefined],
  ]);
});

test("a limit of the last stage stands only where completed cards cannot fill it for ever, and the answer says how", async () => {
  await using server = await startTestServer("");
  const client = server.grpc();
  const stages = [{ name: "In" }, { name: "Out", wipLimit: 3 }];
  const make = (name: string, about: MessageInitShape<typeof BoardSchema>) =>
    client.call(createBoard, { board: { name, stages, ...about } });
  for (const keepCompleted of [undefined, 3, 4]) {
    expect(await failureOf(make("jammed", { keepCompleted }))).toMatchObject({
      code: Code.InvalidArgument,
      reason: "INVALID_REQUEST",
      message: expect.stringMatching(
        /board\.stages\[1\]\.wip_limit.* keep_completed is (1000|3|4): .* keep_completed_for/,
      ),
    });
  }
  await make("timed", { keepCompletedFor: { seconds: 60n } });
  await make(BOARD, { keepCompleted: 2 });
  await add(client, ...Array.from({ length: 10 }, (_, index) => `${index}`));
  expect(await layoutOf(client)).toEqual({ Out: ["8", "9"] });
  // The same rule holds against what an update makes of it.
  const more = { board: { name: BOARD, keepCompleted: 3 }, updateMask: { paths: ["keep_completed"] } };
  expect(await failureOf(client.call(updateBoard, more))).toMatchObject({ code: Code.InvalidArgument });
});

test("boards are listed by name, a page at a time", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  for (const name of ["z", "b/2", "b", "a"]) await client.call(createBoard, { board: { name } });
  const pages: string[][] = [];
  let pageToken = "";
  do {
    const page = await client.call(listBoards, { pageSize: 2, pageToken });
    pages.push(page.boards.map(({ name }) => name));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  expect(pages).toEqual([["a", "b"], ["b/2", BOARD], ["z"]]);
  expect((await client.call(listBoards, {})).boards).toHaveLength(5);
});

test("an update changes what its mask names; what is named and unset goes back to its default", async () => {
  await using server = await startTestServer("");
  const client = server.grpc();
  await client.call(createBoard, {
    board: { name: BOARD, description: "d", maxAttempts: 2, keepCompletedFor: { seconds: 60n } },
  });
  const paths = ["description", "keep_completed_for", "max_pullers"];
  const changes = { name: BOARD, description: "new", maxPullers: 0, maxCards: 7 };
  const { board } = await client.call(updateBoard, { board: changes, updateMask: { paths } });
  expect(board).toMatchObject({ description: "new", maxPullers: 0, maxAttempts: 2, maxCards: 100_000, etag: "2" });
  expect(board?.keepCompletedFor).toBeUndefined();
  // Without a mask: what is set. A board that is read and sent back changes nothing by its fields for output.
  const again = await client.call(updateBoard, { board: { ...(await boardOf(client)), maxAttempts: 3 } });
  expect(again.board).toMatchObject({ description: "new", maxAttempts: 3, maxPullers: 0, stages: { length: 5 } });
});

test("an update under an etag that has passed is ABORTED, and changes nothing", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  const { etag } = await boardOf(client);
  await client.call(updateBoard, { board: { name: BOARD, etag, description: "first" } });
  const late = client.call(updateBoard, { board: { name: BOARD, etag, description: "second" } });
  expect(await failureOf(late)).toMatchObject({ code: Code.Aborted, reason: "ETAG_MISMATCH" });
  expect(await failureOf(client.call(deleteBoard, { name: BOARD, etag }))).toMatchObject({ reason: "DECLARED" });
  expect((await boardOf(client)).description).toBe("first");
});

test("stages are added, renamed and removed around cards that stay where they are", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  await add(client, "a", "b");
  const held = await work(client, "InProgress");
  const stages = await changeStages(
    client,
    { name: "Ideas", renamedFrom: "Backlog" },
    "Triage",
    { name: "Ready", kind: QUEUE, wipLimit: 5 },
    { name: "Doing", renamedFrom: "InProgress", wipLimit: 3 },
    "Done",
  );
  expect(stages).toEqual(["Ideas", "Triage", "Ready", "Doing", "Done"]);
  expect(await layoutOf(client)).toEqual({ Doing: ["a"], Ready: ["b"] });
  await finish(client, held);
  expect(await held.ending).toBeUndefined();
  expect(await cardOf(client, "a")).toMatchObject({ stage: "Done", state: CardState.COMPLETED });
});

test("a stage with cards is not removed, and not put where its cards would come further", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  await add(client, "a");
  await take(client, "InProgress");
  const before = await boardOf(client);
  for (const stages of [
    ["Backlog", "Review", "Done"],
    ["Backlog", "Done", "InProgress"],
    ["InProgress", "Review", "Done"],
    ["Backlog", "Review", "InProgress", "Done"],
    // As a queue it would let go a card that is still worked on.
    ["Backlog", { name: "InProgress", kind: QUEUE }, "Done"],
  ]) {
    expect(await failureOf(changeStages(client, ...stages))).toMatchObject({
      code: Code.FailedPrecondition,
      reason: "STAGE_NOT_EMPTY",
      metadata: { stage: "InProgress" },
    });
  }
  expect((await boardOf(client)).stages.map(({ name }) => name)).toEqual(before.stages.map(({ name }) => name));
  expect((await boardOf(client)).etag).toBe(before.etag);
  // A stage without cards may stand anywhere between the ends, and one with cards nearer to the first.
  expect(await changeStages(client, "Backlog", "InProgress", "Ready", "Review", "Done")).toHaveLength(5);
});

test("pullers in a stage that goes are refused with that, and in one that becomes the first, too", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  const gone = await queue(client, "Review");
  const first = await queue(client, "InProgress");
  await client.call(updateBoard, {
    board: { name: BOARD, stages: [{ name: "InProgress" }, { name: "Done" }] },
  });
  expect(await gone.ending).toMatchObject({ code: Code.NotFound, reason: "STAGE_NOT_FOUND", resourceType: "stage" });
  expect(await first.ending).toMatchObject({ code: Code.FailedPrecondition, reason: "FIRST_STAGE" });
});

test("a limit lowered evicts no card and admits none; raised, it admits at once for waiting pullers", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  await add(client, "a", "b", "c", "d", "e");
  const held = [await work(client, "InProgress"), await work(client, "InProgress"), await work(client, "InProgress")];
  const limit = (wipLimit: number) =>
    client.call(updateBoard, {
      board: {
        name: BOARD,
        stages: [
          { name: "Backlog" },
          { name: "Ready", kind: QUEUE, wipLimit: 5 },
          { name: "InProgress", wipLimit },
          { name: "Review", wipLimit: 2 },
          { name: "Done" },
        ],
      },
    });
  await limit(1);
  expect((await stagesOf(client)).InProgress).toMatchObject({ cards: 3, active: 3 });
  const waiting = await queue(client, "InProgress");
  for (const [index, card] of held.slice(0, 2).entries()) {
    await finish(client, card);
    await take(client, "Review");
    expect((await stagesOf(client)).InProgress).toMatchObject({ cards: 2 - index, pullers: 1 });
  }
  await limit(2);
  expect(await pulled(waiting)).toMatchObject({ cardId: "d" });
});

test("a board with open cards is deleted by force alone, and its workers and pullers are notified", async () => {
  await using server = await startTestServer("");
  const client = server.grpc();
  await client.call(createBoard, { board: { name: BOARD } });
  await add(client, "a", "b");
  const held = await work(client, "InProgress");
  const waiting = await queue(client, "Review");
  expect(await failureOf(client.call(deleteBoard, { name: BOARD }))).toMatchObject({
    code: Code.FailedPrecondition,
    reason: "BOARD_NOT_EMPTY",
  });
  expect(await failureOf(client.call(deleteBoard, { name: BOARD, etag: "9", force: true }))).toMatchObject({
    reason: "ETAG_MISMATCH",
  });
  expect(await client.call(deleteBoard, { name: BOARD, force: true })).toMatchObject({ deletedCards: 2 });
  expect(await held.ending).toMatchObject({ code: Code.Aborted, reason: "CARD_DELETED" });
  expect(await waiting.ending).toMatchObject({ code: Code.NotFound, reason: "BOARD_NOT_FOUND" });
  expect(await pull(client, "InProgress").ending).toMatchObject({ code: Code.NotFound, reason: "BOARD_NOT_FOUND" });
});

test("a board made anew under an old name has new cards, and tokens and numbers that go on rising", async () => {
  await using server = await startTestServer("");
  const client = server.grpc();
  await client.call(createBoard, { board: { name: BOARD } });
  await add(client, "a");
  const old = await take(client, "InProgress");
  const { sequence } = (await boardOf(client)).status;
  await client.call(deleteBoard, { name: BOARD, force: true });
  await client.call(createBoard, { board: { name: BOARD } });
  expect((await boardOf(client)).status.sequence).toBeGreaterThan(sequence);
  await add(client, "a");
  expect((await take(client, "InProgress")).fencingToken).toBeGreaterThan(old.fencingToken);
  expect(await failureOf(finish(client, old))).toMatchObject({ code: Code.Aborted, reason: "STALE_FENCING_TOKEN" });
});

test("completed cards hinder no deletion; a declared board is taken out of the file instead", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  await client.call(createBoard, { board: { name: "short", stages: [{ name: "In" }, { name: "Out" }] } });
  await client.call(BoardService.method.addCard, { board: "short", card: { id: "a" } });
  expect(await layoutOf(client, "short")).toEqual({ Out: ["a"] });
  expect(await client.call(deleteBoard, { name: "short" })).toMatchObject({ deletedCards: 1 });
  expect(await failureOf(client.call(deleteBoard, { name: BOARD, force: true }))).toMatchObject({
    code: Code.FailedPrecondition,
    reason: "DECLARED",
  });
});
