/** A way to the server that carries no sessions: calls are made as if there were none. */

import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { LeaseEnd } from "../../../src/client/gen/ggen/backpressure/v1/lease_pb.ts";
import { granted, RENEW_AFTER, settle, VALID_FOR } from "../support/client-fixture.ts";
import { connectionLost } from "../support/fake-service.ts";
import { renewed } from "../support/held-lease.ts";
import {
  createSessionFixture,
  grantedInSession,
  nextSession,
  OPEN_WITHIN,
  openSession,
  type SessionFixture,
  TOO_MANY_COMMANDS,
} from "../support/session-fixture.ts";

const UNIMPLEMENTED = new ConnectError("unknown service", Code.Unimplemented);
const GRANTED = { event: { case: "granted" as const, value: granted() } };

/** A lease on a stream of its own, since no session could be opened. */
async function holdElsewhere({ client, service }: SessionFixture) {
  const acquiring = client.acquire("db");
  const stream = await service.acquire.next();
  stream.say(GRANTED);
  return { lease: await acquiring, stream };
}

describe("a server without sessions", () => {
  it("is asked by calls, also for what was asked by the session, and never for a session again", async () => {
    const fixture = createSessionFixture();
    const { client, service, clock } = fixture;
    const acquiring = client.acquire("db");
    (await nextSession(fixture)).session.fail(UNIMPLEMENTED);
    const stream = await service.acquire.next();
    expect(stream.request).toMatchObject({ claims: [{ limiter: "db" }], keepOnCancel: true });
    stream.say(GRANTED);
    const lease = await acquiring;
    clock.advance(RENEW_AFTER);
    const renew = await service.renew.next();
    expect(renew.request.leases).toMatchObject([{ leaseId: "lease-1", secret: "secret of lease-1" }]);
    renew.answer({ results: [renewed(VALID_FOR)] });
    const attempt = client.tryAcquire("db");
    (await service.tryAcquire.next()).answer({ result: { case: "refused", value: {} } });
    expect((await attempt).granted).toBe(false);
    const releasing = lease.release();
    (await service.release.next()).answer({ end: LeaseEnd.RELEASED });
    stream.end();
    await expect(releasing).resolves.toBe("released");
    expect(service.session.untaken).toEqual([]);
  });

  it("is resumed by the streams of its leases", async () => {
    const fixture = createSessionFixture();
    const acquiring = holdElsewhere(fixture);
    (await nextSession(fixture)).session.fail(UNIMPLEMENTED);
    const { stream } = await acquiring;
    stream.fail(connectionLost());
    await settle();
    fixture.clock.advance(25);
    const { request } = await fixture.service.acquire.next();
    expect(request).toMatchObject({ resume: { leaseId: "lease-1", secret: "secret of lease-1" } });
  });
});

describe("a proxy that keeps a session back", () => {
  it("is found out when calls are answered and a session is not opened, twice", async () => {
    const fixture = createSessionFixture();
    const { client, service, clock } = fixture;
    const acquiring = client.acquire("db");
    const first = await nextSession(fixture);
    clock.advance(OPEN_WITHIN);
    await first.session.cancelled;
    const stream = await service.acquire.next();
    stream.say(GRANTED);
    await acquiring;
    const second = await nextSession(fixture);
    expect(second.first.commands).toEqual([]);
    void client.tryAcquire("db");
    await service.tryAcquire.next();
    clock.advance(OPEN_WITHIN);
    await second.session.cancelled;
    void client.tryAcquire("db");
    await service.tryAcquire.next();
    expect(service.session.untaken).toEqual([]);
  });

  it("is none when the second attempt succeeds: a connection was slow", async () => {
    const fixture = createSessionFixture();
    const { client, service, clock } = fixture;
    const acquiring = client.acquire("db");
    await nextSession(fixture);
    clock.advance(OPEN_WITHIN);
    (await service.acquire.next()).say(GRANTED);
    const lease = await acquiring;
    const second = await openSession(fixture);
    await settle();
    const attempt = client.tryAcquire("db");
    const { id } = await second.nextOf("tryAcquire");
    second.answer(id, { case: "granted", value: grantedInSession("lease-2") });
    expect(await attempt).toMatchObject({ id: "lease-2" });
    // What was granted without the session ends without it.
    void lease.release();
    expect((await service.release.next()).request).toMatchObject({ secret: "secret of lease-1" });
  });

  it("is none where calls fail as well: the next attempt is by session", async () => {
    const fixture = createSessionFixture({ retry: { maxAttempts: 2 } });
    const { client, service, clock } = fixture;
    const acquiring = client.acquire("db");
    await nextSession(fixture);
    clock.advance(OPEN_WITHIN);
    (await service.acquire.next()).fail(connectionLost());
    await settle();
    clock.advance(100);
    const { nextOf, answer } = await openSession(fixture);
    answer((await nextOf("acquire")).id, { case: "granted", value: grantedInSession() });
    expect((await acquiring).valid).toBe(true);
  });
});

describe("a session that is full", () => {
  it("leaves what is too much for it to calls", async () => {
    const fixture = createSessionFixture();
    const { client, service, clock } = fixture;
    const many = [client.acquire("db"), client.acquire("db")];
    const { nextOf, answer } = await openSession(fixture);
    answer((await nextOf("acquire")).id, { case: "granted", value: grantedInSession() });
    answer((await nextOf("acquire")).id, { case: "failed", value: TOO_MANY_COMMANDS });
    (await service.acquire.next()).say({ event: { case: "granted", value: granted("lease-2") } });
    const leases = await Promise.all(many);
    expect(leases.map(({ id }) => id)).toEqual(["lease-1", "lease-2"]);
    // Each lease is renewed where it is held.
    clock.advance(RENEW_AFTER);
    const renew = await service.renew.next();
    expect(renew.request.leases).toMatchObject([{ leaseId: "lease-2" }]);
    renew.answer({ results: [renewed(VALID_FOR)] });
    answer((await nextOf("renew")).id, { case: "renewed", value: { validFor: { seconds: 3n } } });
    await settle();
    clock.advance(VALID_FOR - 1);
    expect(leases.map(({ valid }) => valid)).toEqual([true, true]);
  });
});
