import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it, vi } from "vitest";
import type { Card } from "../../src/client/api/card.ts";
import type { WorkHandler, WorkLoopOptions } from "../../src/client/api/work-loop.ts";
import { refusal } from "../../src/server/machine/reasons.ts";
import { draining, invalidRequest, refusalError } from "../../src/server/wire/error-wire.ts";
import { itOfStreams } from "../support/it-of-streams.ts";
import { createFixture, RENEW_AFTER, settle, VALID_FOR } from "./support/client-fixture.ts";
import { connectionLost } from "./support/fake-service.ts";
import { pulledEvent } from "./support/pulled-card.ts";

const AT = { board: "release", stage: "InProgress", card: "card-1" };
/** ms: the first delays of a loop, without jitter: three quarters of one, two and four seconds. */
const [FIRST, SECOND, THIRD] = [750, 1500, 3000];

interface Reported {
  readonly error: unknown;
  readonly card: string | undefined;
}

function start(handler: WorkHandler, options: WorkLoopOptions = {}, fraction?: number) {
  const fixture = createFixture({ retry: { maxAttempts: 1 }, ...(fraction === undefined ? {} : { fraction }) });
  const { service } = fixture;
  const reported: Reported[] = [];
  const onError = (error: unknown, card: Card | undefined) => reported.push({ error, card: card?.id });
  const loop = fixture.client.board("release").work("InProgress", handler, { onError, ...options });
  let stopped: unknown = "runs";
  loop.stopped.then(
    () => {
      stopped = "stopped";
    },
    (error: unknown) => {
      stopped = error;
    },
  );

  return {
    ...fixture,
    loop,
    reported,
    /** What has become of the loop. */
    async outcome() {
      await settle();
      return stopped;
    },
    /** Gives the pull that waits a card; its stream comes back. */
    async give(...card: Parameters<typeof pulledEvent>) {
      const stream = await service.pullCard.next();
      stream.say(pulledEvent(...card));
      await settle();
      return stream;
    },
    /** Answers the finish or give-back that is said, as the server would; the request comes back. */
    async answer(kind: "finishCard" | "giveBackCard", stream: { end(): void }) {
      const call = await service[kind].next();
      call.answer({ card: { id: call.request.cardId } });
      stream.end();
      await settle();
      return call.request;
    },
  };
}

/** Handlers that go on until the test says what comes of them. */
function puppet() {
  const begun: { card: Card; signal: AbortSignal; end(result?: unknown): void; fail(error: unknown): void }[] = [];
  const handler: WorkHandler = (card, signal) =>
    new Promise((resolve, reject) => begun.push({ card, signal, end: resolve, fail: reject }));
  return { begun, handler };
}

describe("a work loop", () => {
  it("pulls, works, finishes with what the handler returns, and pulls again", async () => {
    const { give, answer, service } = start((card) => ({ tested: card.title }), { worker: "ci-1", ttl: 5000 });
    const stream = await service.pullCard.next();
    expect(stream.request).toMatchObject({
      board: "release",
      stage: "InProgress",
      worker: "ci-1",
      ttl: { seconds: 5n },
    });
    stream.say(pulledEvent());
    expect(await answer("finishCard", stream)).toMatchObject({
      cardId: "card-1",
      fencingToken: 7n,
      result: '{"tested":"the work of card-1"}',
    });
    const second = await give("card-2");
    expect(await answer("finishCard", second)).toMatchObject({ cardId: "card-2" });
    await service.pullCard.next();
  });

  it("works on no more cards at once than it may, and has one pull waiting meanwhile", async () => {
    const { begun, handler } = puppet();
    const { give, answer, service } = start(handler, { concurrency: 2 });
    const first = await give("card-1");
    expect(service.pullCard.untaken).toHaveLength(1);
    await give("card-2");
    expect(begun.map(({ card }) => card.id)).toEqual(["card-1", "card-2"]);
    expect(service.pullCard.untaken).toHaveLength(0);
    begun[0]?.end();
    await answer("finishCard", first);
    expect(service.pullCard.untaken).toHaveLength(1);
  });

  it("says no end after the handler has said one itself", async () => {
    const { give, service } = start((_, __, work) => work.sendBack("the tests are red"));
    const stream = await give();
    const call = await service.sendBackCard.next();
    expect(call.request).toMatchObject({ cardId: "card-1", fencingToken: 7n, reason: "the tests are red" });
    call.answer({ card: { id: "card-1" } });
    stream.end();
    await service.pullCard.next();
    expect(service.finishCard.untaken).toHaveLength(0);
    expect(service.giveBackCard.untaken).toHaveLength(0);
  });

  it("moves cards into a queue, with nothing to finish", async () => {
    const moved: string[] = [];
    const { service } = start((card) => moved.push(card.id));
    const stream = await service.pullCard.next();
    stream.say({ event: { case: "pulled", value: { card: { id: "card-1", stage: "InProgress" } } } });
    stream.end();
    await service.pullCard.next();
    expect(moved).toEqual(["card-1"]);
    expect(service.finishCard.untaken).toHaveLength(0);
  });

  it.each([0, 1.5, -1, Number.NaN])("refuses at once a concurrency of %s", (concurrency) => {
    const { client } = createFixture();
    expect(() => client.board("release").work("InProgress", () => {}, { concurrency })).toThrow(RangeError);
  });
});

describe("a work loop whose handler fails", () => {
  const failing: WorkHandler = (card) => {
    throw new Error(`no way to do ${card.id}`);
  };

  it("keeps the card for a while, renewed, and then gives it back as failed with the error's words", async () => {
    const { give, answer, clock, service, reported } = start(failing, { backoff: { initialDelay: 4000 } });
    const stream = await give();
    expect(reported).toEqual([{ error: new Error("no way to do card-1"), card: "card-1" }]);
    clock.advance(RENEW_AFTER);
    const value = { validFor: durationFromMs(VALID_FOR) };
    (await service.renewCards.next()).answer({ results: [{ result: { case: "renewed", value } }] });
    await settle();
    clock.advance(3000 - RENEW_AFTER - 1);
    await settle();
    expect(service.giveBackCard.untaken).toHaveLength(0);
    clock.advance(1);
    expect(await answer("giveBackCard", stream)).toMatchObject({
      cardId: "card-1",
      fencingToken: 7n,
      failed: true,
      reason: "no way to do card-1",
    });
    await service.pullCard.next();
  });

  it.each([
    [1, FIRST],
    [2, SECOND],
    [3, THIRD],
    [7, 45_000],
    [1000, 45_000],
  ])(
    "keeps a card longer the more often it has failed, by any worker: attempt %d for %d ms",
    async (attempt, delay) => {
      const { give, clock, service } = start(failing);
      await give("card-1", { attempt }, { ttl: 0, validFor: 0 });
      clock.advance(delay - 1);
      await settle();
      expect(service.giveBackCard.untaken).toHaveLength(0);
      clock.advance(1);
      await service.giveBackCard.next();
    },
  );

  it.each([
    [0, 500],
    [0.999, 1000],
  ])("waits half to all of the delay, by chance (%d)", async (fraction, delay) => {
    const { give, clock, service } = start(failing, {}, fraction);
    await give();
    clock.advance(delay - 1);
    await settle();
    expect(service.giveBackCard.untaken).toHaveLength(0);
    clock.advance(1);
    await service.giveBackCard.next();
  });

  it("goes on with other cards meanwhile, if it may work on several", async () => {
    const handler: WorkHandler = (card, ...more) => (card.id === "poison" ? failing(card, ...more) : "done");
    const { give, answer, service } = start(handler, { concurrency: 2 });
    await give("poison");
    for (const id of ["card-1", "card-2", "card-3"]) {
      expect(await answer("finishCard", await give(id))).toMatchObject({ cardId: id });
    }
    expect(service.giveBackCard.untaken).toHaveLength(0);
  });

  it("says no more of it than a reason may have", async () => {
    const { give, answer, clock } = start(() => {
      throw new Error("ä".repeat(2000));
    });
    const stream = await give();
    clock.advance(FIRST);
    expect(await answer("giveBackCard", stream)).toMatchObject({ reason: "ä".repeat(512) });
  });

  it("counts a result that cannot be said as a failure", async () => {
    const { give, answer, clock, service, reported } = start(() => "x".repeat(70_000));
    const stream = await give();
    const description = "must be at most 65536 bytes";
    (await service.finishCard.next()).fail(invalidRequest([{ field: "result", description, reason: "max_bytes" }]));
    await settle();
    expect(reported).toMatchObject([{ error: { reason: "INVALID_REQUEST" }, card: "card-1" }]);
    clock.advance(FIRST);
    expect(await answer("giveBackCard", stream)).toMatchObject({ failed: true, reason: `result: ${description}` });
  });

  it("gives a kept card back at once when it stops", async () => {
    const { give, answer, loop, outcome } = start(failing);
    const stream = await give();
    void loop.stop();
    expect(await answer("giveBackCard", stream)).toMatchObject({ failed: true });
    expect(await outcome()).toBe("stopped");
  });

  it("says nothing of a kept card that it loses meanwhile", async () => {
    const { give, service, reported, clock } = start(failing);
    const stream = await give();
    stream.fail(refusalError(refusal("CARD_DELETED", { at: AT })));
    await settle();
    expect(reported).toMatchObject([{ card: "card-1" }, { error: { reason: "CARD_DELETED" }, card: "card-1" }]);
    clock.advance(FIRST);
    await service.pullCard.next();
    expect(service.giveBackCard.untaken).toHaveLength(0);
  });
});

describe("a work loop that loses its work", () => {
  it("aborts the handler's signal, says nothing of its result, and rests before the next pull", async () => {
    const { begun, handler } = puppet();
    const { give, service, reported, clock } = start(handler);
    const stream = await give();
    stream.fail(refusalError(refusal("CARD_BLOCKED", { at: AT })));
    await settle();
    expect(begun[0]?.signal.reason).toMatchObject({ name: "WorkLostError", reason: "CARD_BLOCKED" });
    begun[0]?.end("in vain");
    await settle();
    expect(reported).toMatchObject([{ error: { name: "WorkLostError", reason: "CARD_BLOCKED" }, card: "card-1" }]);
    expect(service.finishCard.untaken).toHaveLength(0);
    expect(service.giveBackCard.untaken).toHaveLength(0);
    expect(service.pullCard.untaken).toHaveLength(0);
    clock.advance(FIRST);
    await service.pullCard.next();
  });

  itOfStreams("goes on with its card over another connection when its own was lost", async () => {
    const { begun, handler } = puppet();
    const { give, service, reported, clock } = start(handler);
    const stream = await give();
    stream.fail(connectionLost());
    await settle();
    expect(begun[0]?.signal.aborted).toBe(false);
    clock.advance(50);
    const again = await service.pullCard.next();
    expect(again.request).toMatchObject({ resume: { cardId: "card-1" } });
    begun[0]?.end("done");
    const call = await service.finishCard.next();
    expect(call.request).toMatchObject({ cardId: "card-1", result: "done" });
    call.answer({ card: { id: "card-1" } });
    again.end();
    expect(reported).toEqual([]);
  });

  it("keeps the place until the handler has ended: there are never more at work than it may have", async () => {
    const { handler } = puppet();
    const { give, service, clock } = start(handler);
    const stream = await give();
    stream.fail(refusalError(refusal("LEASE_EXPIRED", { at: AT })));
    await settle();
    clock.advance(60_000);
    await settle();
    expect(service.pullCard.untaken).toHaveLength(0);
  });

  it("tells that a finish came too late", async () => {
    const { give, service, reported } = start(() => "done");
    await give();
    (await service.finishCard.next()).fail(refusalError(refusal("STALE_FENCING_TOKEN", { at: AT })));
    await settle();
    expect(reported).toMatchObject([{ error: { reason: "STALE_FENCING_TOKEN" }, card: "card-1" }]);
  });

  it("rests longer each time when its handler gives every card back, and not at all once one is finished", async () => {
    let isWilling = false;
    const handler: WorkHandler = (_, __, work) => (isWilling ? "done" : work.giveBack("not mine"));
    const { give, answer, service, clock } = start(handler);
    for (const delay of [FIRST, SECOND, THIRD]) {
      await answer("giveBackCard", await give());
      clock.advance(delay - 1);
      await settle();
      expect(service.pullCard.untaken).toHaveLength(0);
      clock.advance(1);
      await settle();
    }
    isWilling = true;
    await answer("finishCard", await give());
    expect(service.pullCard.untaken).toHaveLength(1);
    isWilling = false;
    await answer("giveBackCard", await give());
    clock.advance(FIRST);
    await service.pullCard.next();
  });
});

describe("a work loop that cannot pull", () => {
  it("tells, and tries again with delays that grow, for as long as it takes", async () => {
    const { give, answer, service, reported, clock } = start(() => "done");
    for (const delay of [FIRST, SECOND, THIRD]) {
      (await service.pullCard.next()).fail(connectionLost());
      await settle();
      clock.advance(delay - 1);
      await settle();
      expect(service.pullCard.untaken).toHaveLength(0);
      clock.advance(1);
      await settle();
    }
    expect(reported).toHaveLength(3);
    expect(reported[0]).toMatchObject({ error: { name: "ServerUnavailableError" }, card: undefined });
    await answer("finishCard", await give());
    (await service.pullCard.next()).fail(connectionLost());
    await settle();
    clock.advance(FIRST);
    await service.pullCard.next();
  });

  it("looks for a server that is away for long every fifteen seconds", async () => {
    const { service, reported, clock } = start(() => {});
    for (let i = 0; i < 20; i += 1) {
      (await service.pullCard.next()).fail(connectionLost());
      await settle();
      clock.advance(15_000);
    }
    expect(reported).toHaveLength(20);
  });

  it("waits at least as long as the server says", async () => {
    const { service, clock } = start(() => {});
    (await service.pullCard.next()).fail(draining(20_000_000));
    await settle();
    clock.advance(19_999);
    await settle();
    expect(service.pullCard.untaken).toHaveLength(0);
    clock.advance(1);
    await service.pullCard.next();
  });

  it.each(["BOARD_NOT_FOUND", "STAGE_NOT_FOUND", "FIRST_STAGE", "LIMITER_NOT_FOUND"] as const)(
    "ends with the error that will not pass (%s), when what runs has finished",
    async (reason) => {
      const { begun, handler } = puppet();
      const { give, answer, service, outcome } = start(handler, { concurrency: 2 });
      const stream = await give();
      (await service.pullCard.next()).fail(refusalError(refusal(reason, { at: AT })));
      expect(await outcome()).toBe("runs");
      begun[0]?.end();
      await answer("finishCard", stream);
      expect(await outcome()).toMatchObject({ name: "AdmissionError", reason });
    },
  );

  it("tries again what may have been a passing fault of the server, and not what it does not serve", async () => {
    const { service, clock, outcome } = start(() => {});
    (await service.pullCard.next()).fail(new ConnectError("oops", Code.Internal));
    await settle();
    clock.advance(FIRST);
    (await service.pullCard.next()).fail(new ConnectError("no such method", Code.Unimplemented));
    expect(await outcome()).toMatchObject({ name: "ServerError", code: "UNIMPLEMENTED" });
  });

  it("ends with an error for an option that is none", async () => {
    const { outcome } = start(() => {}, { ttl: -1 });
    expect(await outcome()).toBeInstanceOf(RangeError);
  });
});

describe("a work loop that is stopped", () => {
  it("leaves the queue, lets running handlers finish, and resolves then", async () => {
    const { begun, handler } = puppet();
    const { give, answer, service, loop, outcome, clock } = start(handler, { concurrency: 2 });
    const stream = await give();
    const waiting = await service.pullCard.next();
    void loop.stop();
    await waiting.cancelled;
    expect(begun[0]?.signal.aborted).toBe(false);
    expect(await outcome()).toBe("runs");
    begun[0]?.end("just in time");
    expect(await answer("finishCard", stream)).toMatchObject({ result: "just in time" });
    expect(await outcome()).toBe("stopped");
    expect(service.pullCard.untaken).toHaveLength(0);
    expect(clock.pending()).toBe(0);
  });

  it("aborts its handlers' signals after the grace, and gives their cards back, whatever they return", async () => {
    const handler: WorkHandler = (_, signal) =>
      new Promise((resolve) => signal.addEventListener("abort", () => resolve("half done")));
    const { give, answer, service, loop, outcome, clock, reported } = start(handler, { grace: 2000 });
    const stream = await give();
    void loop.stop();
    clock.advance(1999);
    await settle();
    expect(service.giveBackCard.untaken).toHaveLength(0);
    clock.advance(1);
    expect(await answer("giveBackCard", stream)).toMatchObject({
      cardId: "card-1",
      failed: false,
      reason: "its worker was stopped before it was done",
    });
    expect(await outcome()).toBe("stopped");
    expect(service.finishCard.untaken).toHaveLength(0);
    expect(reported).toEqual([]);
    expect(clock.pending()).toBe(0);
  });

  it("gives handlers up that do not heed their signals, a second later", async () => {
    const { handler } = puppet();
    const { give, answer, service, loop, outcome, clock } = start(handler, { grace: 0 });
    const stream = await give();
    void loop.stop();
    clock.advance(0);
    await settle();
    clock.advance(999);
    await settle();
    expect(service.giveBackCard.untaken).toHaveLength(0);
    clock.advance(1);
    await answer("giveBackCard", stream);
    expect(await outcome()).toBe("stopped");
  });

  it("can be hurried by stopping it again", async () => {
    const { begun, handler } = puppet();
    const { give, loop, clock } = start(handler);
    await give();
    void loop.stop();
    clock.advance(2000);
    expect(begun[0]?.signal.aborted).toBe(false);
    void loop.stop({ grace: 100 });
    clock.advance(100);
    expect(begun[0]?.signal.aborted).toBe(true);
  });

  it("stops when its signal aborts, and pulls nothing if it has aborted before", async () => {
    const controller = new AbortController();
    const removed = vi.spyOn(controller.signal, "removeEventListener");
    const { service, outcome } = start(() => {}, { signal: controller.signal });
    const waiting = await service.pullCard.next();
    controller.abort();
    await waiting.cancelled;
    expect(await outcome()).toBe("stopped");
    expect(removed).toHaveBeenCalled();

    const late = start(() => {}, { signal: AbortSignal.abort() });
    expect(await late.outcome()).toBe("stopped");
    expect(late.service.pullCard.untaken).toHaveLength(0);
  });

  it("stops while it waits to try again", async () => {
    const { service, loop, outcome, clock } = start(() => {});
    (await service.pullCard.next()).fail(connectionLost());
    await settle();
    void loop.stop();
    expect(await outcome()).toBe("stopped");
    expect(clock.pending()).toBe(0);
  });

  itOfStreams("hands out no card that it gives back, at whatever instant between two steps it is stopped", async () => {
    let handedOut = 0;
    const ticks = 100;
    for (let tick = 0; tick < ticks; tick += 1) {
      const begun: boolean[] = [];
      const { service, loop, outcome } = start((_, signal) => begun.push(signal.aborted));
      const stream = await service.pullCard.next();
      stream.say(pulledEvent());
      for (let i = 0; i < tick; i += 1) await Promise.resolve();
      void loop.stop();
      await settle();
      for (const call of service.finishCard.untaken) call.answer({ card: { id: "card-1" } });
      for (const call of service.giveBackCard.untaken) call.answer({ card: { id: "card-1" } });
      stream.end();
      expect(await outcome()).toBe("stopped");
      expect(begun).not.toContain(true);
      expect(service.finishCard.untaken).toHaveLength(begun.length);
      handedOut += begun.length;
    }
    // The instants before and after the card has come were both among them.
    expect(handedOut).toBeGreaterThan(0);
    expect(handedOut).toBeLessThan(ticks);
  });

  it("gives the time that it was stopped with, though its own is shorter", async () => {
    const { begun, handler } = puppet();
    const { give, loop, clock } = start(handler, { concurrency: 2, grace: 10 });
    await give();
    void loop.stop({ grace: 1000 });
    await settle();
    clock.advance(999);
    await settle();
    expect(begun[0]?.signal.aborted).toBe(false);
    clock.advance(1);
    expect(begun[0]?.signal.aborted).toBe(true);
  });

  it("stops with its client, whose cards go back", async () => {
    const handler: WorkHandler = (_, signal) => new Promise((resolve) => signal.addEventListener("abort", resolve));
    const { give, client, service, outcome, reported, clock } = start(handler, { concurrency: 2 });
    const stream = await give();
    const closing = client.close();
    (await service.giveBackCard.next()).answer({ card: { id: "card-1" } });
    stream.end();
    await closing;
    expect(await outcome()).toBe("stopped");
    expect(reported).toEqual([]);
    expect(clock.pending()).toBe(0);
  });

  it("is stopped by the end of its scope", async () => {
    const { loop, outcome } = start(() => {});
    await loop[Symbol.asyncDispose]();
    expect(await outcome()).toBe("stopped");
  });
});
