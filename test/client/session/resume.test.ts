/** A session whose call is lost, and what its client does about it. */

import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import type { ClientEvent } from "../../../src/client/api/events.ts";
import type { Lease } from "../../../src/client/api/lease.ts";
import { LeaseEnd, WorkOutcome } from "../../../src/client/gen/ggen/backpressure/v1/lease_pb.ts";
import { refusal } from "../../../src/server/machine/reasons.ts";
import { refusalError } from "../../../src/server/wire/error-wire.ts";
import { aborted } from "../support/aborted.ts";
import { type FixtureOptions, RENEW_AFTER, settle, TTL, VALID_FOR } from "../support/client-fixture.ts";
import { connectionLost } from "../support/fake-service.ts";
import {
  CREDENTIAL,
  createSessionFixture,
  grantedInSession,
  holdInSession,
  nextSession,
  type Opened,
  openSession,
  renewedAll,
  statusOf,
} from "../support/session-fixture.ts";

/** ms before the first attempt to have a lease again, at half of what chance may bring. */
const FIRST_DELAY = 25;

/** Several leases in one session. */
async function holdMany(count: number, options: FixtureOptions = {}) {
  const events: ClientEvent[] = [];
  const fixture = createSessionFixture({ onEvent: (event) => events.push(event), ...options });
  const acquiring = Array.from({ length: count }, () => fixture.client.acquire("db"));
  const opened = await openSession(fixture);
  for (let i = 1; i <= count; i += 1) {
    const { id } = await opened.nextOf("acquire");
    opened.answer(id, { case: "granted", value: grantedInSession(`lease-${i}`) });
  }
  return { ...fixture, ...opened, events, leases: await Promise.all(acquiring) };
}

/** Answers the first message of a session that is taken up again, which asks for a renewal. */
async function takeUp(opened: Opened, leaseIds: readonly string[]): Promise<void> {
  const { id } = await opened.nextOf("renew");
  opened.session.say({
    opened: { credential: CREDENTIAL, resumed: true, leaseIds: [...leaseIds] },
    answers: [{ id, answer: renewedAll() }],
  });
  await settle();
}

/** The attempt that is made when the session's call has broken. */
async function breakAndAttempt(held: Awaited<ReturnType<typeof holdMany>>): Promise<Opened> {
  held.session.fail(connectionLost());
  await settle();
  held.clock.advance(FIRST_DELAY);
  return nextSession(held);
}

describe("a session whose call is lost", () => {
  it("is taken up again once for all its leases, which are as good as before", async () => {
    const held = await holdMany(3);
    const again = await breakAndAttempt(held);
    expect(again.first.open).toMatchObject({ resume: CREDENTIAL, keepOnCancel: true });
    expect(again.first.commands.map(({ command }) => command.case)).toEqual(["renew"]);
    expect(held.leases.every(({ valid }) => valid)).toBe(true);
    await takeUp(again, ["lease-1", "lease-2", "lease-3"]);
    expect(held.events.filter(({ kind }) => kind === "resumed")).toHaveLength(3);
    held.clock.advance(VALID_FOR - 1);
    expect(held.leases.every(({ valid }) => valid)).toBe(true);
    expect(held.service.session.untaken).toEqual([]);
    expect(held.service.acquire.untaken).toEqual([]);
  });

  it("hears what it still holds in several messages, where that is much", async () => {
    const held = await holdMany(3);
    const [one, lost, other] = held.leases as [Lease, Lease, Lease];
    const again = await breakAndAttempt(held);
    const { id } = await again.nextOf("renew");
    const opened = { credential: CREDENTIAL, resumed: true };
    again.session.say({ opened: { ...opened, leaseIds: ["lease-3"], more: true } });
    await settle();
    expect(held.events.filter(({ kind }) => kind === "resumed")).toEqual([]);
    again.session.say({ opened: { ...opened, leaseIds: ["lease-1"] }, answers: [{ id, answer: renewedAll() }] });
    await settle();
    expect(held.events.filter(({ kind }) => kind === "resumed")).toHaveLength(2);
    expect([one.valid, other.valid]).toEqual([true, true]);
    const asked = await again.nextOf("release");
    expect(asked.value).toMatchObject({ leaseId: lost.id, outcome: WorkOutcome.IGNORED });
  });

  it("begins anew where it breaks among those messages", async () => {
    const held = await holdMany(2);
    const again = await breakAndAttempt(held);
    again.session.say({ opened: { credential: CREDENTIAL, resumed: true, leaseIds: ["lease-1"], more: true } });
    again.session.fail(connectionLost());
    await settle();
    held.clock.advance(2 * FIRST_DELAY);
    const third = await nextSession(held);
    expect(third.first.open).toMatchObject({ resume: CREDENTIAL });
    await takeUp(third, ["lease-1", "lease-2"]);
    expect(held.leases.every(({ valid }) => valid)).toBe(true);
  });

  it("counts validity from the moment when the attempt was made", async () => {
    const held = await holdMany(1);
    held.clock.advance(RENEW_AFTER - 2 * FIRST_DELAY);
    const again = await breakAndAttempt(held);
    held.clock.advance(500);
    await takeUp(again, ["lease-1"]);
    held.clock.advance(VALID_FOR - 500 - 1);
    const [lease] = held.leases as [Lease];
    expect(lease.valid).toBe(true);
    held.clock.advance(1);
    expect(lease.valid).toBe(false);
  });

  it("that has lost a lease meanwhile asks how that ended, and keeps the others", async () => {
    const held = await holdMany(2);
    const [kept, lost] = held.leases as [Lease, Lease];
    const again = await breakAndAttempt(held);
    await takeUp(again, ["lease-1"]);
    const { id, value } = await again.nextOf("release");
    expect(value).toMatchObject({ leaseId: "lease-2", outcome: WorkOutcome.IGNORED });
    again.answer(id, { case: "released", value: { end: LeaseEnd.REVOKED, alreadyEnded: true } });
    expect(await aborted(lost.signal)).toMatchObject({ reason: "LEASE_REVOKED" });
    await expect(lost.release()).resolves.toBe("revoked");
    expect(kept.valid).toBe(true);
  });

  it("that is no more has lost its leases, and another is opened for what is asked", async () => {
    const held = await holdMany(1);
    const [lease] = held.leases as [Lease];
    const again = await breakAndAttempt(held);
    const waiting = held.client.acquire("db");
    again.session.fail(refusalError(refusal("SESSION_NOT_FOUND")));
    const other = await openSession(held);
    expect(other.first.open?.resume).toBeUndefined();
    await other.nextOf("renew").then(({ id }) => other.answer(id, { case: "renewed", value: {} }));
    const { id } = await other.nextOf("acquire");
    const ended = await other.nextOf("release");
    expect(ended.value).toMatchObject({ leaseId: "lease-1" });
    const failed = statusOf(refusalError(refusal("LEASE_NOT_FOUND")));
    other.answer(ended.id, { case: "failed", value: failed });
    expect(await aborted(lease.signal)).toMatchObject({ reason: "LEASE_NOT_FOUND" });
    other.answer(id, { case: "granted", value: grantedInSession("lease-9") });
    expect(await waiting).toMatchObject({ id: "lease-9", valid: true });
  });

  it.each([
    ["a connection that fails", () => connectionLost()],
    ["another attempt that came late", () => refusalError(refusal("SESSION_DISPLACED"))],
    ["a server that fails", () => new ConnectError("an internal error", Code.Internal)],
  ])("is asked for again after %s", async (_, error) => {
    const held = await holdMany(1);
    const again = await breakAndAttempt(held);
    again.session.fail(error());
    await settle();
    held.clock.advance(2 * FIRST_DELAY);
    const third = await nextSession(held);
    expect(third.first.open).toMatchObject({ resume: CREDENTIAL });
    await takeUp(third, ["lease-1"]);
    expect(held.leases[0]?.valid).toBe(true);
  });

  it("is asked for again where the server ends it", async () => {
    const held = await holdMany(1);
    held.session.end();
    await settle();
    held.clock.advance(FIRST_DELAY);
    const again = await nextSession(held);
    expect(again.first.open).toMatchObject({ resume: CREDENTIAL });
  });

  it("has its waiters ask again under their request ids", async () => {
    const held = await holdMany(1);
    const waiting = held.client.acquire("db");
    const before = await held.nextOf("acquire");
    held.answer(before.id, { case: "waiting", value: { waitersAhead: 0 } });
    await settle();
    const again = await breakAndAttempt(held);
    await takeUp(again, ["lease-1"]);
    held.clock.advance(100);
    const after = await again.nextOf("acquire");
    expect(after.value.requestId).toBe(before.value.requestId);
    again.answer(after.id, { case: "granted", value: grantedInSession("lease-2") });
    expect((await waiting).id).toBe("lease-2");
  });

  it("says a release that was on its way again", async () => {
    const held = await holdMany(2);
    const [lease] = held.leases as [Lease];
    const releasing = lease.release();
    await held.nextOf("release");
    held.session.fail(connectionLost());
    await settle();
    held.clock.advance(100);
    const again = await nextSession(held);
    expect(again.first.open).toMatchObject({ resume: CREDENTIAL });
    again.session.say({ opened: { credential: CREDENTIAL, resumed: true, leaseIds: ["lease-1", "lease-2"] } });
    let release = await again.next();
    while (release.command.case !== "release") release = await again.next();
    expect(release.command.value).toMatchObject({ leaseId: "lease-1" });
    again.answer(release.id, { case: "released", value: { end: LeaseEnd.RELEASED } });
    await expect(releasing).resolves.toBe("released");
  });

  it("loses a lease of ttl 0 at once", async () => {
    const fixture = createSessionFixture();
    const acquiring = fixture.client.acquire("db");
    const { session, nextOf, answer } = await openSession(fixture);
    const { id } = await nextOf("acquire");
    answer(id, { case: "granted", value: grantedInSession("lease-1", { ttl: 0, validFor: 0 }) });
    const lease = await acquiring;
    session.fail(connectionLost());
    expect(await aborted(lease.signal)).toMatchObject({ reason: "CONNECTION_LOST" });
  });

  it("releases a lease that it turns out to hold and that nobody has asked for again within 30 s", async () => {
    const held = await holdMany(1, { retry: { maxAttempts: 1 } });
    const again = await breakAndAttempt(held);
    await takeUp(again, ["lease-1", "unheard"]);
    for (let at = 0; at < 30_000; at += RENEW_AFTER) {
      held.clock.advance(RENEW_AFTER);
      await settle();
    }
    await settle();
    const released = again.untaken.flatMap(({ command }) =>
      command.case === "release" ? [command.value.leaseId] : [],
    );
    expect(released).toContain("unheard");
  });
});

describe("a lease that its holder has given up without a word", () => {
  it("is released when its ttl has passed since its last renewal, though the session lives on", async () => {
    const held = await holdMany(1);
    const [lease] = held.leases as [Lease];
    // No renewal is confirmed.
    held.clock.advance(VALID_FOR);
    expect(lease.valid).toBe(false);
    await settle();
    for (let at = VALID_FOR; at < TTL + VALID_FOR; at += 500) {
      held.clock.advance(500);
      await settle();
    }
    const sent = held.session.requests.untaken.flatMap(({ commands }) => commands);
    const released = sent.flatMap(({ command }) => (command.case === "release" ? [command.value] : []));
    expect(released).toMatchObject([{ leaseId: "lease-1", outcome: WorkOutcome.IGNORED }]);
  });
});

describe("a session that is cut while a client is closed", () => {
  it("leaves no timer behind", async () => {
    const fixture = createSessionFixture();
    const { lease, nextOf, answer } = await holdInSession(fixture);
    const closing = fixture.client.close();
    expect(lease.signal.aborted).toBe(true);
    answer((await nextOf("release")).id, { case: "released", value: { end: LeaseEnd.RELEASED } });
    await closing;
  });
});
