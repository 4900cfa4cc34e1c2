/** Every call is bounded, whatever the server and the transport do; ends without an answer are sent again. */

import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import type { Client } from "../../src/client/api/client.ts";
import type { ClientEvent } from "../../src/client/api/events.ts";
import { LeaseEnd } from "../../src/client/gen/ggen/backpressure/v1/lease_pb.ts";
import { createFixture, type Fixture, granted, settle } from "./support/client-fixture.ts";
import { connectionLost } from "./support/fake-service.ts";

const ANSWER_WITHIN = 1000;
const GRANTED = { event: { case: "granted", value: granted() } } as const;
const WAITING = { event: { case: "waiting", value: { waitersAhead: 3 } } } as const;
const UNAVAILABLE = { name: "ServerUnavailableError", address: "fake:50051" };

const fixtureOf = (options: Parameters<typeof createFixture>[0] = {}) =>
  createFixture({ answerWithin: ANSWER_WITHIN, ...options });

/** Resolves with what has become of it as soon as it has settled. */
function fateOf(promise: Promise<unknown>): { readonly settled: boolean; readonly error: unknown } {
  const fate = { settled: false, error: undefined as unknown };
  promise.then(
    () => {
      fate.settled = true;
    },
    (error: unknown) => {
      fate.settled = true;
      fate.error = error;
    },
  );
  return fate;
}

async function elapse({ clock }: Fixture, ms: number): Promise<void> {
  await settle();
  clock.advance(ms);
  await settle();
}

async function first(stream: AsyncIterable<unknown>): Promise<unknown> {
  for await (const one of stream) return one;
  return undefined;
}

const CALLS: readonly (readonly [string, (client: Client) => Promise<unknown>])[] = [
  ["tryAcquire", (client) => client.tryAcquire("db")],
  ["acquire", (client) => client.acquire("db")],
  ["acquire that may wait", (client) => client.acquire("db", { maxWait: 60_000 })],
  ["acquire that may not wait", (client) => client.acquire("db", { maxWait: 0 })],
  ["withLease", (client) => client.withLease("db", () => {})],
  ["controller.tryAcquire", (client) => client.controller("db").tryAcquire()],
  ["controller.inFlight", (client) => client.controller("db").inFlight()],
  ["limiters.get", (client) => client.limiters.get("db")],
  ["limiters.list", (client) => first(client.limiters.list())],
  ["limiters.create", (client) => client.limiters.create({ name: "db", maxConcurrent: 1 })],
  ["limiters.update", (client) => client.limiters.update("db", { maxConcurrent: 2 })],
  ["limiters.delete", (client) => client.limiters.delete("db")],
  ["limiters.pause", (client) => client.limiters.pause("db")],
  ["limiters.watch", (client) => first(client.limiters.watch())],
  ["board.watch", (client) => first(client.board("b").watch())],
  ["limiters.leases", (client) => first(client.limiters.leases())],
  ["limiters.waiters", (client) => first(client.limiters.waiters("db"))],
  ["limiters.revokeLease", (client) => client.limiters.revokeLease("lease-1")],
  ["limiters.cancelWaiter", (client) => client.limiters.cancelWaiter("waiter-1")],
  ["boards.get", (client) => client.boards.get("b")],
  ["boards.list", (client) => first(client.boards.list())],
  ["boards.create", (client) => client.boards.create({ name: "b" })],
  ["boards.delete", (client) => client.boards.delete("b")],
  ["board.add", (client) => client.board("b").add({ title: "t" })],
  ["board.get", (client) => client.board("b").get("c")],
  ["board.list", (client) => first(client.board("b").list())],
  ["board.snapshot", (client) => client.board("b").snapshot()],
  ["board.flow", (client) => client.board("b").flow()],
  ["board.pull", (client) => client.board("b").pull("InProgress")],
  ["board.tryPull", (client) => client.board("b").tryPull("InProgress")],
  ["board.finish", (client) => client.board("b").finish("c")],
  ["board.giveBack", (client) => client.board("b").giveBack("c")],
  ["board.sendBack", (client) => client.board("b").sendBack("c")],
  ["board.block", (client) => client.board("b").block("c")],
  ["board.remove", (client) => client.board("b").remove("c")],
];

describe("a server that says nothing", () => {
  it.each(CALLS)("costs %s the time to answer, and no more", async (_, call) => {
    const fixture = fixtureOf();
    const fate = fateOf(call(fixture.client));
    await elapse(fixture, ANSWER_WITHIN - 1);
    expect(fate.settled).toBe(false);
    await elapse(fixture, 1);
    expect(fate.error).toMatchObject(UNAVAILABLE);
    expect(fixture.clock.pending()).toBe(0);
  });

  it.each(CALLS.filter(([name]) => !name.endsWith("watch")))("costs no second %s anything", async (_, call) => {
    const fixture = fixtureOf();
    const one = fateOf(call(fixture.client));
    await elapse(fixture, ANSWER_WITHIN);
    expect(one.settled).toBe(true);
    const next = fateOf(call(fixture.client));
    await settle();
    expect(next.error).toMatchObject(UNAVAILABLE);
    expect(fixture.clock.pending()).toBe(0);
  });

  it("is asked by one call when a probe is due, and found back by its answer", async () => {
    const events: ClientEvent[] = [];
    const fixture = fixtureOf({ onEvent: (event) => events.push(event) });
    const { client, service } = fixture;
    fateOf(client.tryAcquire("db"));
    await elapse(fixture, ANSWER_WITHIN);
    await elapse(fixture, 500);
    const probe = client.tryAcquire("db");
    await expect(client.tryAcquire("db")).rejects.toMatchObject(UNAVAILABLE);
    const calls = [await service.tryAcquire.next(), await service.tryAcquire.next()];
    expect(service.tryAcquire.untaken).toHaveLength(0);
    calls[1]?.answer({ result: { case: "granted", value: granted() } });
    await probe;
    expect(events).toMatchObject([
      { kind: "outage-began", error: UNAVAILABLE },
      { kind: "outage-ended", lasted: 1500 },
    ]);
    const after = client.tryAcquire("db");
    (await service.tryAcquire.next()).answer({ result: { case: "granted", value: granted("lease-2") } });
    await after;
  });
});

describe("a connection that is refused", () => {
  it("is tried again within the time to answer, and then costs no call anything but a probe's one try", async () => {
    const fixture = fixtureOf();
    const { client, service, clock } = fixture;
    const fate = fateOf(client.tryAcquire("db"));
    let tries = 0;
    const since = clock.now().monotonic;
    while (!fate.settled) {
      if (service.tryAcquire.untaken.length > 0) {
        tries += 1;
        (await service.tryAcquire.next()).fail(connectionLost());
      }
      await elapse(fixture, 25);
    }
    expect(clock.now().monotonic - since).toBeLessThanOrEqual(ANSWER_WITHIN);
    expect(tries).toBeGreaterThan(2);
    expect(fate.error).toMatchObject(UNAVAILABLE);
    await expect(client.acquire("db")).rejects.toMatchObject(UNAVAILABLE);
    clock.advance(500);
    const probe = client.acquire("db");
    (await service.acquire.next()).fail(connectionLost());
    await expect(probe).rejects.toMatchObject(UNAVAILABLE);
  });
});

describe("a wait", () => {
  it("may last for maxWait and the time to answer, however the server goes silent", async () => {
    const fixture = fixtureOf();
    const fate = fateOf(fixture.client.acquire("db", { maxWait: 5000 }));
    const call = await fixture.service.acquire.next();
    call.say(WAITING);
    await elapse(fixture, 5999);
    expect(fate.settled).toBe(false);
    await elapse(fixture, 1);
    expect(fate.error).toMatchObject(UNAVAILABLE);
    await call.cancelled;
    expect(fixture.clock.pending()).toBe(0);
  });

  it("without a maxWait lasts as long as the connection once the server has spoken", async () => {
    const fixture = fixtureOf();
    const acquiring = fixture.client.acquire("db");
    const call = await fixture.service.acquire.next();
    call.say(WAITING);
    await elapse(fixture, 86_400_000);
    call.say({ event: { case: "granted", value: granted("lease-1", { validFor: 0 }) } });
    expect(await acquiring).toMatchObject({ id: "lease-1" });
  });

  it("closes the breaker by the first word, not by the grant", async () => {
    const fixture = fixtureOf();
    const { client, service } = fixture;
    fateOf(client.tryAcquire("db"));
    await elapse(fixture, ANSWER_WITHIN);
    await service.tryAcquire.next();
    await elapse(fixture, 500);
    const waiting = fateOf(client.acquire("db"));
    (await service.acquire.next()).say(WAITING);
    await settle();
    const other = client.tryAcquire("db");
    (await service.tryAcquire.next()).answer({ result: { case: "granted", value: granted() } });
    await other;
    expect(waiting.settled).toBe(false);
  });
});

describe("a release", () => {
  async function hold(fixture: Fixture) {
    const acquiring = fixture.client.acquire("db");
    const stream = await fixture.service.acquire.next();
    stream.say(GRANTED);
    return { lease: await acquiring, stream };
  }

  it("without an answer in time is unconfirmed, sent again, and confirmed in the end", async () => {
    const fixture = fixtureOf();
    const { lease, stream } = await hold(fixture);
    const releasing = lease.release();
    await fixture.service.release.next();
    await elapse(fixture, ANSWER_WITHIN);
    expect(await releasing).toBe("unconfirmed");
    expect(lease.valid).toBe(false);
    await elapse(fixture, 75);
    (await fixture.service.release.next()).answer({ end: LeaseEnd.RELEASED });
    stream.end();
    expect(await lease.release()).toBe("released");
    expect(fixture.clock.pending()).toBe(0);
  });

  it("is unconfirmed at once while the server is known to be away", async () => {
    const fixture = fixtureOf();
    const { lease } = await hold(fixture);
    fateOf(fixture.client.limiters.get("db"));
    await elapse(fixture, ANSWER_WITHIN);
    const releasing = lease.release();
    await elapse(fixture, 200);
    expect(await releasing).toBe("unconfirmed");
  });

  it("of everything bounds the closing of the client, which leaves no timer behind", async () => {
    const fixture = fixtureOf();
    await hold(fixture);
    fateOf(fixture.client.tryAcquire("db"));
    const closing = fateOf(fixture.client.close());
    await elapse(fixture, ANSWER_WITHIN);
    expect(closing).toEqual({ settled: true, error: undefined });
    expect(fixture.isConnected()).toBe(false);
    // The calls that are still made find no connection.
    for (const call of fixture.service.release.untaken) call.fail(connectionLost());
    await elapse(fixture, ANSWER_WITHIN);
    expect(fixture.clock.pending()).toBe(0);
  });
});

describe("the end of work", () => {
  it("without an answer in time rejects, is sent again, and is confirmed when it is asked for again", async () => {
    const fixture = fixtureOf();
    const { client, service } = fixture;
    const pulling = client.board("b").tryPull("InProgress", { ttl: 60_000 });
    (await service.tryPullCard.next()).answer({
      result: {
        case: "pulled",
        value: {
          card: {
            id: "c",
            stage: "InProgress",
            state: 2,
            lease: { fencingToken: 5n, ttl: durationFromMs(60_000), validFor: durationFromMs(30_000) },
          },
        },
      },
    });
    const work = await pulling;
    if (!work.granted) throw new Error(work.message);
    const finishing = fateOf(work.finish("done"));
    await service.finishCard.next();
    await elapse(fixture, ANSWER_WITHIN);
    expect(finishing.error).toMatchObject(UNAVAILABLE);
    expect(work.end).toBe("finished");
    await elapse(fixture, 75);
    const retry = await service.finishCard.next();
    const again = work.finish("done");
    retry.answer({ card: { id: "c" } });
    expect(await again).toMatchObject({ id: "c" });
    await work[Symbol.asyncDispose]();
    expect(service.giveBackCard.untaken).toHaveLength(0);
  });
});

describe("answerWithin", () => {
  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])("is refused as %s", (answerWithin) => {
    expect(() => fixtureOf({ answerWithin })).toThrow(RangeError);
  });
});
