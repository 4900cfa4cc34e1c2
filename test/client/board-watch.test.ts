import { describe, expect, it } from "vitest";
import type { BoardEvent } from "../../src/client/api/board.ts";
import { refusal } from "../../src/server/machine/reasons.ts";
import { refusalError } from "../../src/server/wire/error-wire.ts";
import { createFixture, settle } from "./support/client-fixture.ts";
import { connectionLost } from "./support/fake-service.ts";

const board = { name: "release" };

function snapshot(sequence: bigint, ids: readonly string[]) {
  const cards = ids.map((id) => ({ id, stage: "Backlog" }));
  return { sequence, event: { case: "snapshot" as const, value: { board, cards } } };
}

function changes(sequence: bigint, ids: readonly string[], removedCardIds: string[] = []) {
  const cards = ids.map((id) => ({ id, stage: "Done" }));
  const value = { board, cards, removedCardIds };
  return { sequence, event: { case: "changes" as const, value } };
}

/** Watches, and hands each event out when it is asked for. */
function watch(options: Parameters<typeof createFixture>[0] = {}, signal?: AbortSignal) {
  const fixture = createFixture(options);
  const events = fixture.client.board("release").watch({ signal })[Symbol.asyncIterator]();
  const next = async (): Promise<BoardEvent> => {
    const { value, done } = await events.next();
    if (done) throw new Error("no more news");
    return value;
  };
  return { ...fixture, events, next };
}

function places({ cards }: BoardEvent): Record<string, string> {
  return Object.fromEntries([...cards].map(([id, { stage }]) => [id, stage]));
}

describe("watching a board", () => {
  it("says first what there is, then what changes, with the whole board after each", async () => {
    const { service, next } = watch();
    const first = next();
    const call = await service.watchBoard.next();
    expect(call.request).toMatchObject({ name: "release", afterSequence: 0n });
    call.say(snapshot(5n, ["a", "b"]));
    const all = await first;
    expect(all).toMatchObject({ kind: "snapshot", sequence: 5, board: { name: "release" }, removed: [] });
    expect(all.changed.map(({ id }) => id)).toEqual(["a", "b"]);
    expect(places(all)).toEqual({ a: "Backlog", b: "Backlog" });
    call.say(changes(8n, ["a", "c"], ["b"]));
    const news = await next();
    expect(news).toMatchObject({ kind: "changes", sequence: 8, removed: ["b"] });
    expect(news.changed.map(({ id }) => id)).toEqual(["a", "c"]);
    expect(places(news)).toEqual({ a: "Done", c: "Done" });
  });

  it("takes over nothing before it is asked for: a loop sees the board as of its own message", async () => {
    const { service, next } = watch();
    const first = next();
    const call = await service.watchBoard.next();
    call.say(snapshot(5n, ["a"]));
    call.say(changes(6n, ["b"]));
    const all = await first;
    await settle();
    expect(places(all)).toEqual({ a: "Backlog" });
    expect(places(await next())).toEqual({ a: "Backlog", b: "Done" });
  });

  it("goes on after the last change that it knows when the connection is lost", async () => {
    const { service, next, clock } = watch();
    const first = next();
    const call = await service.watchBoard.next();
    call.say(snapshot(5n, ["a"]));
    await first;
    call.say(changes(7n, ["b"]));
    await next();
    const third = next();
    call.fail(connectionLost());
    await settle();
    clock.advance(75);
    const again = await service.watchBoard.next();
    expect(again.request.afterSequence).toBe(7n);
    again.say(changes(9n, ["a"]));
    expect(places(await third)).toEqual({ a: "Done", b: "Done" });
  });

  it("tells news that comes in several messages once it is whole, each card as it was last heard of", async () => {
    const { service, next, clock } = watch();
    const first = next();
    const call = await service.watchBoard.next();
    const more = { ...board, status: { sequence: 9n } };
    const part = snapshot(3n, ["a", "b", "gone"]);
    call.say({ ...part, event: { ...part.event, value: { ...part.event.value, board: more } } });
    await settle();
    // Where the connection is lost in the middle, it goes on after the part that it has.
    call.fail(connectionLost());
    await settle();
    clock.advance(75);
    const again = await service.watchBoard.next();
    expect(again.request.afterSequence).toBe(3n);
    const rest = changes(9n, ["c", "a"], ["gone"]);
    again.say({ ...rest, event: { ...rest.event, value: { ...rest.event.value, board: more } } });
    const all = await first;
    expect(all).toMatchObject({ kind: "snapshot", sequence: 9, removed: ["gone"] });
    expect(all.changed.map(({ id }) => id)).toEqual(["b", "c", "a"]);
    expect(places(all)).toEqual({ a: "Done", b: "Backlog", c: "Done" });
  });

  it("replaces all that it knows by a snapshot", async () => {
    const { service, next } = watch();
    const first = next();
    const call = await service.watchBoard.next();
    call.say(snapshot(5n, ["a", "b"]));
    await first;
    call.say(snapshot(5000n, ["c"]));
    expect(places(await next())).toEqual({ c: "Backlog" });
  });

  it("takes a stream that the server ends for a lost connection", async () => {
    const { service, next, clock } = watch();
    const first = next();
    (await service.watchBoard.next()).end();
    await settle();
    expect(service.watchBoard.untaken).toHaveLength(0);
    clock.advance(75);
    (await service.watchBoard.next()).say(snapshot(1n, []));
    expect((await first).kind).toBe("snapshot");
  });

  it("gives up after so many attempts in a row where it has heard nothing", async () => {
    const { service, next, clock } = watch({ retry: { maxAttempts: 2 } });
    const failing = next().catch((error: unknown) => error);
    (await service.watchBoard.next()).fail(connectionLost());
    await settle();
    clock.advance(75);
    (await service.watchBoard.next()).fail(connectionLost());
    expect(await failing).toMatchObject({ name: "ServerUnavailableError" });
  });

  it("outlasts a restart of 25 s once it has heard something, and gives up after 30 s", async () => {
    const { service, events, next, clock } = watch({ retry: { maxAttempts: 2 } });
    const first = next();
    let call = await service.watchBoard.next();
    call.say(snapshot(1n, []));
    await first;
    for (const [outage, comesBack] of [
      [25_000, true],
      [60_000, false],
    ] as const) {
      let isOver = false;
      const second = events.next().catch((error: unknown) => error);
      void second.then(() => {
        isOver = true;
      });
      const began = clock.now().monotonic;
      call.fail(connectionLost());
      await settle();
      while (!isOver && clock.now().monotonic - began < outage) {
        while (service.watchBoard.untaken.length > 0) (await service.watchBoard.next()).fail(connectionLost());
        clock.advance(25);
        await settle();
      }
      expect(isOver).toBe(!comesBack);
      if (!comesBack) {
        expect(await second).toMatchObject({ name: "ServerUnavailableError" });
        // Give or take the greatest delay between two calls.
        expect(Math.abs(clock.now().monotonic - began - 30_000)).toBeLessThanOrEqual(3_000);
        return;
      }
      while (service.watchBoard.untaken.length === 0) {
        clock.advance(25);
        await settle();
      }
      call = await service.watchBoard.next();
      call.say(changes(2n, ["a"]));
      expect(await second).toMatchObject({ value: { kind: "changes" } });
    }
  });

  it("rejects where there is no such board", async () => {
    const { service, next } = watch();
    const first = next();
    (await service.watchBoard.next()).fail(refusalError(refusal("BOARD_NOT_FOUND", { at: { board: "release" } })));
    await expect(first).rejects.toMatchObject({ reason: "BOARD_NOT_FOUND", board: "release" });
  });

  it("ends its call when its loop is left, and gives its stream to the next", async () => {
    const { client, service, events, next, clock } = watch({ maxStreams: 1 });
    const first = next();
    const call = await service.watchBoard.next();
    call.say(snapshot(1n, []));
    await first;
    await expect(client.acquire("db")).rejects.toMatchObject({ name: "TooManyStreamsError" });
    await events.return?.();
    await call.cancelled;
    void client
      .board("release")
      .pull("InProgress")
      .catch(() => {});
    await service.pullCard.next();
    // Those of the pull: for the first word of its stream, and for the whole call.
    expect(clock.pending()).toBe(2);
  });

  it("rejects with its signal's reason, while it listens and while it waits to come back", async () => {
    const listening = new AbortController();
    const one = watch({}, listening.signal);
    const first = one.next();
    const call = await one.service.watchBoard.next();
    listening.abort(new Error("seen enough"));
    await expect(first).rejects.toThrow("seen enough");
    await call.cancelled;

    const waiting = new AbortController();
    const two = watch({}, waiting.signal);
    const second = two.next();
    (await two.service.watchBoard.next()).fail(connectionLost());
    await settle();
    waiting.abort(new Error("seen enough"));
    await expect(second).rejects.toThrow("seen enough");
    expect(two.clock.pending()).toBe(0);
  });

  it("ends with its client", async () => {
    const { client, service, next } = watch();
    const first = next();
    const call = await service.watchBoard.next();
    const failed = expect(first).rejects.toMatchObject({ name: "ClientClosedError" });
    await client.close();
    await failed;
    await call.cancelled;
  });
});
