/** What is asked by a session: commands there, answers back. */

import { toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { LeaseEnd, WorkOutcome } from "../../../src/client/gen/ggen/backpressure/v1/lease_pb.ts";
import { SessionRequestSchema } from "../../../src/client/gen/ggen/backpressure/v1/session_service_pb.ts";
import { refusal } from "../../../src/server/machine/reasons.ts";
import { draining, refusalError } from "../../../src/server/wire/error-wire.ts";
import { aborted } from "../support/aborted.ts";
import { RENEW_AFTER, settle, VALID_FOR } from "../support/client-fixture.ts";
import { connectionLost } from "../support/fake-service.ts";
import {
  createSessionFixture,
  grantedInSession,
  holdInSession,
  nextSession,
  openSession,
  renewedAll,
  statusOf,
} from "../support/session-fixture.ts";

describe("a client with sessions", () => {
  it("opens one with its first command, which comes along, and keeps what is cancelled", async () => {
    const fixture = createSessionFixture();
    void fixture.client.acquire("db", { holder: "me", permits: 2 });
    const { first } = await nextSession(fixture);
    expect(first.open).toMatchObject({ keepOnCancel: true });
    expect(first.open?.resume).toBeUndefined();
    expect(first.commands).toMatchObject([
      { command: { case: "acquire", value: { claims: [{ limiter: "db", permits: 2 }], holder: "me" } } },
    ]);
    expect(first.commands[0]?.command.value).toMatchObject({ keepOnCancel: false });
  });

  it("sends what is asked in one turn as one message, each under an id of its own", async () => {
    const fixture = createSessionFixture();
    void fixture.client.acquire("db");
    const { session } = await openSession(fixture);
    await settle();
    for (let i = 0; i < 3; i += 1) void fixture.client.acquire("db");
    const { open, commands } = await session.requests.next();
    expect(open).toBeUndefined();
    expect(commands.map(({ command }) => command.case)).toEqual(["acquire", "acquire", "acquire"]);
    expect(new Set(commands.map(({ id }) => id)).size).toBe(3);
  });

  it("sends at most 1,000 commands in one message", async () => {
    const fixture = createSessionFixture();
    for (let i = 0; i < 1500; i += 1) void fixture.client.acquire("db");
    const { session, first } = await nextSession(fixture);
    expect(first.commands).toHaveLength(1000);
    expect((await session.requests.next()).commands).toHaveLength(500);
  });

  it("sends no message that is longer than half of what a server takes", async () => {
    const fixture = createSessionFixture();
    const holder = "€".repeat(85);
    for (let i = 0; i < 1500; i += 1) void fixture.client.acquire("db", { holder, key: `${i}${"€".repeat(80)}` });
    const { session, first } = await nextSession(fixture);
    const messages = [first];
    const count = () => messages.reduce((sum, { commands }) => sum + commands.length, 0);
    while (count() < 1500) messages.push(await session.requests.next());
    const bytes = messages.map((message) => toBinary(SessionRequestSchema, message).byteLength);
    expect(Math.max(...bytes)).toBeLessThan(1 << 19);
    expect(bytes.length).toBeLessThan(8);
    expect(new Set(messages.flatMap(({ commands }) => commands.map(({ id }) => id))).size).toBe(1500);
  });

  it("waits and holds by it, and says each place", async () => {
    const fixture = createSessionFixture();
    const places: unknown[] = [];
    const acquiring = fixture.client.acquire("db", { onWaiting: ({ waitersAhead }) => places.push(waitersAhead) });
    const { nextOf, answer } = await openSession(fixture);
    const { id } = await nextOf("acquire");
    for (const waitersAhead of [2, 0]) answer(id, { case: "waiting", value: { waitersAhead } });
    answer(id, { case: "granted", value: grantedInSession() });
    const lease = await acquiring;
    expect(lease).toMatchObject({ id: "lease-1", valid: true });
    expect(places).toEqual([2, 0]);
  });

  it("releases without a secret, and has then nothing left", async () => {
    const fixture = createSessionFixture();
    const { lease, nextOf, answer } = await holdInSession(fixture);
    const releasing = lease.release("overloaded");
    const { id, value } = await nextOf("release");
    expect(value).toMatchObject({ leaseId: "lease-1", secret: "", outcome: WorkOutcome.OVERLOADED });
    answer(id, { case: "released", value: { end: LeaseEnd.RELEASED } });
    await expect(releasing).resolves.toBe("released");
    expect(fixture.isAtRest()).toBe(true);
  });

  it("holds nothing by a grant without permits", async () => {
    const fixture = createSessionFixture();
    const acquiring = fixture.client.acquire("db");
    const { nextOf, answer } = await openSession(fixture);
    const { id } = await nextOf("acquire");
    answer(id, { case: "granted", value: grantedInSession("lease-1", { permits: 0, validFor: 0 }) });
    expect(await acquiring).toMatchObject({ id: "lease-1", valid: false });
    await settle();
    expect(fixture.isAtRest()).toBe(true);
  });

  it("takes what is there, or hears why there is nothing", async () => {
    const fixture = createSessionFixture();
    const attempts = [fixture.client.tryAcquire("db"), fixture.client.tryAcquire("db")];
    const { nextOf, answer } = await openSession(fixture);
    const ids = [(await nextOf("tryAcquire")).id, (await nextOf("tryAcquire")).id] as const;
    answer(ids[1], { case: "refused", value: { reason: 30, message: "none" } });
    answer(ids[0], { case: "granted", value: grantedInSession() });
    const [granted, refused] = await Promise.all(attempts);
    expect(granted).toMatchObject({ granted: true, id: "lease-1" });
    expect(refused).toMatchObject({ granted: false, message: "none" });
    // A lease without a stream keeps no process, as without sessions.
    expect(fixture.isAtRest()).toBe(true);
  });

  it("rejects with the status of a command that failed, and the others go on", async () => {
    const fixture = createSessionFixture();
    const failing = fixture.client.acquire("db");
    const waiting = fixture.client.acquire("db");
    const { nextOf, answer } = await openSession(fixture);
    const details = { limiter: "db", key: "eu", retryAfter: 250_000 };
    answer((await nextOf("acquire")).id, {
      case: "failed",
      value: statusOf(refusalError(refusal("QUEUE_FULL", details))),
    });
    await expect(failing).rejects.toMatchObject({
      name: "AdmissionError",
      reason: "QUEUE_FULL",
      code: "RESOURCE_EXHAUSTED",
      limiter: "db",
      key: "eu",
      retryAfterMs: 250,
    });
    answer((await nextOf("acquire")).id, { case: "granted", value: grantedInSession() });
    expect((await waiting).valid).toBe(true);
  });

  it("renews all leases by one command, each for its own validity", async () => {
    const fixture = createSessionFixture();
    const { lease, nextOf, answer } = await holdInSession(fixture);
    const attempt = fixture.client.tryAcquire("db");
    const { id } = await nextOf("tryAcquire");
    answer(id, { case: "granted", value: grantedInSession("lease-2", { validFor: 2 * VALID_FOR }) });
    const second = await attempt;
    if (!second.granted) throw new Error("not granted");
    fixture.clock.advance(RENEW_AFTER);
    const renewal = await nextOf("renew");
    answer(renewal.id, renewedAll());
    await settle();
    fixture.clock.advance(VALID_FOR - 1);
    expect(lease.valid).toBe(true);
    fixture.clock.advance(1);
    expect([lease.valid, second.valid]).toEqual([false, true]);
  });

  it("is notified of an operator who wants a lease back, which a renewal then extends no further", async () => {
    const fixture = createSessionFixture();
    const notices: string[] = [];
    const { lease, session, nextOf, answer } = await holdInSession(fixture, {
      onRevoking: ({ message }) => notices.push(message),
    });
    session.say({
      notices: [
        {
          subject: { case: "leaseId", value: "lease-1" },
          notice: { case: "revoking", value: { endTime: { seconds: 1n }, message: "maintenance" } },
        },
      ],
    });
    await settle();
    expect(notices).toEqual(["maintenance"]);
    fixture.clock.advance(RENEW_AFTER);
    answer((await nextOf("renew")).id, renewedAll(RENEW_AFTER));
    await settle();
    fixture.clock.advance(VALID_FOR - RENEW_AFTER - 1);
    expect(lease.valid).toBe(true);
    fixture.clock.advance(1);
    expect(lease.valid).toBe(false);
  });

  it.each([
    ["LEASE_REVOKED", "revoked"],
    ["LEASE_EXPIRED", "expired"],
    ["LIMITER_DELETED", "deleted"],
    ["LEASE_DISPLACED", "displaced"],
  ] as const)("loses a lease at once whose end is said: %s", async (reason, end) => {
    const fixture = createSessionFixture();
    const { lease, session } = await holdInSession(fixture);
    session.say({
      notices: [
        {
          subject: { case: "leaseId", value: "lease-1" },
          notice: { case: "ended", value: statusOf(refusalError(refusal(reason))) },
        },
      ],
    });
    expect(await aborted(lease.signal)).toMatchObject({ name: "LeaseLostError", reason });
    await expect(lease.release()).resolves.toBe(end);
    expect(fixture.isAtRest()).toBe(true);
  });

  it("tells a lease without a stream of its end by the next renewal", async () => {
    const fixture = createSessionFixture();
    const attempt = fixture.client.tryAcquire("db");
    const { session, nextOf, answer } = await openSession(fixture);
    answer((await nextOf("tryAcquire")).id, { case: "granted", value: grantedInSession() });
    const lease = await attempt;
    if (!lease.granted) throw new Error("not granted");
    session.say({
      notices: [
        {
          subject: { case: "leaseId", value: "lease-1" },
          notice: { case: "ended", value: statusOf(refusalError(refusal("LEASE_REVOKED"))) },
        },
      ],
    });
    await settle();
    fixture.clock.advance(RENEW_AFTER);
    answer((await nextOf("renew")).id, { case: "renewed", value: {} });
    expect(await aborted(lease.signal)).toMatchObject({ reason: "LEASE_REVOKED" });
    await expect(lease.release()).resolves.toBe("revoked");
  });

  it("tells every holder that the server drains, and asks waiters to come again", async () => {
    const fixture = createSessionFixture({ retry: { maxAttempts: 1 } });
    const notices: number[] = [];
    const { session, nextOf } = await holdInSession(fixture, {
      onDraining: ({ endTime }) => notices.push(endTime.getTime()),
    });
    const waiting = fixture.client.acquire("db");
    const { id } = await nextOf("acquire");
    session.say({
      answers: [{ id, answer: { case: "failed", value: statusOf(draining(5000)) } }],
      draining: { endTime: { seconds: 5n } },
    });
    await expect(waiting).rejects.toMatchObject({ reason: "DRAINING", code: "UNAVAILABLE" });
    expect(notices).toEqual([5000]);
  });
});

describe("a command that is not wanted any more", () => {
  it("is cancelled and withdrawn", async () => {
    const fixture = createSessionFixture();
    const controller = new AbortController();
    const acquiring = fixture.client.acquire("db", { signal: controller.signal });
    const opened = await openSession(fixture);
    const { nextOf, answer } = opened;
    const { id, value } = await nextOf("acquire");
    answer(id, { case: "waiting", value: { waitersAhead: 0 } });
    await settle();
    controller.abort(new Error("no longer needed"));
    await expect(acquiring).rejects.toThrow("no longer needed");
    expect((await nextOf("cancel")).value).toMatchObject({ commandId: id });
    expect((await nextOf("release")).value).toMatchObject({ leaseId: "", requestId: value.requestId });
    await settle();
    expect(opened.untaken).toEqual([]);
  });

  it("is not sent at all where it has not left yet", async () => {
    const fixture = createSessionFixture();
    const controller = new AbortController();
    const acquiring = fixture.client.acquire("db", { signal: controller.signal });
    const other = fixture.client.acquire("db");
    controller.abort(new Error("no longer needed"));
    await expect(acquiring).rejects.toThrow("no longer needed");
    const { nextOf, answer } = await openSession(fixture);
    answer((await nextOf("acquire")).id, { case: "granted", value: grantedInSession() });
    await other;
    await settle();
    expect(fixture.isAtRest()).toBe(false);
  });

  it("whose grant is on its way leaves a lease that is released when its ttl has passed, as one that is not renewed", async () => {
    const fixture = createSessionFixture({ answerWithin: 100 });
    const failing = fixture.client.tryAcquire("db", { requestId: "0123456789abcdef" });
    const { nextOf, answer } = await openSession(fixture);
    const { id } = await nextOf("tryAcquire");
    fixture.clock.advance(100);
    fixture.clock.advance(1);
    await expect(failing).rejects.toMatchObject({ name: "ServerUnavailableError" });
    answer(id, { case: "granted", value: grantedInSession() });
    await settle();
    fixture.clock.advance(5999);
    await settle();
    fixture.clock.advance(1);
    const { value } = await nextOf("release");
    expect(value).toMatchObject({ leaseId: "lease-1", outcome: WorkOutcome.IGNORED });
  });
});

describe("a session in which little is asked", () => {
  it("is closed after ten seconds, and another is opened by the next command", async () => {
    const fixture = createSessionFixture();
    const { lease, session, nextOf, answer } = await holdInSession(fixture);
    const releasing = lease.release();
    answer((await nextOf("release")).id, { case: "released", value: { end: LeaseEnd.RELEASED } });
    await releasing;
    await settle();
    fixture.clock.advance(9999);
    let isFinished = false;
    void session.finished.then(() => {
      isFinished = true;
    });
    await settle();
    expect(isFinished).toBe(false);
    fixture.clock.advance(1);
    await session.finished;
    void fixture.client.acquire("db");
    const { first } = await nextSession(fixture);
    expect(first.open?.resume).toBeUndefined();
  });

  it("but waits says so every twenty seconds, since a proxy may end a call whose client is silent", async () => {
    const fixture = createSessionFixture();
    const waiting = fixture.client.acquire("db");
    const { session, nextOf, answer } = await openSession(fixture);
    answer((await nextOf("acquire")).id, { case: "waiting", value: { waitersAhead: 0 } });
    await settle();
    for (let i = 0; i < 3; i += 1) {
      fixture.clock.advance(19_999);
      await settle();
      expect(session.requests.untaken).toEqual([]);
      fixture.clock.advance(1);
      expect((await session.requests.next()).commands).toEqual([]);
    }
    void waiting.catch(() => {});
  });

  it("is kept while a lease without a stream is held", async () => {
    const fixture = createSessionFixture();
    const attempt = fixture.client.tryAcquire("db", { ttl: 1_200_000 });
    const { session, nextOf, answer } = await openSession(fixture);
    const long = { validFor: 600_000, ttl: 1_200_000 };
    answer((await nextOf("tryAcquire")).id, { case: "granted", value: grantedInSession("lease-1", long) });
    await attempt;
    fixture.clock.advance(60_000);
    await settle();
    session.fail(connectionLost());
    await settle();
    void fixture.client.acquire("db");
    const { first } = await nextSession(fixture);
    expect(first.open?.resume).toMatchObject({ sessionId: "session-1" });
  });
});
