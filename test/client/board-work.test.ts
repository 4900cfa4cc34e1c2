import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { WorkLostError } from "../../src/client/api/errors.ts";
import type { ClientEvent } from "../../src/client/api/events.ts";
import type { PullOptions } from "../../src/client/api/work.ts";
import { CardState } from "../../src/client/gen/ggen/backpressure/v1/card_pb.ts";
import { Reason } from "../../src/client/gen/ggen/backpressure/v1/reason_pb.ts";
import { refusal } from "../../src/server/machine/reasons.ts";
import { invalidRequest, refusalError } from "../../src/server/wire/error-wire.ts";
import { itOfStreams } from "../support/it-of-streams.ts";
import { aborted } from "./support/aborted.ts";
import { createFixture, RENEW_AFTER, settle, TTL, VALID_FOR } from "./support/client-fixture.ts";
import { createFakePage } from "./support/fake-page.ts";
import { connectionLost } from "./support/fake-service.ts";
import { pulled, pulledEvent } from "./support/pulled-card.ts";

const AT = { board: "release", stage: "InProgress", card: "card-1" };
const STALE = refusalError(refusal("STALE_FENCING_TOKEN", { at: AT }));
const TOO_LONG = invalidRequest([{ field: "result", description: "must be at most 65536 bytes", reason: "max_bytes" }]);
const CREDENTIAL = { board: "release", cardId: "card-1", fencingToken: 7n };

/** Work on a card that was pulled at once, and its stream. */
async function begin(options: PullOptions = {}, ...card: Parameters<typeof pulled>) {
  const events: ClientEvent[] = [];
  const fixture = createFixture({ onEvent: (event) => events.push(event) });
  const board = fixture.client.board("release");
  const pulling = board.pull("InProgress", options);
  const stream = await fixture.service.pullCard.next();
  stream.say(pulledEvent(...card));
  return { ...fixture, events, board, stream, work: await pulling };
}

function renewed(validFor = VALID_FOR) {
  return { result: { case: "renewed" as const, value: { validFor: durationFromMs(validFor) } } };
}

describe("work on a card", () => {
  it("is lost when no renewal was confirmed within its validity", async () => {
    const { work, clock } = await begin();
    clock.advance(VALID_FOR - 1);
    expect(work.signal.aborted).toBe(false);
    clock.advance(1);
    expect(work.signal.reason).toBeInstanceOf(WorkLostError);
    expect(work.signal.reason).toMatchObject({ reason: "VALIDITY_EXPIRED", board: "release", card: "card-1" });
    expect(work.valid).toBe(false);
  });

  it("is found lost by a look after a freeze, before any timer has fired", async () => {
    const { work, clock } = await begin();
    clock.freeze(VALID_FOR);
    expect(work.signal.aborted).toBe(true);
  });

  it("is renewed at a third of its validity, which counts from when the renewal was sent", async () => {
    const { work, clock, service } = await begin();
    clock.advance(RENEW_AFTER);
    const renew = await service.renewCards.next();
    expect(renew.request).toMatchObject({ board: "release", cards: [{ cardId: "card-1", fencingToken: 7n }] });
    clock.advance(500);
    renew.answer({ results: [renewed()] });
    await settle();
    clock.advance(VALID_FOR - 501);
    expect(work.valid).toBe(true);
    clock.advance(1);
    expect(work.valid).toBe(false);
  });

  itOfStreams(
    "is renewed with the other cards of its board in one call, and apart from those of other boards",
    async () => {
      const { board, client, clock, service } = await begin();
      const others = [board.pull("InProgress"), client.board("hiring").pull("InProgress")];
      for (const id of ["card-2", "card-3"]) (await service.pullCard.next()).say(pulledEvent(id));
      await Promise.all(others);
      clock.advance(RENEW_AFTER);
      const requests = [await service.renewCards.next(), await service.renewCards.next()].map(({ request }) => [
        request.board,
        request.cards.map(({ cardId }) => cardId),
      ]);
      expect(requests).toEqual([
        ["release", ["card-1", "card-2"]],
        ["hiring", ["card-3"]],
      ]);
    },
  );

  it.each([
    [Reason.STALE_FENCING_TOKEN, "STALE_FENCING_TOKEN"],
    [Reason.CARD_NOT_FOUND, "CARD_NOT_FOUND"],
    [Reason.UNSPECIFIED, "STALE_FENCING_TOKEN"],
  ])("is lost when a renewal is refused (%s)", async (refused, reason) => {
    const { work, clock, service } = await begin();
    clock.advance(RENEW_AFTER);
    const result = { case: "refused" as const, value: { reason: refused, message: "no" } };
    (await service.renewCards.next()).answer({ results: [{ result }] });
    expect(await aborted(work.signal)).toMatchObject({ name: "WorkLostError", reason });
  });

  it("is lost with its board", async () => {
    const { work, clock, service } = await begin();
    clock.advance(RENEW_AFTER);
    (await service.renewCards.next()).fail(refusalError(refusal("BOARD_NOT_FOUND", { at: { board: "release" } })));
    expect(await aborted(work.signal)).toMatchObject({ reason: "BOARD_NOT_FOUND" });
  });

  it.each([
    "LEASE_EXPIRED",
    "LEASE_DISPLACED",
    "LEASE_REVOKED",
    "LIMITER_DELETED",
    "CARD_DELETED",
    "CARD_BLOCKED",
  ] as const)("is lost at once when its stream ends with %s, and there is nothing to give back", async (reason) => {
    const { work, stream, service, clock } = await begin();
    stream.fail(refusalError(refusal(reason, { at: AT })));
    expect(await aborted(work.signal)).toMatchObject({ name: "WorkLostError", reason });
    await work[Symbol.asyncDispose]();
    await settle();
    expect(service.giveBackCard.untaken).toHaveLength(0);
    expect(clock.pending()).toBe(0);
  });

  it("is lost when its stream ends though it was not ended here", async () => {
    const { work, stream } = await begin();
    stream.end();
    expect(await aborted(work.signal)).toMatchObject({ reason: "LEASE_ENDED" });
  });

  itOfStreams("is taken up again when its connection is lost, and is as good as before meanwhile", async () => {
    const { work, stream, clock, service, events } = await begin();
    stream.fail(connectionLost());
    await settle();
    expect(work.valid).toBe(true);
    clock.advance(25);
    const again = await service.pullCard.next();
    expect(again.request).toMatchObject({ board: "release", resume: { cardId: "card-1", fencingToken: 7n } });
    again.say(pulledEvent("card-1"));
    await settle();
    expect(events).toMatchObject([
      { kind: "work-resuming", board: "release", card: "card-1", attempt: 1 },
      { kind: "work-resumed", board: "release", card: "card-1", attempt: 1 },
    ]);
    expect(work.valid).toBe(true);
    again.fail(refusalError(refusal("CARD_DELETED", { at: AT })));
    expect(await aborted(work.signal)).toMatchObject({ reason: "CARD_DELETED" });
  });

  it("is lost when its connection could not be made good within its validity", async () => {
    const { work, stream, clock, service } = await begin();
    stream.fail(connectionLost());
    await settle();
    clock.advance(25);
    (await service.pullCard.next()).fail(connectionLost());
    await settle();
    clock.advance(VALID_FOR);
    expect(work.signal.reason).toMatchObject({ reason: "VALIDITY_EXPIRED" });
    expect(work.signal.reason.message).toContain("could not be made good");
  });

  itOfStreams("is ended under the way while its stream is away, and asks for no other then", async () => {
    const { work, stream, clock, service } = await begin();
    stream.fail(connectionLost());
    await settle();
    const finishing = work.finish("done");
    (await service.finishCard.next()).answer({ card: { id: "card-1" } });
    await finishing;
    await settle();
    clock.advance(1000);
    expect(service.pullCard.untaken).toHaveLength(0);
    expect(clock.pending()).toBe(0);
  });

  it("ends with its stream alone where it has no ttl to live by", async () => {
    const { work, stream, clock, service } = await begin({ ttl: 0 }, "card-1", {}, { ttl: 0, validFor: 0 });
    clock.advance(86_400_000);
    expect(work.valid).toBe(true);
    expect(service.renewCards.untaken).toHaveLength(0);
    stream.fail(connectionLost());
    expect(await aborted(work.signal)).toMatchObject({ reason: "CONNECTION_LOST" });
  });

  it("is given back when the pull's signal aborts, and its own signal aborts with the same reason", async () => {
    const controller = new AbortController();
    const { work, service, stream } = await begin({ signal: controller.signal });
    controller.abort(new Error("no longer needed"));
    expect(work.signal.reason).toMatchObject({ message: "no longer needed" });
    const call = await service.giveBackCard.next();
    expect(call.request).toMatchObject(CREDENTIAL);
    call.answer({ card: { id: "card-1" } });
    stream.end();
    await work[Symbol.asyncDispose]();
    expect(service.giveBackCard.untaken).toHaveLength(0);
  });

  it("is given back when it is left without an end", async () => {
    const { work, service, stream, clock } = await begin();
    const leaving = work[Symbol.asyncDispose]();
    const call = await service.giveBackCard.next();
    expect(call.request).toMatchObject({ ...CREDENTIAL, reason: "", failed: false });
    call.answer({ card: { id: "card-1" } });
    stream.end();
    await leaving;
    expect(work.end).toBe("given-back");
    expect(clock.pending()).toBe(0);
  });

  itOfStreams("can be left though the server is not there: that never rejects", async () => {
    const { work, service, clock, stream } = await begin();
    const leaving = work[Symbol.asyncDispose]();
    for (let elapsed = 0; elapsed < TTL + 1; elapsed += TTL / 2) {
      (await service.giveBackCard.next()).fail(connectionLost());
      await settle();
      clock.advance(TTL / 2);
    }
    await stream.cancelled;
    await leaving;
  });

  it("is not given back when it is left after its end", async () => {
    const { work, service, stream } = await begin();
    const finishing = work.finish("done");
    const leaving = work[Symbol.asyncDispose]();
    (await service.finishCard.next()).answer({ card: { id: "card-1" } });
    stream.end();
    await Promise.all([finishing, leaving]);
    expect(service.giveBackCard.untaken).toHaveLength(0);
  });
});

describe("an end of work", () => {
  it.each([
    ["a string as it is", "as it is", "as it is"],
    ["anything else as JSON", { ok: true, files: ["a"] }, '{"ok":true,"files":["a"]}'],
    ["nothing as nothing", undefined, ""],
    ["null as JSON", null, "null"],
  ])("finishes with a result: %s", async (_, result, text) => {
    const { work, service, stream } = await begin();
    const finishing = work.finish(result);
    const call = await service.finishCard.next();
    expect(call.request).toMatchObject({ ...CREDENTIAL, result: text });
    call.answer({ card: { id: "card-1", state: CardState.FINISHED, result: text } });
    stream.end();
    expect(await finishing).toMatchObject({ id: "card-1", state: "finished", result: text });
    expect(work.end).toBe("finished");
    expect(work.valid).toBe(false);
    expect(work.signal.aborted).toBe(false);
  });

  it("gives back, sends back and blocks, each with its reason", async () => {
    const given = await begin();
    void given.work.giveBack("not mine", { failed: true });
    const giveBack = await given.service.giveBackCard.next();
    expect(giveBack.request).toMatchObject({ ...CREDENTIAL, reason: "not mine", failed: true });
    const sent = await begin();
    void sent.work.sendBack("the tests are red");
    const sendBack = await sent.service.sendBackCard.next();
    expect(sendBack.request).toMatchObject({ ...CREDENTIAL, reason: "the tests are red" });
    const blocked = await begin();
    void blocked.work.block("needs a decision");
    const block = await blocked.service.blockCard.next();
    expect(block.request).toMatchObject({ ...CREDENTIAL, reason: "needs a decision" });
  });

  itOfStreams("resolves when the server has ended the stream too, or a second later", async () => {
    const { work, service, stream, clock } = await begin();
    let isFinished = false;
    const finishing = work.finish().then(() => {
      isFinished = true;
    });
    (await service.finishCard.next()).answer({ card: { id: "card-1" } });
    await settle();
    expect(isFinished).toBe(false);
    clock.advance(1000);
    await stream.cancelled;
    await finishing;
  });

  it("said twice is said once", async () => {
    const { work, service, stream } = await begin();
    const both = [work.finish("first"), work.finish("second")];
    const call = await service.finishCard.next();
    expect(call.request.result).toBe("first");
    call.answer({ card: { id: "card-1" } });
    stream.end();
    await Promise.all(both);
    expect(service.finishCard.untaken).toHaveLength(0);
  });

  it("is not followed by another", async () => {
    const { work, service, stream } = await begin();
    const finishing = work.finish();
    await expect(work.sendBack("on second thought")).rejects.toMatchObject({ reason: "STALE_FENCING_TOKEN" });
    (await service.finishCard.next()).answer({ card: { id: "card-1" } });
    stream.end();
    await finishing;
    await expect(work.block("really")).rejects.toMatchObject({ reason: "STALE_FENCING_TOKEN" });
    expect(service.sendBackCard.untaken).toHaveLength(0);
  });

  itOfStreams("rejects where the work had ended otherwise, and leaves nothing to do", async () => {
    const { work, service, stream, clock } = await begin();
    const finishing = work.finish();
    (await service.finishCard.next()).fail(STALE);
    await expect(finishing).rejects.toMatchObject({
      name: "AdmissionError",
      reason: "STALE_FENCING_TOKEN",
      code: "ABORTED",
      card: "card-1",
    });
    await stream.cancelled;
    await work[Symbol.asyncDispose]();
    expect(service.giveBackCard.untaken).toHaveLength(0);
    expect(clock.pending()).toBe(0);
  });

  it("asks the server of lost work too: its fencing token decides, not this clock", async () => {
    const { work, service, stream, clock } = await begin();
    clock.advance(VALID_FOR);
    expect(work.signal.aborted).toBe(true);
    const finishing = work.finish("in time after all");
    (await service.finishCard.next()).answer({ card: { id: "card-1", state: CardState.FINISHED } });
    stream.end();
    expect(await finishing).toMatchObject({ state: "finished" });
  });

  itOfStreams("is sent again where no answer came, and the stream stays until the server has answered", async () => {
    const { work, service, stream, clock } = await begin();
    const finishing = work.finish("done");
    (await service.finishCard.next()).fail(connectionLost());
    await settle();
    expect(stream.signal.aborted).toBe(false);
    clock.advance(75);
    const again = await service.finishCard.next();
    expect(again.request).toMatchObject({ ...CREDENTIAL, result: "done" });
    again.answer({ card: { id: "card-1" } });
    stream.end();
    await finishing;
  });

  itOfStreams("is given up when the card's ttl is over: another worker may have it by then", async () => {
    const { work, service, stream, clock } = await begin();
    const finishing = work.finish("done").catch((error: unknown) => error);
    const since = clock.now().monotonic;
    let calls = 0;
    for (; !stream.signal.aborted; calls += 1) {
      (await service.finishCard.next()).fail(connectionLost());
      await settle();
      clock.advance(3000);
      await settle();
    }
    expect(await finishing).toMatchObject({ name: "ServerUnavailableError" });
    expect(clock.now().monotonic - since).toBeLessThanOrEqual(TTL + 3000);
    expect(calls).toBeGreaterThan(1);
    expect(service.giveBackCard.untaken).toHaveLength(0);
  });

  itOfStreams(
    "of giving back cancels the stream after a first failure, which gives the card back too, and is content with that",
    async () => {
      const { work, service, stream, clock } = await begin();
      const ending = work.giveBack("no time");
      (await service.giveBackCard.next()).fail(connectionLost());
      await stream.cancelled;
      await settle();
      clock.advance(75);
      (await service.giveBackCard.next()).fail(STALE);
      (await service.getCard.next()).answer({ card: { id: "card-1", state: CardState.WAITING } });
      expect(await ending).toMatchObject({ state: "waiting" });
    },
  );

  it("that breaks a rule leaves the work as it is", async () => {
    const { work, service, stream } = await begin();
    const finishing = work.finish("x".repeat(70_000));
    (await service.finishCard.next()).fail(TOO_LONG);
    await expect(finishing).rejects.toMatchObject({ reason: "INVALID_REQUEST" });
    expect(work).toMatchObject({ valid: true, end: undefined });
    expect(stream.signal.aborted).toBe(false);
    const again = work.finish("shorter");
    (await service.finishCard.next()).answer({ card: { id: "card-1" } });
    stream.end();
    await again;
  });

  it("that breaks a rule does not hide that the work was lost meanwhile", async () => {
    const { work, service, stream } = await begin();
    const finishing = work.finish("x".repeat(70_000));
    const call = await service.finishCard.next();
    stream.fail(refusalError(refusal("CARD_DELETED", { at: AT })));
    await settle();
    expect(work.signal.aborted).toBe(false);
    call.fail(TOO_LONG);
    await expect(finishing).rejects.toMatchObject({ reason: "INVALID_REQUEST" });
    expect(work.signal.reason).toMatchObject({ reason: "CARD_DELETED" });
  });

  it("whose result has no JSON rejects before anything is said", async () => {
    const { work, service } = await begin();
    await expect(work.finish({ count: 1n })).rejects.toThrow(TypeError);
    expect(work.valid).toBe(true);
    expect(service.finishCard.untaken).toHaveLength(0);
  });

  it("is not a loss when the stream ends before the answer comes", async () => {
    const { work, service, stream } = await begin();
    const finishing = work.finish();
    const call = await service.finishCard.next();
    stream.end();
    await settle();
    expect(work.signal.aborted).toBe(false);
    call.answer({ card: { id: "card-1" } });
    await finishing;
    expect(work.signal.aborted).toBe(false);
  });
});

describe("a client that is closed", () => {
  it("gives its cards back, but not what is a person's", async () => {
    const { client, board, work, service, stream, isConnected } = await begin();
    const trying = board.tryPull("InProgress", { worker: "ana" });
    const value = pulled("card-2", {}, { ttl: undefined, validFor: 0 });
    (await service.tryPullCard.next()).answer({ result: { case: "pulled", value } });
    await trying;
    const closing = client.close();
    const call = await service.giveBackCard.next();
    expect(call.request).toMatchObject({ cardId: "card-1" });
    expect(work.signal.reason).toMatchObject({ name: "ClientClosedError" });
    expect(isConnected()).toBe(true);
    call.answer({ card: { id: "card-1" } });
    stream.end();
    await closing;
    expect(service.giveBackCard.untaken).toHaveLength(0);
    expect(isConnected()).toBe(false);
  });

  it("ends waits for cards", async () => {
    const { client, service } = createFixture();
    const pulling = client.board("release").pull("InProgress");
    const call = await service.pullCard.next();
    await client.close();
    await expect(pulling).rejects.toMatchObject({ name: "ClientClosedError" });
    await call.cancelled;
  });
});

describe("a page that goes away", () => {
  itOfStreams("says what it can of the cards that it held, and loses them", async () => {
    const page = createFakePage();
    const { client, service } = createFixture({ page });
    const board = client.board("release");
    const pulling = board.pull("InProgress");
    const stream = await service.pullCard.next();
    stream.say(pulledEvent());
    const work = await pulling;
    const trying = board.tryPull("InProgress");
    const value = pulled("card-2", {}, { ttl: undefined, validFor: 0 });
    (await service.tryPullCard.next()).answer({ result: { case: "pulled", value } });
    const person = await trying;
    if (!person.granted) throw new Error(person.message);
    page.hide();
    expect(page.sent).toEqual([["GiveBackCard", CREDENTIAL]]);
    expect(work.signal.reason).toMatchObject({ name: "WorkLostError", reason: "PAGE_HIDDEN" });
    await stream.cancelled;
    await work[Symbol.asyncDispose]();
    expect(service.giveBackCard.untaken).toHaveLength(0);
    expect(person.valid).toBe(true);
  });
});
