import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it, vi } from "vitest";
import { CardState } from "../../src/client/gen/ggen/backpressure/v1/card_pb.ts";
import { Reason } from "../../src/client/gen/ggen/backpressure/v1/reason_pb.ts";
import { refusal } from "../../src/server/machine/reasons.ts";
import { refusalError } from "../../src/server/wire/error-wire.ts";
import { itOfStreams } from "../support/it-of-streams.ts";
import { createFixture, settle, VALID_FOR } from "./support/client-fixture.ts";
import { connectionLost } from "./support/fake-service.ts";
import { pulled, pulledEvent } from "./support/pulled-card.ts";

const WAITING = {
  event: { case: "waiting" as const, value: { pullersAhead: 2, missing: Reason.NO_CARD } },
};
const AT = { board: "release", stage: "InProgress" };

function setup(options: Parameters<typeof createFixture>[0] = {}) {
  const fixture = createFixture(options);
  return { ...fixture, board: fixture.client.board("release") };
}

describe("pull", () => {
  it("sends what was asked, and leaves the rest to the server's defaults", async () => {
    const { board, service } = setup();
    const pulling = board.pull("InProgress", { worker: "me", maxWait: 2500, ttl: 100, requestId: "0123456789abcdef" });
    const call = await service.pullCard.next();
    expect(call.request).toMatchObject({
      board: "release",
      stage: "InProgress",
      worker: "me",
      maxWait: { seconds: 2n, nanos: 500_000_000 },
      ttl: { seconds: 0n, nanos: 100_000_000 },
      requestId: "0123456789abcdef",
    });
    call.say(pulledEvent());
    await pulling;

    void board.pull("Review");
    const { request } = await service.pullCard.next();
    expect(request).toMatchObject({ board: "release", stage: "Review", worker: "" });
    expect(request.maxWait).toBeUndefined();
    expect(request.ttl).toBeUndefined();
    expect(request.requestId).toHaveLength(32);
  });

  it("names the client's holder as the worker where the pull names none", async () => {
    const { board, service } = setup({ holder: "builder-3" });
    void board.pull("InProgress");
    expect((await service.pullCard.next()).request.worker).toBe("builder-3");
    void board.tryPull("InProgress");
    expect((await service.tryPullCard.next()).request.worker).toBe("builder-3");
  });

  it("shows the card, its fencing token, and that it may be relied on", async () => {
    const { board, service } = setup();
    const pulling = board.pull("InProgress");
    (await service.pullCard.next()).say(pulledEvent("card-1", { data: '{"a":1}', attempt: 2 }));
    expect(await pulling).toMatchObject({
      granted: true,
      held: true,
      board: "release",
      card: { id: "card-1", data: '{"a":1}', stage: "InProgress", state: "active", attempt: 2, lease: { live: true } },
      fencingToken: 7n,
      valid: true,
      end: undefined,
    });
  });

  it("tells its place and what is missing while it waits", async () => {
    const { board, service } = setup();
    const notices: unknown[] = [];
    const pulling = board.pull("InProgress", { onWaiting: (notice) => notices.push(notice) });
    const call = await service.pullCard.next();
    call.say(WAITING);
    call.say({ event: { case: "waiting", value: { pullersAhead: 0, missing: Reason.STAGE_FULL } } });
    call.say(pulledEvent());
    await pulling;
    expect(notices).toEqual([
      { pullersAhead: 2, missing: "NO_CARD" },
      { pullersAhead: 0, missing: "STAGE_FULL" },
    ]);
  });

  it("tells when the server is about to stop", async () => {
    const { board, service } = setup();
    const notices: unknown[] = [];
    const pulling = board.pull("InProgress", { onDraining: (notice) => notices.push(notice) });
    const call = await service.pullCard.next();
    call.say(pulledEvent());
    const work = await pulling;
    call.say({ event: { case: "draining", value: { endTime: timestampFromMs(1000) } } });
    await settle();
    expect(notices).toEqual([{ endTime: new Date(1000) }]);
    expect(work.valid).toBe(true);
  });

  it("rejects with the reason, when it may not wait and there is nothing to pull", async () => {
    const { board, service } = setup();
    const pulling = board.pull("InProgress", { maxWait: 0 });
    const value = { reason: Reason.STAGE_FULL, message: "no room", retryAfter: durationFromMs(250) };
    (await service.pullCard.next()).say({ event: { case: "none", value } });
    await expect(pulling).rejects.toMatchObject({
      name: "AdmissionError",
      message: "no room",
      reason: "STAGE_FULL",
      code: "RESOURCE_EXHAUSTED",
      board: "release",
      stage: "InProgress",
      retryAfterMs: 250,
    });
  });

  it("rejects with an error that names the board, the stage and the card that it is about", async () => {
    const { board, service } = setup();
    const pulling = board.pull("Nowhere");
    (await service.pullCard.next()).fail(refusalError(refusal("STAGE_NOT_FOUND", { at: { ...AT, stage: "Nowhere" } })));
    await expect(pulling).rejects.toMatchObject({ reason: "STAGE_NOT_FOUND", board: "release", stage: "Nowhere" });
    const reading = board.get("card-9");
    const at = { board: "release", card: "card-9" };
    (await service.getCard.next()).fail(refusalError(refusal("CARD_NOT_FOUND", { at })));
    await expect(reading).rejects.toMatchObject({ reason: "CARD_NOT_FOUND", board: "release", card: "card-9" });
  });

  it("leaves the queue when its signal aborts, and rejects with the signal's reason", async () => {
    const { board, service } = setup();
    const controller = new AbortController();
    const pulling = board.pull("InProgress", { signal: controller.signal });
    const call = await service.pullCard.next();
    call.say(WAITING);
    await settle();
    controller.abort(new Error("no longer needed"));
    await expect(pulling).rejects.toThrow("no longer needed");
    await call.cancelled;
  });

  it("leaves the queue when `onWaiting` throws, and rejects with what it threw", async () => {
    const { board, service } = setup();
    const pulling = board.pull("InProgress", {
      onWaiting: () => {
        throw new Error("a bug of the caller's");
      },
    });
    const call = await service.pullCard.next();
    call.say(WAITING);
    await expect(pulling).rejects.toThrow("a bug of the caller's");
    await call.cancelled;
  });

  it("asks again with the same request id when the connection is lost, and has waited no longer in all than maxWait", async () => {
    const { board, service, clock } = setup();
    const pulling = board.pull("InProgress", { maxWait: 1000 });
    const first = await service.pullCard.next();
    clock.advance(400);
    first.fail(connectionLost());
    await settle();
    clock.advance(75);
    const second = await service.pullCard.next();
    expect(second.request.requestId).toBe(first.request.requestId);
    expect(second.request.maxWait).toMatchObject({ seconds: 0n, nanos: 525_000_000 });
    second.say(pulledEvent());
    expect((await pulling).card.id).toBe("card-1");
  });

  it("asks anew, with a fresh request id, when the lost answer was a card that others have by now", async () => {
    const { board, service, clock } = setup();
    const pulling = board.pull("InProgress");
    const first = await service.pullCard.next();
    first.fail(connectionLost());
    await settle();
    clock.advance(75);
    (await service.pullCard.next()).fail(refusalError(refusal("LEASE_ENDED", { at: AT })));
    const third = await service.pullCard.next();
    expect(third.request.requestId).not.toBe(first.request.requestId);
    third.say(pulledEvent());
    await pulling;
  });

  it("is confirmed by a RenewCards before it is handed out, when the wait has used its validity up", async () => {
    const { board, service, clock } = setup();
    let isHandedOut = false;
    const pulling = board.pull("InProgress").then((work) => {
      isHandedOut = true;
      return work;
    });
    const call = await service.pullCard.next();
    call.say(WAITING);
    await settle();
    clock.advance(60_000);
    call.say(pulledEvent());
    const renew = await service.renewCards.next();
    expect(renew.request).toMatchObject({ board: "release", cards: [{ cardId: "card-1", fencingToken: 7n }] });
    await settle();
    expect(isHandedOut).toBe(false);
    clock.advance(200);
    renew.answer({ results: [{ result: { case: "renewed", value: { validFor: durationFromMs(VALID_FOR) } } }] });
    const work = await pulling;
    clock.advance(VALID_FOR - 201);
    expect(work.valid).toBe(true);
    clock.advance(1);
    expect(work.valid).toBe(false);
  });

  itOfStreams("rejects when the card turns out to be gone while it is being confirmed", async () => {
    const { board, service, clock } = setup();
    const pulling = board.pull("InProgress");
    const call = await service.pullCard.next();
    call.say(WAITING);
    await settle();
    clock.advance(60_000);
    call.say(pulledEvent());
    const refused = { case: "refused" as const, value: { reason: Reason.STALE_FENCING_TOKEN } };
    (await service.renewCards.next()).answer({ results: [{ result: refused }] });
    await expect(pulling).rejects.toMatchObject({ reason: "STALE_FENCING_TOKEN", card: "card-1" });
    await call.cancelled;
  });

  itOfStreams("withdraws its request when it is taken back while its card is being confirmed", async () => {
    const { board, service, clock } = setup();
    const controller = new AbortController();
    const pulling = board.pull("InProgress", { signal: controller.signal });
    const call = await service.pullCard.next();
    call.say(WAITING);
    await settle();
    clock.advance(60_000);
    call.say(pulledEvent());
    await service.renewCards.next();
    controller.abort(new Error("changed my mind"));
    await expect(pulling).rejects.toThrow("changed my mind");
    await call.cancelled;
    expect(service.withdrawn).toEqual([call.request.requestId]);
    expect(service.giveBackCard.untaken).toHaveLength(0);
  });

  it("leaves no timer behind, and no listener on a signal that lives longer", async () => {
    const { board, service, clock } = setup();
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, "addEventListener");
    const removed = vi.spyOn(signal, "removeEventListener");

    const refused = board.pull("InProgress", { signal });
    (await service.pullCard.next()).fail(refusalError(refusal("BOARD_NOT_FOUND", { at: AT })));
    await expect(refused).rejects.toMatchObject({ reason: "BOARD_NOT_FOUND" });
    const pulling = board.pull("InProgress", { signal });
    const call = await service.pullCard.next();
    call.say(pulledEvent());
    const work = await pulling;
    const finishing = work.finish();
    (await service.finishCard.next()).answer({ card: { id: "card-1" } });
    call.end();
    await finishing;
    await settle();

    expect(clock.pending()).toBe(0);
    const listeners = (spy: typeof added | typeof removed) => new Set(spy.mock.calls.map(([, listener]) => listener));
    expect(added).toHaveBeenCalled();
    expect(listeners(removed)).toEqual(listeners(added));
  });

  it.each([
    ["maxWait", { maxWait: -1 }],
    ["ttl", { ttl: Number.NaN }],
  ])("refuses at once a %s that is none", async (name, options) => {
    const { board } = setup();
    await expect(board.pull("InProgress", options)).rejects.toThrow(new RegExp(`^${name} must be`));
  });
});

describe("a pull into a queue", () => {
  const moved = {
    event: { case: "pulled" as const, value: { card: { id: "card-1", stage: "Ready", state: CardState.WAITING } } },
  };

  it("only moves its card: nothing is held, and nothing can be ended", async () => {
    const { board, service, clock } = setup();
    const pulling = board.pull("Ready");
    const call = await service.pullCard.next();
    call.say(moved);
    call.end();
    const work = await pulling;
    expect(work).toMatchObject({
      granted: true,
      held: false,
      valid: false,
      fencingToken: 0n,
      card: { stage: "Ready" },
    });
    expect(work.signal.aborted).toBe(false);
    await expect(work.finish()).rejects.toMatchObject({ reason: "STALE_FENCING_TOKEN", card: "card-1" });
    await work[Symbol.asyncDispose]();
    await settle();
    expect(service.finishCard.untaken).toHaveLength(0);
    expect(service.giveBackCard.untaken).toHaveLength(0);
    expect(clock.pending()).toBe(0);
  });

  it("does not take another's work for its own, when a retry finds the card in the next stage", async () => {
    const { board, service, clock } = setup();
    const pulling = board.pull("Ready");
    (await service.pullCard.next()).fail(connectionLost());
    await settle();
    clock.advance(75);
    (await service.pullCard.next()).say(pulledEvent("card-1", { stage: "InProgress" }));
    expect(await pulling).toMatchObject({ held: false, fencingToken: 0n });
  });
});

describe("tryPull", () => {
  it("takes a card for a person: it has no stream and no ttl, and is not renewed", async () => {
    const { board, service, clock } = setup();
    const trying = board.tryPull("InProgress", { worker: "ana", cardId: "card-7" });
    const call = await service.tryPullCard.next();
    expect(call.request).toMatchObject({ ...AT, worker: "ana", cardId: "card-7" });
    expect(call.request.ttl).toBeUndefined();
    call.answer({ result: { case: "pulled", value: pulled("card-7", {}, { ttl: undefined, validFor: 0 }) } });
    const work = await trying;
    if (!work.granted) throw new Error(work.message);
    expect(work.card.lease?.ttlMs).toBeUndefined();
    clock.advance(365 * 86_400_000);
    expect(work.valid).toBe(true);
    expect(clock.pending()).toBe(0);
    expect(service.renewCards.untaken).toHaveLength(0);
  });

  it("renews work that has a ttl until it is ended", async () => {
    const { board, service, clock } = setup();
    const trying = board.tryPull("InProgress", { ttl: 6000 });
    const call = await service.tryPullCard.next();
    expect(call.request.ttl).toMatchObject({ seconds: 6n });
    call.answer({ result: { case: "pulled", value: pulled() } });
    const work = await trying;
    if (!work.granted) throw new Error(work.message);
    clock.advance(1000);
    (await service.renewCards.next()).answer({
      results: [{ result: { case: "renewed", value: { validFor: durationFromMs(VALID_FOR) } } }],
    });
    await settle();
    clock.advance(VALID_FOR - 1);
    expect(work.valid).toBe(true);
    const ending = work.giveBack("later");
    (await service.giveBackCard.next()).answer({ card: { id: "card-1" } });
    await ending;
    await settle();
    expect(clock.pending()).toBe(0);
  });

  it("answers a refusal, which can stand where work would", async () => {
    const { board, service } = setup();
    const trying = board.tryPull("InProgress");
    const value = { reason: Reason.NO_CARD, message: "nothing there" };
    (await service.tryPullCard.next()).answer({ result: { case: "none", value } });
    await using attempt = await trying;
    expect(attempt).toMatchObject({ granted: false, reason: "NO_CARD", message: "nothing there" });
  });

  it("asks again with the same request id where no answer came", async () => {
    const { board, service, clock } = setup();
    const trying = board.tryPull("InProgress");
    const first = await service.tryPullCard.next();
    first.fail(connectionLost());
    await settle();
    clock.advance(75);
    const second = await service.tryPullCard.next();
    expect(second.request.requestId).toBe(first.request.requestId);
    second.answer({ result: { case: "pulled", value: pulled() } });
    expect((await trying).granted).toBe(true);
  });

  it("gives a card back that arrives when it is no longer wanted", async () => {
    const { board, service } = setup();
    const controller = new AbortController();
    const trying = board.tryPull("InProgress", { signal: controller.signal });
    const call = await service.tryPullCard.next();
    controller.abort(new Error("gone home"));
    await expect(trying).rejects.toThrow("gone home");
    call.answer({ result: { case: "pulled", value: pulled("card-1", {}, { ttl: undefined, validFor: 0 }) } });
    expect((await service.giveBackCard.next()).request).toMatchObject({ cardId: "card-1", fencingToken: 7n });
  });
});
