/** A lease whose connection is lost, and what its client does about it. */

import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import type { ClientEvent } from "../../src/client/api/events.ts";
import { LeaseEnd } from "../../src/client/gen/ggen/backpressure/v1/lease_pb.ts";
import { refusal } from "../../src/server/machine/reasons.ts";
import { draining, refusalError } from "../../src/server/wire/error-wire.ts";
import { aborted } from "./support/aborted.ts";
import {
  createFixture,
  type Fixture,
  type FixtureOptions,
  granted,
  RENEW_AFTER,
  settle,
  VALID_FOR,
} from "./support/client-fixture.ts";
import { createFakePage } from "./support/fake-page.ts";
import { connectionLost } from "./support/fake-service.ts";
import { hold, renewed } from "./support/held-lease.ts";

/** ms before the first attempt, at half of what chance may bring. */
const FIRST_DELAY = 25;
/** ms; good for longer than any test lasts. */
const LONG = { validFor: 600_000, ttl: 1_200_000 };
const RESUMED = { event: { case: "granted" as const, value: { ...granted(), resumed: true } } };
const SILENT = { initialDelay: 100, maxDelay: 3000, maxAttempts: 1 };

/** A lease that has just lost its stream, and what the client has reported. */
async function holdAndLose(options: FixtureOptions = {}, grant = granted()) {
  const events: ClientEvent[] = [];
  const fixture = createFixture({ onEvent: (event) => events.push(event), ...options });
  const { lease, stream } = await hold(fixture, {}, grant);
  stream.fail(connectionLost());
  await settle();
  return { ...fixture, lease, events };
}

/** The attempt that is made after so many ms, and not before. */
async function attemptAfter({ clock, service }: Pick<Fixture, "clock" | "service">, delay: number) {
  clock.advance(delay - 1);
  await settle();
  expect(service.acquire.untaken).toHaveLength(0);
  clock.advance(1);
  await settle();
  expect(service.acquire.untaken).toHaveLength(1);
  return service.acquire.next();
}

describe("a lease whose connection is lost", () => {
  it("is asked for again by its id and secret, and is as good as before meanwhile", async () => {
    const held = await holdAndLose();
    const { request } = await attemptAfter(held, FIRST_DELAY);
    expect(request).toMatchObject({ claims: [], resume: { leaseId: "lease-1", secret: "secret of lease-1" } });
    expect(held.lease.valid).toBe(true);
    expect(held.lease.signal.aborted).toBe(false);
  });

  it("counts its validity from the moment when the request was sent that took it up again", async () => {
    const held = await holdAndLose();
    held.clock.advance(RENEW_AFTER - FIRST_DELAY);
    const attempt = await held.service.acquire.next();
    const sentAgo = RENEW_AFTER - 2 * FIRST_DELAY;
    attempt.say(RESUMED);
    await settle();
    held.clock.advance(VALID_FOR - sentAgo - 1);
    expect(held.lease.signal.aborted).toBe(false);
    held.clock.advance(1);
    expect(held.lease.signal.reason).toMatchObject({ reason: "VALIDITY_EXPIRED" });
  });

  it("tries again and again, each time after a delay of up to twice as much, and never after more than a second", async () => {
    const held = await holdAndLose({}, granted("lease-1", LONG));
    for (const delay of [25, 50, 100, 200, 400, 500, 500]) {
      (await attemptAfter(held, delay)).fail(connectionLost());
      await settle();
    }
    expect(held.lease.valid).toBe(true);
  });

  it.each([
    [0, 0],
    [0.999, 49.95],
  ])("spreads the first attempts from at once to 50 ms (by chance %d: %d ms)", async (fraction, delay) => {
    const { clock, service } = await holdAndLose({ fraction });
    if (delay > 0) clock.advance(delay - 0.01);
    await settle();
    expect(service.acquire.untaken).toHaveLength(0);
    clock.advance(0.01);
    await settle();
    expect(service.acquire.untaken).toHaveLength(1);
  });

  it("is lost as soon as its validity has run out and not before, and no longer asked for", async () => {
    const { clock, service, lease } = await holdAndLose();
    const lostAt: number[] = [];
    const since = clock.now().monotonic;
    lease.signal.addEventListener("abort", () => lostAt.push(clock.now().monotonic - since));
    while (lostAt.length === 0) {
      for (const mailbox of [service.acquire, service.renew]) {
        while (mailbox.untaken.length > 0) (await mailbox.next()).fail(connectionLost());
      }
      await settle();
      clock.advance(5);
    }
    expect(lostAt).toEqual([VALID_FOR]);
    expect(lease.signal.reason).toMatchObject({
      reason: "VALIDITY_EXPIRED",
      cause: { name: "ServerUnavailableError" },
    });
    expect(String(lease.signal.reason)).toContain("ECONNRESET");
    clock.advance(60_000);
    await settle();
    expect(service.acquire.untaken).toHaveLength(0);
    expect(clock.pending()).toBe(0);
  });

  it("is found lost by a read of its signal after the machine has slept, and no attempt brings it back", async () => {
    const { clock, service, lease } = await holdAndLose();
    clock.suspend(VALID_FOR);
    expect(lease.signal.reason).toMatchObject({ reason: "VALIDITY_EXPIRED" });
    clock.advance(60_000);
    await settle();
    expect(service.acquire.untaken).toHaveLength(0);
  });

  it("is kept by a renewal that is confirmed meanwhile", async () => {
    const { clock, service, lease } = await holdAndLose();
    clock.advance(RENEW_AFTER);
    (await service.renew.next()).answer({ results: [renewed(VALID_FOR)] });
    await settle();
    clock.advance(VALID_FOR - 1);
    expect(lease.valid).toBe(true);
    clock.advance(1);
    expect(lease.valid).toBe(false);
  });

  it.each([
    ["a server that drains", () => draining(1_000_000)],
    ["a connection that fails", () => connectionLost()],
    ["a server that fails", () => new ConnectError("an internal error", Code.Internal)],
  ])("is asked for again after %s", async (_, error) => {
    const held = await holdAndLose();
    (await attemptAfter(held, FIRST_DELAY)).fail(error());
    await settle();
    expect(held.lease.signal.aborted).toBe(false);
    (await attemptAfter(held, 2 * FIRST_DELAY)).say(RESUMED);
    await settle();
    expect(held.lease.valid).toBe(true);
  });

  it.each([
    "LEASE_NOT_FOUND",
    "LEASE_SECRET_MISMATCH",
    "LEASE_ENDED",
    "LEASE_EXPIRED",
    "LEASE_REVOKED",
    "LEASE_DISPLACED",
    "LIMITER_DELETED",
  ] as const)("is lost at once when the server answers %s", async (reason) => {
    const held = await holdAndLose();
    (await attemptAfter(held, FIRST_DELAY)).fail(refusalError(refusal(reason)));
    expect(await aborted(held.lease.signal)).toMatchObject({ name: "LeaseLostError", reason });
    held.clock.advance(60_000);
    await settle();
    expect(held.service.acquire.untaken).toHaveLength(0);
  });

  it("is lost at once when the server says that it was released", async () => {
    const held = await holdAndLose();
    (await attemptAfter(held, FIRST_DELAY)).end();
    expect(await aborted(held.lease.signal)).toMatchObject({ reason: "LEASE_ENDED" });
  });

  it("is asked for once at a time, and no attempt is cancelled while its holder relies on the lease", async () => {
    const held = await holdAndLose({}, granted("lease-1", LONG));
    const attempt = await attemptAfter(held, FIRST_DELAY);
    held.clock.advance(60_000);
    await settle();
    expect(held.service.acquire.untaken).toHaveLength(0);
    expect(attempt.signal.aborted).toBe(false);
    attempt.say(RESUMED);
    await settle();
    expect(held.lease.valid).toBe(true);
  });

  it("that was taken up again is taken up again once more, after a pause as short as the first", async () => {
    const held = await holdAndLose({}, granted("lease-1", LONG));
    for (let i = 0; i < 3; i += 1) {
      const attempt = await attemptAfter(held, FIRST_DELAY);
      attempt.say(RESUMED);
      await settle();
      held.clock.advance(1000);
      attempt.fail(connectionLost());
      await settle();
    }
    expect(held.lease.valid).toBe(true);
  });

  it("is asked for more and more seldom when the connection breaks as soon as it is there", async () => {
    const held = await holdAndLose({}, granted("lease-1", LONG));
    for (const delay of [25, 50, 100, 200, 400, 500, 500]) {
      const attempt = await attemptAfter(held, delay);
      attempt.say(RESUMED);
      await settle();
      attempt.fail(connectionLost());
      await settle();
    }
  });

  it("hears on its new stream what the server has to say", async () => {
    const notices: unknown[] = [];
    const fixture = createFixture();
    const { lease, stream } = await hold(fixture, {
      onRevoking: ({ message }) => notices.push(message),
      onDraining: ({ endTime }) => notices.push(endTime.getTime()),
    });
    stream.fail(connectionLost());
    await settle();
    const attempt = await attemptAfter(fixture, FIRST_DELAY);
    attempt.say(RESUMED);
    attempt.say({ event: { case: "revoking", value: { endTime: timestampFromMs(1), message: "maintenance" } } });
    attempt.say({ event: { case: "draining", value: { endTime: timestampFromMs(2) } } });
    await settle();
    expect(notices).toEqual(["maintenance", 2]);
    expect(lease.revoking?.message).toBe("maintenance");
    attempt.fail(refusalError(refusal("LEASE_DISPLACED")));
    expect(await aborted(lease.signal)).toMatchObject({ reason: "LEASE_DISPLACED" });
  });

  it("is reported by the client's events, and nowhere else", async () => {
    const held = await holdAndLose();
    (await attemptAfter(held, FIRST_DELAY)).fail(draining(0));
    await settle();
    (await attemptAfter(held, 2 * FIRST_DELAY)).say(RESUMED);
    await settle();
    expect(held.events).toMatchObject([
      { kind: "resuming", leaseId: "lease-1", attempt: 1, error: { name: "ServerUnavailableError" } },
      { kind: "resuming", leaseId: "lease-1", attempt: 2, error: { reason: "DRAINING" } },
      { kind: "resumed", leaseId: "lease-1", attempt: 2 },
    ]);
    expect(held.warnings).toEqual([]);
  });

  it("of ttl 0 is lost at once, and never asked for", async () => {
    const { clock, service, lease, events } = await holdAndLose({}, granted("lease-1", { ttl: 0, validFor: 0 }));
    expect(lease.signal.reason).toMatchObject({ reason: "CONNECTION_LOST" });
    clock.advance(60_000);
    await settle();
    expect(service.acquire.untaken).toHaveLength(0);
    expect(events).toEqual([]);
  });

  it("keeps its place among the client's streams", async () => {
    const held = await holdAndLose({ maxStreams: 1 });
    const refused = { name: "TooManyStreamsError" };
    await expect(held.client.acquire("db")).rejects.toMatchObject(refused);
    const attempt = await attemptAfter(held, FIRST_DELAY);
    await expect(held.client.acquire("db")).rejects.toMatchObject(refused);
    attempt.say(RESUMED);
    await settle();
    await expect(held.client.acquire("db")).rejects.toMatchObject(refused);
    const releasing = held.lease.release();
    (await held.service.release.next()).answer({ end: LeaseEnd.RELEASED });
    attempt.end();
    await releasing;
    void held.client.acquire("db");
    await held.service.acquire.next();
  });
});

describe("releasing a lease whose connection is lost", () => {
  it("between two attempts makes no further one, and waits for the server's word alone", async () => {
    const { client, clock, service, lease, events } = await holdAndLose({ maxStreams: 1 });
    const releasing = lease.release();
    (await service.release.next()).answer({ end: LeaseEnd.RELEASED });
    await expect(releasing).resolves.toBe("released");
    expect(clock.pending()).toBe(0);
    clock.advance(60_000);
    await settle();
    expect(service.acquire.untaken).toHaveLength(0);
    expect(events).toEqual([]);
    void client.acquire("db");
    await service.acquire.next();
  });

  it("during an attempt waits for that to end, and cancels it after a second if that does not come", async () => {
    const held = await holdAndLose();
    const attempt = await attemptAfter(held, FIRST_DELAY);
    const releasing = held.lease.release();
    (await held.service.release.next()).answer({ end: LeaseEnd.RELEASED });
    await settle();
    held.clock.advance(999);
    expect(attempt.signal.aborted).toBe(false);
    held.clock.advance(1);
    await attempt.cancelled;
    await expect(releasing).resolves.toBe("released");
    expect(held.clock.pending()).toBe(0);
  });

  it("during an attempt leaves nothing open when that succeeds afterwards", async () => {
    const held = await holdAndLose({ maxStreams: 1 });
    const attempt = await attemptAfter(held, FIRST_DELAY);
    const releasing = held.lease.release();
    attempt.say(RESUMED);
    await settle();
    expect(held.events.map(({ kind }) => kind)).toEqual(["resuming"]);
    (await held.service.release.next()).answer({ end: LeaseEnd.RELEASED });
    await settle();
    held.clock.advance(1000);
    await attempt.cancelled;
    await expect(releasing).resolves.toBe("released");
    void held.client.acquire("db");
    await held.service.acquire.next();
  });

  it("answers `unconfirmed` where the server cannot be reached, and cancels the attempt", async () => {
    const held = await holdAndLose({ retry: SILENT });
    const attempt = await attemptAfter(held, FIRST_DELAY);
    const releasing = held.lease.release();
    (await held.service.release.next()).fail(connectionLost());
    await attempt.cancelled;
    await expect(releasing).resolves.toBe("unconfirmed");
  });

  it("after its validity ran out ends the stream that an attempt has brought too late", async () => {
    const held = await holdAndLose();
    const attempt = await attemptAfter(held, FIRST_DELAY);
    held.clock.suspend(VALID_FOR);
    expect(held.lease.signal.reason).toMatchObject({ reason: "VALIDITY_EXPIRED" });
    attempt.say(RESUMED);
    await settle();
    // Its holder may still be about to stop: until it says so no other client may have the permits.
    expect(attempt.signal.aborted).toBe(false);
    expect(held.lease.valid).toBe(false);
    expect(held.events.map(({ kind }) => kind)).toEqual(["resuming"]);
    const releasing = held.lease.release("ignored");
    (await held.service.release.next()).answer({ end: LeaseEnd.RELEASED });
    attempt.end();
    await expect(releasing).resolves.toBe("released");
  });

  it("from a listener to the attempt about to be made calls that off", async () => {
    const released: Promise<unknown>[] = [];
    const fixture = createFixture({ onEvent: () => released.push(lease.release()) });
    const { lease, stream } = await hold(fixture);
    stream.fail(connectionLost());
    await settle();
    fixture.clock.advance(5000);
    (await fixture.service.release.next()).answer({ end: LeaseEnd.RELEASED });
    await expect(Promise.all(released)).resolves.toEqual(["released"]);
    expect(fixture.service.acquire.untaken).toHaveLength(0);
  });

  it("happens when the client is closed, which then has no stream and no timer left", async () => {
    const held = await holdAndLose();
    const closing = held.client.close();
    expect(held.lease.signal.reason).toMatchObject({ name: "ClientClosedError" });
    (await held.service.release.next()).answer({ end: LeaseEnd.RELEASED });
    await closing;
    held.clock.advance(60_000);
    await settle();
    expect(held.service.acquire.untaken).toHaveLength(0);
    expect(held.clock.pending()).toBe(0);
  });

  it("is left to the page's last words when that goes away, and no attempt is made or left open", async () => {
    for (const isAsking of [false, true]) {
      const page = createFakePage();
      const held = await holdAndLose({ page });
      const attempt = isAsking ? await attemptAfter(held, FIRST_DELAY) : undefined;
      page.hide();
      expect(page.sent).toMatchObject([["Release", { leaseId: "lease-1" }]]);
      expect(held.lease.signal.reason).toMatchObject({ reason: "PAGE_HIDDEN" });
      await attempt?.cancelled;
      held.clock.advance(60_000);
      await settle();
      expect(held.service.acquire.untaken).toHaveLength(0);
    }
  });
});
