/** Watching a board: all that there is, then what changes, in order, from whichever number one has. */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { BoardService, type WatchBoardResponse } from "../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { CardState } from "../../src/client/gen/ggen/backpressure/v1/card_pb.ts";
import { connectHttp2, envelope, messagesOf, openGrpcCall } from "../server/transport/support/http2-client.ts";
import { add, BOARD, boardOf, finish, queue, take, work } from "../support/board.ts";
import { type BoardView, watchBoard } from "../support/board-view.ts";
import { Code } from "../support/call-failure.ts";
import type { ContractClient, ContractStream } from "../support/contract-client.ts";
import { pathOf } from "../support/grpc-client.ts";
import { startTestServer } from "../support/server.ts";

const {
  createBoard,
  deleteBoard,
  deleteCard,
  getBoard,
  listCards,
  updateBoard,
  updateCard,
  watchBoard: watch,
} = BoardService.method;

const RELEASE = "boards: [{ name: release }]";

/** A message in short: what it is, which cards it brings, which it takes away. */
type Brief = readonly [kind: string | undefined, cards: readonly string[], removed?: readonly string[]];

function brief({ event }: WatchBoardResponse): Brief {
  const cards = event.value?.cards.map(({ id, stage }) => `${id} in ${stage}`) ?? [];
  return event.case === "changes" ? [event.case, cards, event.value.removedCardIds] : [event.case, cards];
}

/** The next message that brings or takes away a card; the board's figures may have come in between. */
async function nextNews(stream: ContractStream<WatchBoardResponse>): Promise<WatchBoardResponse> {
  for (;;) {
    const message = await stream.next();
    const [kind, cards, removed] = brief(message);
    if (kind === "snapshot" || cards.length > 0 || removed?.length) return message;
  }
}

function open(client: ContractClient, afterSequence = 0n): ContractStream<WatchBoardResponse> {
  return client.open(watch, { name: BOARD, afterSequence });
}

async function sequenceOf(client: ContractClient): Promise<bigint> {
  return (await boardOf(client)).status.sequence;
}

test("a watcher is sent all that there is, then what changes, comes and goes, over every wire", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  await add(client, "a", "b");
  for (const watcher of [client, server.connect({ protocol: "connect", httpVersion: "1.1" })]) {
    const stream = open(watcher);
    expect(brief(await stream.next())).toEqual(["snapshot", ["a in Ready", "b in Ready"]]);
    const held = await work(client, { stage: "InProgress", worker: "ann" });
    const pulled = await nextNews(stream);
    expect(brief(pulled)).toEqual(["changes", ["a in InProgress"], []]);
    expect(pulled.event.value?.cards[0]).toMatchObject({
      state: CardState.ACTIVE,
      lease: { worker: "ann", live: true },
    });
    expect(pulled.event.value?.board).toEqual(await boardAsWatched(client, pulled));
    held.cancel();
    expect(brief(await nextNews(stream))).toEqual(["changes", ["a in InProgress"], []]);
    await client.call(deleteCard, { board: BOARD, cardId: "a" });
    expect(brief(await nextNews(stream))).toEqual(["changes", [], ["a"]]);
    stream.cancel();
    await client.call(deleteCard, { board: BOARD, cardId: "b" });
    await add(client, "a", "b");
  }
});

/** The board as GetBoard has it, with the ages of the message, which pass. */
async function boardAsWatched(client: ContractClient, message: WatchBoardResponse) {
  const board = await boardOf(client);
  for (const [index, stage] of board.stages.entries()) {
    const seen = message.event.value?.board?.stages[index]?.status;
    if (stage.status && seen?.oldestAge) stage.status.oldestAge = seen.oldestAge;
  }
  expect(message.sequence).toBe(board.status.sequence);
  return board;
}

test("what happens at once is sent at once: each card as it stands after all of it", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  const stream = open(client);
  expect(brief(await stream.next())).toEqual(["snapshot", []]);
  const [added] = await Promise.all([nextNews(stream), add(client, "a")]);
  expect(brief(added)).toEqual(["changes", ["a in Ready"], []]);
});

test("a change of the board itself is sent without cards, and so is a waiting puller", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  const stream = open(client);
  await stream.next();
  await client.call(updateBoard, { board: { name: BOARD, description: "new" } });
  const changed = await stream.next();
  expect(brief(changed)).toEqual(["changes", [], []]);
  expect(changed.event.value?.board).toMatchObject({ description: "new", etag: "2" });
  await queue(client, "InProgress");
  expect((await stream.next()).event.value?.board?.stages[2]?.status?.pullers).toBe(1);
});

test("a watcher that comes back with its number is sent what it has missed, and nothing else", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  await add(client, "a", "b", "c");
  const sequence = await sequenceOf(client);
  await finish(client, await take(client, "InProgress"));
  await client.call(deleteCard, { board: BOARD, cardId: "b" });
  await add(client, "d");
  await client.call(updateCard, { board: BOARD, card: { id: "a", title: "New" } });
  const stream = open(client, sequence);
  expect(brief(await stream.next())).toEqual(["changes", ["d in Ready", "a in InProgress"], ["b"]]);
  const nothing = open(client, await sequenceOf(client));
  expect(brief(await nothing.next())).toEqual(["changes", [], []]);
});

test("a number that is too old, or of another life of the board, begins with all that there is", async () => {
  await using server = await startTestServer("");
  const client = server.grpc();
  await client.call(createBoard, {
    board: { name: BOARD, keepCompleted: 0, stages: [{ name: "In" }, { name: "Out" }] },
  });
  const first = await sequenceOf(client);
  // A thousand cards that are gone are remembered.
  for (let i = 0; i < 1_001; i += 1) await add(client, `c${i}`);
  expect(brief(await open(client, first).next())).toEqual(["snapshot", []]);
  const last = await sequenceOf(client);
  expect(brief(await open(client, last + 1n).next())).toEqual(["snapshot", []]);
  await client.call(deleteBoard, { name: BOARD });
  await client.call(createBoard, { board: { name: BOARD } });
  await add(client, "new");
  expect(brief(await open(client, last).next())).toEqual(["snapshot", ["new in Ready"]]);
});

test("one that comes back again and again ends up with what one has that stayed", async () => {
  await using server = await startTestServer(RELEASE);
  const client = server.grpc();
  const steady = await watchBoard(server.grpc());
  const restless = await watchBoard(server.grpc(), { onMessage: (view) => void queueMicrotask(view.reconnect) });
  await add(client, ...Array.from({ length: 20 }, (_, i) => `c${i}`));
  for (let i = 0; i < 20; i += 1) {
    for (const stage of ["InProgress", "Review"]) await finish(client, await take(client, stage));
    if (i % 5 === 0) await client.call(deleteCard, { board: BOARD, cardId: `c${i}` });
  }
  const sequence = await sequenceOf(client);
  for (const view of [steady, restless]) await view.until((seen) => seen.sequence >= sequence);
  expect(restless.snapshots).toBe(1);
  expect(standing(restless)).toEqual(standing(steady));
  expect(standing(steady)).toHaveLength(16);
});

function standing({ cards }: BoardView): string[] {
  return [...cards.values()].map(({ id, stage, etag }) => `${id} ${stage} ${etag}`).toSorted();
}

test("a watcher of a board that goes is answered so, and so is a watcher of one that is not there", async () => {
  await using server = await startTestServer("");
  const client = server.grpc();
  const gone = { code: Code.NotFound, reason: "BOARD_NOT_FOUND", resourceType: "board" };
  expect(await open(client).ending).toMatchObject(gone);
  await client.call(createBoard, { board: { name: BOARD } });
  const stream = open(client);
  await stream.next();
  await client.call(deleteBoard, { name: BOARD });
  expect(await stream.ending).toMatchObject(gone);
});

test("what is too much for one message comes in several, over a connection that takes no more than any library's", async () => {
  await using server = await startTestServer(
    "boards: [{ name: release, stages: [{ name: In }, { name: Work }, { name: Out }] }]",
  );
  const client = server.grpc();
  const ids = Array.from({ length: 1_500 }, (_, i) => `c${i}`);
  // 6 MB, of which the first 100 cards say the most.
  await add(client, ...ids.map((id, i) => ({ id, data: "x".repeat(i < 100 ? 60_000 : 10) })));
  const stream = open(client);
  const messages = [await stream.next()];
  while ((messages.at(-1)?.sequence ?? 0n) < (await sequenceOf(client))) messages.push(await stream.next());
  expect(messages.map(({ event }) => event.case)).toEqual(["snapshot", ...messages.slice(1).map(() => "changes")]);
  expect(messages.length).toBeGreaterThan(6);
  expect(messages.flatMap(({ event }) => event.value?.cards.map(({ id }) => id))).toEqual(ids);

  // From the number of any part one goes on as from any other, and so do lists.
  const middle = messages[3] as WatchBoardResponse;
  const rest = open(client, middle.sequence);
  expect(brief(await rest.next())).toEqual(brief(messages[4] as WatchBoardResponse));
  const { cards, nextPageToken } = await client.call(listCards, { board: BOARD, pageSize: 1_000 });
  expect(cards.length).toBeLessThan(20);
  expect((await client.call(listCards, { board: BOARD, pageToken: nextPageToken })).cards[0]?.id).toBe(
    ids[cards.length],
  );
  expect((await client.call(getBoard, { name: BOARD, cards: true })).cards).toHaveLength(cards.length);
});

test("a watcher that does not read costs a few messages, and misses nothing but what is past", async () => {
  const ids = Array.from({ length: 150 }, (_, i) => `c${i}`);
  const changes = 10;
  await using server = await startTestServer(
    "boards: [{ name: release, stages: [{ name: In }, { name: Work }, { name: Out }] }]",
  );
  const client = server.grpc();
  await add(client, ...ids.map((id) => ({ id, description: "d".repeat(2_000) })));
  const slow = openGrpcCall(connectHttp2(server.address), pathOf(watch));
  slow.end(envelope(toBinary(watch.input, create(watch.input, { name: BOARD }))));

  const fast = await watchBoard(client);
  for (let change = 1; change <= changes; change += 1) {
    await Promise.all(ids.map((id) => client.call(updateCard, { board: BOARD, card: { id, data: `${change}` } })));
    const sequence = await sequenceOf(client);
    await fast.until((view) => view.sequence >= sequence);
  }

  const latest = new Map<string, string>();
  let read = 0;
  for await (const message of messagesOf(slow)) {
    const { event } = fromBinary(watch.output, message);
    read += 1;
    for (const { id, data } of event.value?.cards ?? []) latest.set(id, data);
    if (ids.every((id) => latest.get(id) === `${changes}`)) break;
  }
  // What flow control and buffers had room for, and the newest; the other has had them all.
  expect(read).toBeLessThan(changes / 2);
  expect(fast.messages).toBeGreaterThan(changes);
});
