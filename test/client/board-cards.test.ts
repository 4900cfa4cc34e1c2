import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { CardState } from "../../src/client/gen/ggen/backpressure/v1/card_pb.ts";
import { createFixture, settle } from "./support/client-fixture.ts";
import { connectionLost } from "./support/fake-service.ts";

function setup() {
  const fixture = createFixture();
  return { ...fixture, board: fixture.client.board("release") };
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

describe("adding a card", () => {
  it("sends what it says, and its data as JSON where that is no text", async () => {
    const { board, service } = setup();
    void board.add({ id: "#1", title: "one", description: "all of it", data: { files: ["a"] }, priority: 5 });
    expect((await service.addCard.next()).request).toMatchObject({
      board: "release",
      card: { id: "#1", title: "one", description: "all of it", data: '{"files":["a"]}', priority: 5 },
    });
    void board.add({ data: "text" });
    expect((await service.addCard.next()).request.card).toMatchObject({ data: "text", title: "", priority: 0 });
  });

  it("takes a card as it was read elsewhere, and sends no more of it than can be chosen", async () => {
    const { board, service } = setup();
    const reading = board.get("#1");
    (await service.getCard.next()).answer({ card: { id: "#1", title: "one", state: CardState.COMPLETED, etag: "5" } });
    void board.add(await reading);
    const { card } = (await service.addCard.next()).request;
    expect(card).toMatchObject({ id: "#1", title: "one", state: CardState.UNSPECIFIED, etag: "" });
  });

  it("is done again with the same id where no answer came, so that the card is added once", async () => {
    const { board, service, clock } = setup();
    const adding = board.add({ title: "one" });
    const first = await service.addCard.next();
    expect(first.request.card?.id).toMatch(/^[a-z0-9-]{16}$/);
    first.fail(connectionLost());
    await settle();
    clock.advance(75);
    const again = await service.addCard.next();
    expect(again.request).toEqual(first.request);
    again.answer({ card: { id: again.request.card?.id, stage: "Ready" } });
    expect(await adding).toMatchObject({ stage: "Ready" });
  });
});

describe("a card that is read", () => {
  it("shows all that there is to it", async () => {
    const { board, service } = setup();
    const reading = board.get("#1");
    const call = await service.getCard.next();
    expect(call.request).toMatchObject({ board: "release", cardId: "#1" });
    call.answer({
      card: {
        id: "#1",
        title: "one",
        description: "d",
        data: "{}",
        priority: -3,
        stage: "Review",
        state: CardState.SENT_BACK,
        lease: {
          worker: "ana",
          caller: "user-1",
          fencingToken: 2n ** 63n,
          pullTime: timestampFromMs(1000),
          live: false,
        },
        attempt: 2,
        reason: "red",
        result: "r",
        addTime: timestampFromMs(1),
        enterTime: timestampFromMs(2),
        completeTime: timestampFromMs(3),
        age: durationFromMs(10_500),
        stageAge: durationFromMs(500),
        blockedTime: durationFromMs(20),
        etag: "9",
      },
    });
    expect(await reading).toEqual({
      id: "#1",
      title: "one",
      description: "d",
      data: "{}",
      priority: -3,
      stage: "Review",
      state: "sent-back",
      lease: {
        worker: "ana",
        caller: "user-1",
        fencingToken: 2n ** 63n,
        pullTime: new Date(1000),
        ttlMs: undefined,
        expireTime: undefined,
        live: false,
      },
      attempt: 2,
      reason: "red",
      result: "r",
      addTime: new Date(1),
      enterTime: new Date(2),
      completeTime: new Date(3),
      ageMs: 10_500,
      stageAgeMs: 500,
      blockedTimeMs: 20,
      etag: "9",
    });
  });

  it.each([
    [CardState.WAITING, "waiting"],
    [CardState.ACTIVE, "active"],
    [CardState.BLOCKED, "blocked"],
    [CardState.FINISHED, "finished"],
    [CardState.SENT_BACK, "sent-back"],
    [CardState.COMPLETED, "completed"],
    [99 as CardState, "blocked"],
  ])("says its state (%s) in a word", async (state, word) => {
    const { board, service } = setup();
    const reading = board.get("#1");
    (await service.getCard.next()).answer({ card: { id: "#1", state } });
    expect((await reading).state).toBe(word);
  });
});

describe("the cards of a board", () => {
  it("are read page after page, of one stage and in some states", async () => {
    const { board, service } = setup();
    const reading = collect(board.list({ stage: "Review", states: ["sent-back", "active"], pageSize: 2 }));
    const first = await service.listCards.next();
    expect(first.request).toMatchObject({
      board: "release",
      stage: "Review",
      states: [CardState.SENT_BACK, CardState.ACTIVE],
      pageSize: 2,
      pageToken: "",
    });
    first.answer({ cards: [{ id: "a" }, { id: "b" }], nextPageToken: "more" });
    const second = await service.listCards.next();
    expect(second.request).toMatchObject({ stage: "Review", pageToken: "more" });
    second.answer({ cards: [{ id: "c" }] });
    expect((await reading).map(({ id }) => id)).toEqual(["a", "b", "c"]);
  });

  it("are changed as far as is said; null empties", async () => {
    const { board, service } = setup();
    void board.update("#1", { title: "two", data: null, priority: undefined }, { etag: "9" });
    expect((await service.updateCard.next()).request).toMatchObject({
      board: "release",
      card: { id: "#1", title: "two", data: "", etag: "9" },
      updateMask: { paths: ["title", "data"] },
    });
  });

  it("cannot be changed in fields that are not to be updated", async () => {
    const { board } = setup();
    const changes = { stage: "Done" } as never;
    await expect(board.update("#1", changes)).rejects.toThrow(/^stage is nothing of a card that can be changed/);
  });

  it("are removed, blocked and unblocked", async () => {
    const { board, service } = setup();
    void board.remove("#1", { etag: "9" });
    expect((await service.deleteCard.next()).request).toMatchObject({ board: "release", cardId: "#1", etag: "9" });
    void board.block("#1", "waits for legal");
    const block = (await service.blockCard.next()).request;
    expect(block).toMatchObject({ cardId: "#1", reason: "waits for legal", fencingToken: 0n });
    void board.unblock("#1");
    expect((await service.unblockCard.next()).request).toMatchObject({ board: "release", cardId: "#1" });
  });

  it("are finished, given back and sent back by a later visit, with a token or as a person", async () => {
    const { board, service } = setup();
    void board.finish("#1", { fencingToken: 7n, result: { ok: 1 } });
    const finish = (await service.finishCard.next()).request;
    expect(finish).toMatchObject({ board: "release", cardId: "#1", fencingToken: 7n, result: '{"ok":1}' });
    void board.finish("#2");
    expect((await service.finishCard.next()).request).toMatchObject({ cardId: "#2", fencingToken: 0n, result: "" });
    void board.giveBack("#1", { fencingToken: 7n, reason: "no", failed: true });
    const giveBack = (await service.giveBackCard.next()).request;
    expect(giveBack).toMatchObject({ cardId: "#1", fencingToken: 7n, reason: "no", failed: true });
    void board.sendBack("#1", { reason: "again" });
    expect((await service.sendBackCard.next()).request).toMatchObject({ fencingToken: 0n, reason: "again" });
  });
});

describe("a board at a glance", () => {
  it("shows itself with its cards", async () => {
    const { board, service } = setup();
    const reading = board.snapshot();
    const call = await service.getBoard.next();
    expect(call.request).toMatchObject({ name: "release", cards: true });
    call.answer({ board: { name: "release" }, cards: [{ id: "a" }] });
    expect(await reading).toMatchObject({ board: { name: "release" }, cards: [{ id: "a" }] });
  });

  it("shows the flow from an instant on, or all that is kept", async () => {
    const { board, service } = setup();
    const reading = board.flow(new Date(60_000));
    const call = await service.getFlow.next();
    expect(call.request).toMatchObject({ name: "release", fromTime: { seconds: 60n } });
    call.answer({ stages: ["Backlog", "Done"], samples: [{ time: timestampFromMs(60_000), cards: [3n, 4n] }] });
    expect(await reading).toEqual({
      stages: ["Backlog", "Done"],
      samples: [{ time: new Date(60_000), cards: [3, 4] }],
    });
    void board.flow();
    expect((await service.getFlow.next()).request.fromTime).toBeUndefined();
  });

  it("ends a call that is no longer wanted", async () => {
    const { board, service } = setup();
    const controller = new AbortController();
    const reading = board.snapshot({ signal: controller.signal });
    const { signal } = await service.getBoard.next();
    controller.abort(new Error("never mind"));
    await expect(reading).rejects.toThrow("never mind");
    expect(signal.aborted).toBe(true);
  });
});
