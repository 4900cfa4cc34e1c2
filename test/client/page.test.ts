/** A page that goes away, and perhaps comes back: what is asked in it ends with its visit, and time away does not count. */

import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import type { ClientEvent } from "../../src/client/api/events.ts";
import { WorkOutcome } from "../../src/client/gen/ggen/backpressure/v1/lease_pb.ts";
import { refusal } from "../../src/server/machine/reasons.ts";
import { refusalError } from "../../src/server/wire/error-wire.ts";
import { createFixture, type FixtureOptions, granted, settle } from "./support/client-fixture.ts";
import { createFakePage } from "./support/fake-page.ts";
import { connectionLost } from "./support/fake-service.ts";
import { pulled, pulledEvent } from "./support/pulled-card.ts";

const WAITING = { event: { case: "waiting", value: { waitersAhead: 3 } } } as const;
const GRANTED = { event: { case: "granted", value: granted() } } as const;
/** Longer than anything that a client waits for. */
const LONG_AWAY = 3_600_000;

function setup(options: FixtureOptions = {}) {
  const page = createFakePage();
  const fixture = createFixture({ ...options, page });

  async function elapse(ms: number): Promise<void> {
    await settle();
    fixture.clock.advance(ms);
    await settle();
  }

  /** Goes away for so many ms, in which the process stands still: no timer is run before it has come back. */
  async function beAway(ms: number): Promise<void> {
    await settle();
    page.hide();
    await settle();
    fixture.clock.freeze(ms);
    page.show();
    fixture.clock.advance(0);
    await settle();
  }

  return { ...fixture, page, elapse, beAway };
}

describe("acquire in a page that goes away", () => {
  it("leaves the queue by the page's last words, and asks anew under another id when it comes back", async () => {
    const { client, service, page, beAway } = setup();
    const acquiring = client.acquire("db");
    const first = await service.acquire.next();
    first.say(WAITING);
    await beAway(LONG_AWAY);
    await first.cancelled;
    const { requestId } = first.request;
    expect(page.sent).toEqual([["Release", { requestId, outcome: WorkOutcome.IGNORED }]]);
    const second = await service.acquire.next();
    expect(second.request.requestId).not.toBe(requestId);
    second.say(GRANTED);
    expect((await acquiring).valid).toBe(true);
  });

  it("takes no grant any more that comes to the request of an earlier visit", async () => {
    const { client, service, beAway } = setup();
    const acquiring = client.acquire("db");
    const first = await service.acquire.next();
    await beAway(100);
    first.say({ event: { case: "granted", value: granted("lease-of-before") } });
    await settle();
    (await service.acquire.next()).say(GRANTED);
    expect(await acquiring).toMatchObject({ id: "lease-1", valid: true });
  });

  it("comes back under an id of the caller's own, which its last words leave alone", async () => {
    const { client, service, page, beAway } = setup();
    const requestId = "0123456789abcdef";
    const acquiring = client.acquire("db", { requestId });
    (await service.acquire.next()).say(WAITING);
    await beAway(LONG_AWAY);
    expect(page.sent).toEqual([]);
    const again = await service.acquire.next();
    expect(again.request.requestId).toBe(requestId);
    again.say(GRANTED);
    expect((await acquiring).valid).toBe(true);
  });

  it("has all of answerWithin that it had left, however long the page was away", async () => {
    const { client, service, elapse, beAway } = setup({ answerWithin: 1000 });
    const acquiring = client.acquire("db");
    const outcome = acquiring.catch((error: unknown) => error);
    await service.acquire.next();
    await elapse(600);
    await beAway(LONG_AWAY);
    await service.acquire.next();
    await elapse(399);
    await expect(Promise.race([outcome, "pending"])).resolves.toBe("pending");
    await elapse(1);
    expect(await outcome).toMatchObject({ name: "ServerUnavailableError" });
  });

  it("spends its maxWait away, too: then it asks once more, now or not at all", async () => {
    const { client, service, beAway } = setup({ answerWithin: 1000 });
    const acquiring = client.acquire("db", { maxWait: 5000 });
    const first = await service.acquire.next();
    expect(first.request.maxWait).toMatchObject({ seconds: 5n });
    first.say(WAITING);
    await beAway(2000);
    const second = await service.acquire.next();
    expect(second.request.maxWait).toMatchObject({ seconds: 3n, nanos: 0 });
    second.say(WAITING);
    await beAway(LONG_AWAY);
    const third = await service.acquire.next();
    expect(third.request.maxWait).toMatchObject({ seconds: 0n, nanos: 0 });
    third.fail(refusalError(refusal("CONCURRENCY_EXHAUSTED", { limiter: "db" })));
    await expect(acquiring).rejects.toMatchObject({ reason: "CONCURRENCY_EXHAUSTED" });
  });

  it("that goes away between two attempts asks when it is back, not when the pause is over", async () => {
    const { client, service, clock, page } = setup();
    const acquiring = client.acquire("db");
    const first = await service.acquire.next();
    first.fail(connectionLost());
    await settle();
    page.hide();
    expect(page.sent).toMatchObject([["Release", { requestId: first.request.requestId }]]);
    await settle();
    clock.advance(60_000);
    await settle();
    expect(service.acquire.untaken).toHaveLength(0);
    page.show();
    (await service.acquire.next()).say(GRANTED);
    expect((await acquiring).valid).toBe(true);
  });

  it("gives up a grant that it is having confirmed, and asks anew", async () => {
    const { client, service, elapse, beAway } = setup();
    const acquiring = client.acquire("db");
    const first = await service.acquire.next();
    first.say(WAITING);
    await elapse(60_000);
    first.say(GRANTED);
    await service.renew.next();
    await beAway(100);
    await first.cancelled;
    (await service.acquire.next()).say({ event: { case: "granted", value: granted("lease-2") } });
    expect(await acquiring).toMatchObject({ id: "lease-2", valid: true });
  });
});

describe("tryAcquire in a page that goes away", () => {
  it("gives back what is granted late to the request of an earlier visit, and asks anew", async () => {
    const { client, service, beAway } = setup();
    const trying = client.tryAcquire("db");
    const first = await service.tryAcquire.next();
    await beAway(100);
    const second = await service.tryAcquire.next();
    expect(second.request.requestId).not.toBe(first.request.requestId);
    first.answer({ result: { case: "granted", value: granted("lease-of-before") } });
    expect((await service.release.next()).request).toMatchObject({ leaseId: "lease-of-before" });
    second.answer({ result: { case: "granted", value: granted("lease-2") } });
    expect(await trying).toMatchObject({ id: "lease-2", valid: true });
  });

  it("takes the late answer to an id of the caller's own, which nothing has withdrawn", async () => {
    const { client, service, beAway } = setup();
    const trying = client.tryAcquire("db", { requestId: "0123456789abcdef" });
    const call = await service.tryAcquire.next();
    await beAway(100);
    expect(service.tryAcquire.untaken).toHaveLength(0);
    call.answer({ result: { case: "granted", value: granted() } });
    expect(await trying).toMatchObject({ id: "lease-1", valid: true });
    expect(service.release.untaken).toHaveLength(0);
  });

  it("has all of answerWithin that it had left, however long the page was away", async () => {
    const { client, service, elapse, beAway } = setup({ answerWithin: 1000 });
    const outcome = client.tryAcquire("db").catch((error: unknown) => error);
    await service.tryAcquire.next();
    await elapse(600);
    await beAway(LONG_AWAY);
    await service.tryAcquire.next();
    await elapse(399);
    await expect(Promise.race([outcome, "pending"])).resolves.toBe("pending");
    await elapse(1);
    expect(await outcome).toMatchObject({ name: "ServerUnavailableError" });
  });
});

describe("a page that is away", () => {
  it("sends what is asked meanwhile when it is shown again, and not before", async () => {
    const { client, service, page, elapse } = setup({ answerWithin: 1000 });
    page.hide();
    const acquiring = client.acquire("db");
    const trying = client.tryAcquire("db");
    await elapse(LONG_AWAY);
    expect([service.acquire.untaken, service.tryAcquire.untaken]).toEqual([[], []]);
    page.show();
    (await service.acquire.next()).say(GRANTED);
    (await service.tryAcquire.next()).answer({ result: { case: "granted", value: granted("lease-2") } });
    expect([(await acquiring).id, await trying]).toMatchObject(["lease-1", { id: "lease-2" }]);
  });

  it("rejects at once what is aborted meanwhile, and has nothing left to withdraw", async () => {
    const { client, service, clock, page } = setup();
    const controller = new AbortController();
    const { signal } = controller;
    const board = client.board("release");
    const asked = [client.acquire("db", { signal }), client.tryAcquire("db", { signal })];
    const pulling = [board.pull("InProgress", { signal }), board.tryPull("InProgress", { signal })];
    const watching = client.limiters.watch({ signal })[Symbol.asyncIterator]().next();
    await settle();
    page.hide();
    await settle();
    controller.abort(new Error("enough"));
    const fates = await Promise.allSettled([...asked, ...pulling, watching]);
    expect(fates.map((fate) => fate.status === "rejected" && fate.reason.message)).toEqual(Array(5).fill("enough"));
    expect(service.withdrawn).toEqual([]);
    // Those of the calls with one answer, which are waited for.
    expect(clock.pending()).toBe(2);
  });

  it("leaves the next probe to others when the one of an outage is given up in it", async () => {
    const { client, service, clock, page } = setup({ retry: { maxAttempts: 1 } });
    const failing = client.tryAcquire("db");
    (await service.tryAcquire.next()).fail(connectionLost());
    await expect(failing).rejects.toMatchObject({ name: "ServerUnavailableError" });
    clock.advance(60_000);
    page.hide();
    const controller = new AbortController();
    const probe = client.tryAcquire("db", { signal: controller.signal });
    await settle();
    expect(service.tryAcquire.untaken).toHaveLength(0);
    controller.abort(new Error("too late"));
    await expect(probe).rejects.toThrow("too late");
    page.show();
    const next = client.tryAcquire("db");
    (await service.tryAcquire.next()).answer({ result: { case: "granted", value: granted() } });
    expect((await next).granted).toBe(true);
  });

  it("takes the connections that it has closed itself for no outage", async () => {
    const events: ClientEvent[] = [];
    const { client, service, beAway } = setup({ onEvent: (event) => events.push(event) });
    const reading = client.limiters.get("db").catch((error: unknown) => error);
    const call = await service.getLimiter.next();
    await beAway(LONG_AWAY);
    call.fail(new ConnectError("Failed to fetch", Code.Unavailable));
    expect(await reading).toMatchObject({ name: "ServerUnavailableError" });
    expect(events).toEqual([]);
  });

  it("ends what waits for it when its client is closed", async () => {
    const { client, page, isConnected } = setup();
    page.hide();
    const acquiring = client.acquire("db");
    await client.close();
    await expect(acquiring).rejects.toMatchObject({ name: "ClientClosedError" });
    expect(isConnected()).toBe(false);
  });
});

describe("the last words of a page", () => {
  it("withdraw once more what is being withdrawn, until the server has confirmed it", async () => {
    const { client, service, page } = setup();
    const controller = new AbortController();
    const acquiring = client.acquire("db", { signal: controller.signal });
    const { requestId } = (await service.acquire.next()).request;
    const answered = Promise.withResolvers<void>();
    service.delayWithdrawals(answered.promise);
    controller.abort(new Error("enough"));
    await expect(acquiring).rejects.toThrow("enough");
    expect(service.withdrawn).toEqual([requestId]);
    page.hide();
    expect(page.sent).toMatchObject([["Release", { requestId }]]);
    page.show();
    answered.resolve();
    await settle();
    page.hide();
    expect(page.sent).toHaveLength(1);
  });

  it("are said of what a client that is being closed has not given back yet", async () => {
    const { client, service, page } = setup();
    const acquiring = client.acquire("db");
    (await service.acquire.next()).say(GRANTED);
    await acquiring;
    void client.close();
    await service.release.next();
    page.hide();
    expect(page.sent).toMatchObject([["Release", { leaseId: "lease-1" }]]);
  });
});

describe("work on cards in a page that goes away", () => {
  it("is pulled anew when it comes back; what is granted late is given back", async () => {
    const { client, service, page, beAway } = setup();
    const board = client.board("release");
    const pulling = board.pull("InProgress");
    const trying = board.tryPull("InProgress", { ttl: 60_000 });
    const first = await service.pullCard.next();
    const tried = await service.tryPullCard.next();
    await beAway(100);
    const withdrawn = [tried, first].map(({ request }) => ({ board: "release", requestId: request.requestId }));
    expect(page.sent.map(([method]) => method)).toEqual(["GiveBackCard", "GiveBackCard"]);
    expect(page.sent.map(([, request]) => request)).toEqual(expect.arrayContaining(withdrawn));
    tried.answer({ result: { case: "pulled", value: pulled("card-of-before") } });
    expect((await service.giveBackCard.next()).request).toMatchObject({ cardId: "card-of-before" });
    (await service.pullCard.next()).say(pulledEvent());
    (await service.tryPullCard.next()).answer({ result: { case: "pulled", value: pulled("card-2") } });
    expect((await pulling).card.id).toBe("card-1");
    expect(await trying).toMatchObject({ card: { id: "card-2" }, valid: true });
  });

  it("goes on in a loop, which reports no error for having been away while it waited", async () => {
    const { client, service, beAway } = setup();
    const errors: unknown[] = [];
    const worked: string[] = [];
    const onError = (error: unknown) => errors.push(error);
    const loop = client.board("release").work("InProgress", ({ id }) => void worked.push(id), { onError });
    (await service.pullCard.next()).say({ event: { case: "waiting", value: { pullersAhead: 0 } } });
    await beAway(LONG_AWAY);
    const stream = await service.pullCard.next();
    stream.say(pulledEvent());
    (await service.finishCard.next()).answer({ card: { id: "card-1" } });
    stream.end();
    await service.pullCard.next();
    await loop.stop();
    expect({ worked, errors }).toEqual({ worked: ["card-1"], errors: [] });
  });

  it("is added once: a card whose answer comes late is not added again", async () => {
    const { client, service, beAway } = setup();
    const adding = client.board("release").add({ title: "one" });
    const call = await service.addCard.next();
    await beAway(100);
    expect(service.addCard.untaken).toHaveLength(0);
    call.answer({ card: { id: call.request.card?.id ?? "" } });
    expect((await adding).id).toBe(call.request.card?.id);
  });

  it("is added under the same id again, with the time to answer that it had left", async () => {
    const { client, service, elapse, beAway } = setup();
    const adding = client.board("release").add({ title: "one" });
    const first = await service.addCard.next();
    await beAway(LONG_AWAY);
    await elapse(75);
    const second = await service.addCard.next();
    expect(second.request.card?.id).toBe(first.request.card?.id);
    second.answer({ card: { id: "card-1" } });
    expect((await adding).id).toBe("card-1");
  });
});

describe("a watch in a page that goes away", () => {
  const LIMITERS = { event: { case: "snapshot" as const, value: { limiters: [] } } };
  const board = { name: "release" };

  it("is taken up again when the page comes back, with the time that it had for a lost connection", async () => {
    const { client, service, elapse, beAway } = setup();
    const events = client.limiters.watch()[Symbol.asyncIterator]();
    const first = events.next();
    (await service.watchLimiters.next()).say(LIMITERS);
    await first;
    const second = events.next().catch((error: unknown) => error);
    await beAway(LONG_AWAY);
    // The server restarts meanwhile: the page has just come back, and waits for it as long as one that was there.
    (await service.watchLimiters.next()).fail(connectionLost());
    await elapse(3000);
    await beAway(LONG_AWAY);
    (await service.watchLimiters.next()).fail(connectionLost());
    await elapse(3000);
    (await service.watchLimiters.next()).say(LIMITERS);
    expect(await second).toMatchObject({ value: { kind: "snapshot" } });
  });

  it("that has heard nothing yet has all of answerWithin that it had left", async () => {
    const { client, service, elapse, beAway } = setup({ answerWithin: 1000 });
    const first = client.limiters.watch()[Symbol.asyncIterator]().next();
    const outcome = first.catch((error: unknown) => error);
    await service.watchLimiters.next();
    await elapse(600);
    await beAway(LONG_AWAY);
    await service.watchLimiters.next();
    await elapse(399);
    await expect(Promise.race([outcome, "pending"])).resolves.toBe("pending");
    await elapse(1);
    expect(await outcome).toMatchObject({ name: "ServerUnavailableError" });
  });

  it("of a board goes on after the last change that it knows", async () => {
    const { client, service, beAway } = setup();
    const events = client.board("release").watch()[Symbol.asyncIterator]();
    const first = events.next();
    const call = await service.watchBoard.next();
    call.say({ sequence: 5n, event: { case: "snapshot", value: { board, cards: [] } } });
    await first;
    const second = events.next();
    await beAway(LONG_AWAY);
    await call.cancelled;
    const again = await service.watchBoard.next();
    expect(again.request.afterSequence).toBe(5n);
    again.say({ sequence: 6n, event: { case: "changes", value: { board, cards: [{ id: "a" }] } } });
    expect(await second).toMatchObject({ value: { kind: "changes", sequence: 6 } });
  });

  it("has one place among the streams for as long as the page is there, and none while it is away", async () => {
    const { client, service, page, elapse } = setup({ maxStreams: 1 });
    const events = client.limiters.watch()[Symbol.asyncIterator]();
    const first = events.next();
    const call = await service.watchLimiters.next();
    call.say(LIMITERS);
    await first;
    const second = events.next();
    call.fail(connectionLost());
    await settle();
    // Between two connections.
    await expect(client.acquire("db")).rejects.toMatchObject({ name: "TooManyStreamsError" });
    await elapse(75);
    await service.watchLimiters.next();
    page.hide();
    await settle();
    page.show();
    (await service.watchLimiters.next()).say(LIMITERS);
    await second;
    await events.return?.();
    const acquiring = client.acquire("db");
    (await service.acquire.next()).say(GRANTED);
    expect((await acquiring).valid).toBe(true);
  });
});

describe("a lease in a page that goes away", () => {
  it("is lost to its holder, whatever is heard of it later", async () => {
    const { client, service, page } = setup();
    const acquiring = client.acquire("db");
    const stream = await service.acquire.next();
    stream.say(GRANTED);
    const lease = await acquiring;
    page.hide();
    expect(lease.signal.reason).toMatchObject({ name: "LeaseLostError", reason: "PAGE_HIDDEN" });
    await stream.cancelled;
    expect(await lease.release()).toBe("unconfirmed");
  });
});
