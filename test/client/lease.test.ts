import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { LeaseLostError } from "../../src/client/api/errors.ts";
import { LeaseEnd, WorkOutcome } from "../../src/client/gen/ggen/backpressure/v1/lease_pb.ts";
import { Reason } from "../../src/client/gen/ggen/backpressure/v1/reason_pb.ts";
import { refusal } from "../../src/server/machine/reasons.ts";
import { refusalError } from "../../src/server/wire/error-wire.ts";
import { carrier } from "../support/carrier.ts";
import { itOfStreams } from "../support/it-of-streams.ts";
import { aborted } from "./support/aborted.ts";
import { createFixture, granted, RENEW_AFTER, settle, TTL, VALID_FOR } from "./support/client-fixture.ts";
import { connectionLost } from "./support/fake-service.ts";
import { hold, renewed } from "./support/held-lease.ts";

describe("a lease", () => {
  it("shows what was granted", async () => {
    const { lease } = await hold(createFixture());
    expect(lease).toMatchObject({
      granted: true,
      id: "lease-1",
      claims: [{ limiter: "db", key: "", permits: 1, tokens: 1, fencingToken: 7n, slots: [] }],
      holder: "tests",
      grantTime: new Date(Date.UTC(2026, 0, 1)),
      valid: true,
      revoking: undefined,
    });
  });

  it("is lost when no renewal was confirmed within its validity", async () => {
    const fixture = createFixture();
    const { lease } = await hold(fixture);
    fixture.clock.advance(VALID_FOR - 1);
    expect(lease.signal.aborted).toBe(false);
    fixture.clock.advance(1);
    expect(lease.signal.aborted).toBe(true);
    expect(lease.signal.reason).toBeInstanceOf(LeaseLostError);
    expect(lease.signal.reason).toMatchObject({ reason: "VALIDITY_EXPIRED", leaseId: "lease-1" });
    expect(lease.valid).toBe(false);
  });

  it("counts its validity from when its request was sent, however late the grant arrives", async () => {
    const fixture = createFixture();
    const acquiring = fixture.client.acquire("db");
    const stream = await fixture.service.acquire.next();
    fixture.clock.advance(VALID_FOR - 500);
    stream.say({ event: { case: "granted", value: granted() } });
    const lease = await acquiring;
    fixture.clock.advance(499);
    expect(lease.signal.aborted).toBe(false);
    fixture.clock.advance(1);
    expect(lease.signal.aborted).toBe(true);
  });

  it("is confirmed by a Renew before it is handed out, when the wait has used its validity up", async () => {
    const { client, service, clock } = createFixture();
    let isHandedOut = false;
    const acquiring = client.acquire("db").then((lease) => {
      isHandedOut = true;
      return lease;
    });
    const stream = await service.acquire.next();
    stream.say({ event: { case: "waiting", value: { waitersAhead: 0 } } });
    await settle();
    clock.advance(60_000);
    stream.say({ event: { case: "granted", value: granted() } });
    const renew = await service.renew.next();
    expect(renew.request.leases).toMatchObject([{ leaseId: "lease-1", secret: "secret of lease-1" }]);
    await settle();
    expect(isHandedOut).toBe(false);
    clock.advance(200);
    renew.answer({ results: [renewed(VALID_FOR)] });
    const lease = await acquiring;
    clock.advance(VALID_FOR - 201);
    expect(lease.valid).toBe(true);
    clock.advance(1);
    expect(lease.valid).toBe(false);
  });

  itOfStreams("is withdrawn when it is taken back while it is being confirmed", async () => {
    const { client, service, clock } = createFixture();
    const controller = new AbortController();
    const acquiring = client.acquire("db", { signal: controller.signal });
    const stream = await service.acquire.next();
    stream.say({ event: { case: "waiting", value: { waitersAhead: 0 } } });
    await settle();
    clock.advance(60_000);
    stream.say({ event: { case: "granted", value: granted() } });
    await service.renew.next();
    controller.abort(new Error("changed my mind"));
    await expect(acquiring).rejects.toThrow("changed my mind");
    await stream.cancelled;
    expect(service.withdrawn).toEqual([stream.request.requestId]);
    expect(service.release.untaken).toHaveLength(0);
  });

  it("lives on by its renewals, which are made by themselves", async () => {
    const { service, clock, ...fixture } = createFixture();
    const { lease } = await hold({ service, clock, ...fixture });
    for (let i = 0; i < 10; i += 1) {
      clock.advance(RENEW_AFTER);
      (await service.renew.next()).answer({ results: [renewed(VALID_FOR)] });
      await settle();
    }
    expect(lease.valid).toBe(true);
  });

  it("is renewed together with the client's other leases, in one call", async () => {
    const fixture = createFixture();
    await hold(fixture, {}, granted("lease-1"));
    await hold(fixture, {}, granted("lease-2"));
    fixture.clock.advance(RENEW_AFTER);
    const { request } = await fixture.service.renew.next();
    expect(request.leases.map(({ leaseId }) => leaseId)).toEqual(["lease-1", "lease-2"]);
  });

  it("is found lost by a read of its signal after the process was frozen, before any timer fires", async () => {
    const fixture = createFixture();
    const { lease } = await hold(fixture);
    fixture.clock.freeze(VALID_FOR);
    expect(lease.signal.aborted).toBe(true);
  });

  it("is found lost by a read of `valid` after the machine has slept", async () => {
    const fixture = createFixture();
    const { lease } = await hold(fixture);
    fixture.clock.suspend(VALID_FOR);
    expect(lease.valid).toBe(false);
  });

  it("does not come back by a renewal that is confirmed too late", async () => {
    const fixture = createFixture();
    const { lease } = await hold(fixture);
    fixture.clock.advance(RENEW_AFTER);
    const renew = await fixture.service.renew.next();
    fixture.clock.freeze(VALID_FOR);
    renew.answer({ results: [renewed(60_000)] });
    await settle();
    expect(lease.valid).toBe(false);
  });

  it.each([
    [LeaseEnd.EXPIRED, "LEASE_EXPIRED"],
    [LeaseEnd.REVOKED, "LEASE_REVOKED"],
    [LeaseEnd.DELETED, "LIMITER_DELETED"],
    [LeaseEnd.RELEASED, "LEASE_ENDED"],
  ])("is lost when a renewal is answered with its end (%s)", async (ended, reason) => {
    const fixture = createFixture();
    const { lease } = await hold(fixture);
    fixture.clock.advance(RENEW_AFTER);
    (await fixture.service.renew.next()).answer({ results: [{ result: { case: "ended", value: ended } }] });
    expect(await aborted(lease.signal)).toMatchObject({ reason });
  });

  // A lease of a session has no secret of its own.
  it.each(
    carrier === "sessions" ? (["LEASE_NOT_FOUND"] as const) : (["LEASE_NOT_FOUND", "LEASE_SECRET_MISMATCH"] as const),
  )("is lost when a renewal is answered with a refusal (%s)", async (reason) => {
    const fixture = createFixture();
    const { lease } = await hold(fixture);
    fixture.clock.advance(RENEW_AFTER);
    const refused = { case: "refused" as const, value: { reason: Reason[reason] } };
    (await fixture.service.renew.next()).answer({ results: [{ result: refused }] });
    expect(await aborted(lease.signal)).toMatchObject({ reason });
  });

  it.each(["LEASE_REVOKED", "LEASE_EXPIRED", "LEASE_DISPLACED", "LIMITER_DELETED"] as const)(
    "is lost at once when its stream ends with %s",
    async (reason) => {
      const { lease, stream } = await hold(createFixture());
      stream.fail(refusalError(refusal(reason)));
      expect(await aborted(lease.signal)).toMatchObject({ name: "LeaseLostError", reason });
    },
  );

  it("is lost when its stream ends without a release from here", async () => {
    const { lease, stream } = await hold(createFixture());
    stream.end();
    expect(await aborted(lease.signal)).toMatchObject({ reason: "LEASE_ENDED" });
  });

  it("tells its holder once that an operator asks for it back, and is lost when the server takes it", async () => {
    const fixture = createFixture();
    const notices: unknown[] = [];
    const { lease, stream } = await hold(fixture, { onRevoking: (notice) => notices.push(notice) });
    const endTime = new Date(Date.UTC(2026, 0, 1, 0, 0, 6));
    const value = { endTime: timestampFromMs(endTime.getTime()), message: "maintenance" };
    stream.say({ event: { case: "revoking", value } });
    stream.say({ event: { case: "revoking", value } });
    await settle();
    expect(notices).toEqual([{ endTime, message: "maintenance" }]);
    expect(lease.revoking).toEqual({ endTime, message: "maintenance" });
    expect(lease.valid).toBe(true);
    stream.fail(refusalError(refusal("LEASE_REVOKED")));
    expect(await aborted(lease.signal)).toMatchObject({ reason: "LEASE_REVOKED" });
  });

  it("that was asked back is lost in time though the server can no longer say so", async () => {
    const fixture = createFixture();
    const { lease } = await hold(fixture);
    fixture.clock.advance(RENEW_AFTER);
    const endTime = new Date(Date.UTC(2026, 0, 1, 0, 0, 2));
    (await fixture.service.renew.next()).answer({ results: [renewed(1500, endTime)] });
    await settle();
    expect(lease.revoking).toEqual({ endTime, message: "" });
    // What was confirmed before still holds; nothing more is.
    fixture.clock.advance(VALID_FOR - RENEW_AFTER);
    expect(lease.signal.reason).toMatchObject({ reason: "VALIDITY_EXPIRED" });
  });

  it("lives on when its holder's listener throws, which becomes an uncaught error", async () => {
    const thrown: unknown[] = [];
    vi.stubGlobal("queueMicrotask", (task: () => void) => {
      try {
        task();
      } catch (error) {
        thrown.push(error);
      }
    });
    onTestFinished(() => void vi.unstubAllGlobals());
    const bug = new Error("a bug of the holder's");
    const onRevoking = () => {
      throw bug;
    };
    const { lease, stream } = await hold(createFixture(), { onRevoking });
    stream.say({ event: { case: "revoking", value: { endTime: timestampFromMs(0), message: "" } } });
    await settle();
    expect(thrown).toContain(bug);
    expect(lease.valid).toBe(true);
  });

  it("tells its holder that the server is about to stop", async () => {
    const notices: unknown[] = [];
    const { lease, stream } = await hold(createFixture(), { onDraining: (notice) => notices.push(notice) });
    stream.say({ event: { case: "draining", value: { endTime: timestampFromMs(Date.UTC(2026, 0, 2)) } } });
    await settle();
    expect(notices).toEqual([{ endTime: new Date(Date.UTC(2026, 0, 2)) }]);
    expect(lease.valid).toBe(true);
  });

  it("of ttl 0 has no validity clock: it is never renewed, and ends with its stream", async () => {
    const fixture = createFixture();
    const { lease, stream } = await hold(fixture, {}, granted("lease-1", { ttl: 0, validFor: 0 }));
    fixture.clock.advance(3_600_000);
    await settle();
    expect(fixture.service.renew.untaken).toHaveLength(0);
    expect(lease.valid).toBe(true);
    stream.fail(connectionLost());
    expect(await aborted(lease.signal)).toMatchObject({ reason: "CONNECTION_LOST" });
  });

  it("that holds no permits is released already, and its signal does not abort", async () => {
    const fixture = createFixture();
    const { lease, stream } = await hold(fixture, {}, granted("lease-1", { permits: 0, secret: "", validFor: 0 }));
    stream.end();
    await settle();
    expect(lease.valid).toBe(false);
    expect(lease.signal.aborted).toBe(false);
    await expect(lease.release()).resolves.toBe("released");
    fixture.clock.advance(3_600_000);
    await settle();
    expect(lease.signal.aborted).toBe(false);
    expect(fixture.service.release.untaken).toHaveLength(0);
  });
});

describe("releasing a lease", () => {
  it("says how the work went, and answers how the lease ended", async () => {
    const { service, ...fixture } = createFixture();
    const { lease, stream } = await hold({ service, ...fixture });
    const releasing = lease.release("overloaded");
    const call = await service.release.next();
    expect(call.request).toMatchObject({
      leaseId: "lease-1",
      secret: "secret of lease-1",
      outcome: WorkOutcome.OVERLOADED,
    });
    call.answer({ end: LeaseEnd.RELEASED });
    stream.end();
    await expect(releasing).resolves.toBe("released");
    expect(lease.valid).toBe(false);
  });

  it("twice is harmless: the first outcome counts, and both are answered alike", async () => {
    const { service, ...fixture } = createFixture();
    const { lease, stream } = await hold({ service, ...fixture });
    const first = lease.release("ignored");
    const second = lease.release("success");
    const call = await service.release.next();
    expect(call.request.outcome).toBe(WorkOutcome.IGNORED);
    call.answer({ end: LeaseEnd.RELEASED });
    stream.end();
    expect(await Promise.all([first, second, lease.release()])).toEqual(["released", "released", "released"]);
    expect(service.release.untaken).toHaveLength(0);
  });

  it("happens at the end of the scope that holds it", async () => {
    const { service, ...fixture } = createFixture();
    const streams: { end(): void }[] = [];
    async function work() {
      const held = await hold({ service, ...fixture });
      await using lease = held.lease;
      streams.push(held.stream);
      return lease.id;
    }
    const working = work();
    const call = await service.release.next();
    expect(call.request.outcome).toBe(WorkOutcome.SUCCESS);
    call.answer({ end: LeaseEnd.RELEASED });
    streams[0]?.end();
    await expect(working).resolves.toBe("lease-1");
  });

  it("does not abort its signal, which tells of losses", async () => {
    const { service, clock, ...fixture } = createFixture();
    const { lease, stream } = await hold({ service, clock, ...fixture });
    const releasing = lease.release();
    (await service.release.next()).answer({ end: LeaseEnd.RELEASED });
    stream.end();
    await releasing;
    clock.advance(60_000);
    await settle();
    expect(lease.signal.aborted).toBe(false);
  });

  itOfStreams(
    "waits for the server to end the stream, and cancels it after a second if that does not come",
    async () => {
      const { service, clock, ...fixture } = createFixture();
      const { lease, stream } = await hold({ service, clock, ...fixture });
      let isReleased = false;
      const releasing = lease.release().then(() => {
        isReleased = true;
      });
      (await service.release.next()).answer({ end: LeaseEnd.RELEASED });
      await settle();
      clock.advance(999);
      await settle();
      expect(stream.signal.aborted).toBe(false);
      expect(isReleased).toBe(false);
      clock.advance(1);
      await stream.cancelled;
      await releasing;
    },
  );

  it("leaves room for the next stream when it is done", async () => {
    const { client, service, ...fixture } = createFixture({ maxStreams: 1 });
    const { lease, stream } = await hold({ client, service, ...fixture });
    const releasing = lease.release();
    (await service.release.next()).answer({ end: LeaseEnd.RELEASED });
    await settle();
    stream.end();
    await releasing;
    void client.acquire("db");
    await service.acquire.next();
  });

  it("leaves no timer behind", async () => {
    const { service, clock, ...fixture } = createFixture();
    const { lease, stream } = await hold({ service, clock, ...fixture });
    const releasing = lease.release();
    (await service.release.next()).answer({ end: LeaseEnd.RELEASED });
    stream.end();
    await releasing;
    await settle();
    expect(clock.pending()).toBe(0);
  });

  itOfStreams(
    "is said again where no answer came, after the stream was cancelled in case that frees it at once",
    async () => {
      const { service, clock, ...fixture } = createFixture();
      const { lease, stream } = await hold({ service, clock, ...fixture });
      const releasing = lease.release();
      (await service.release.next()).fail(connectionLost());
      await stream.cancelled;
      clock.advance(100);
      (await service.release.next()).answer({ end: LeaseEnd.RELEASED });
      await expect(releasing).resolves.toBe("released");
    },
  );

  itOfStreams("answers `unconfirmed` when the server cannot be reached before the ttl has passed", async () => {
    const fixture = createFixture({ retry: { maxAttempts: 100 } });
    const { service, clock } = fixture;
    const { lease } = await hold(fixture);
    const releasing = lease.release();
    const since = clock.now().monotonic;
    let isOver = false;
    void releasing.then(() => {
      isOver = true;
    });
    while (!isOver) {
      for (const call of service.release.untaken.length > 0 ? [await service.release.next()] : []) {
        call.fail(connectionLost());
      }
      clock.advance(50);
      await settle();
    }
    await expect(releasing).resolves.toBe("unconfirmed");
    expect(clock.now().monotonic - since).toBeLessThanOrEqual(TTL);
  });

  it("says `unconfirmed` of a lease that the server does not know", async () => {
    const { service, ...fixture } = createFixture();
    const { lease } = await hold({ service, ...fixture });
    const releasing = lease.release();
    (await service.release.next()).fail(refusalError(refusal("LEASE_NOT_FOUND")));
    await expect(releasing).resolves.toBe("unconfirmed");
  });

  itOfStreams(
    "tells the server of a lease whose validity has run out, so that its permits are free before the ttl",
    async () => {
      const { service, clock, ...fixture } = createFixture();
      const { lease, stream } = await hold({ service, clock, ...fixture });
      stream.fail(connectionLost());
      await settle();
      clock.suspend(VALID_FOR);
      await aborted(lease.signal);
      const releasing = lease.release("ignored");
      (await service.release.next()).answer({ end: LeaseEnd.RELEASED });
      await expect(releasing).resolves.toBe("released");
    },
  );

  it("sends nothing for a lease whose end the server has said, least of all where it lives on elsewhere", async () => {
    const { service, ...fixture } = createFixture();
    const { lease, stream } = await hold({ service, ...fixture });
    stream.fail(refusalError(refusal("LEASE_DISPLACED")));
    await aborted(lease.signal);
    await expect(lease.release()).resolves.toBe("displaced");
    expect(service.release.untaken).toHaveLength(0);
  });

  it("happens when the caller's signal aborts while it is held, and its own signal aborts for the same reason", async () => {
    const { service, ...fixture } = createFixture();
    const controller = new AbortController();
    const { lease, stream } = await hold({ service, ...fixture }, { signal: controller.signal });
    controller.abort(new Error("shutting down"));
    expect(lease.signal.reason).toEqual(new Error("shutting down"));
    const call = await service.release.next();
    expect(call.request.outcome).toBe(WorkOutcome.IGNORED);
    call.answer({ end: LeaseEnd.RELEASED });
    stream.end();
    await expect(lease.release()).resolves.toBe("released");
  });

  it("happens to all leases when the client is closed", async () => {
    const fixture = createFixture();
    const one = await hold(fixture, {}, granted("lease-1"));
    const two = await hold(fixture, {}, granted("lease-2"));
    const closing = fixture.client.close();
    expect(one.lease.signal.reason).toMatchObject({ name: "ClientClosedError" });
    expect(two.lease.signal.aborted).toBe(true);
    (await fixture.service.release.next()).answer({ end: LeaseEnd.RELEASED });
    one.stream.end();
    await settle();
    expect(fixture.isConnected()).toBe(true);
    (await fixture.service.release.next()).fail(new ConnectError("bug", Code.Internal));
    await closing;
    expect(fixture.isConnected()).toBe(false);
    await expect(fixture.client.acquire("db")).rejects.toMatchObject({ name: "ClientClosedError" });
  });
});
