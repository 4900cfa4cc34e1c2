import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { LeaseEnd, WorkOutcome } from "../../src/client/gen/ggen/backpressure/v1/lease_pb.ts";
import { Reason } from "../../src/client/gen/ggen/backpressure/v1/reason_pb.ts";
import { refusal } from "../../src/server/machine/reasons.ts";
import { refusalError } from "../../src/server/wire/error-wire.ts";
import { createFixture, granted, RENEW_AFTER, settle } from "./support/client-fixture.ts";
import { connectionLost } from "./support/fake-service.ts";

const GRANTED = { result: { case: "granted" as const, value: granted() } };
const REFUSED = {
  result: {
    case: "refused" as const,
    value: {
      reason: Reason.RATE_EXHAUSTED,
      message: "too few tokens",
      limiter: "db",
      key: "eu",
      retryAfter: durationFromMs(120),
      waitersAhead: 0,
    },
  },
};

describe("tryAcquire", () => {
  it("answers a refusal as a value", async () => {
    const { client, service } = createFixture();
    const trying = client.tryAcquire("db", { key: "eu" });
    (await service.tryAcquire.next()).answer(REFUSED);
    expect(await trying).toMatchObject({
      granted: false,
      reason: "RATE_EXHAUSTED",
      message: "too few tokens",
      limiter: "db",
      key: "eu",
      retryAfterMs: 120,
      waitersAhead: 0,
    });
  });

  it("gives an answer that `await using` takes, granted or not", async () => {
    const { client, service } = createFixture();
    async function work() {
      await using attempt = await client.tryAcquire("db");
      return attempt.granted ? attempt.id : attempt.reason;
    }
    const refused = work();
    (await service.tryAcquire.next()).answer(REFUSED);
    await expect(refused).resolves.toBe("RATE_EXHAUSTED");

    const worked = work();
    (await service.tryAcquire.next()).answer(GRANTED);
    (await service.release.next()).answer({ end: LeaseEnd.RELEASED });
    await expect(worked).resolves.toBe("lease-1");
  });

  it("keeps its lease by renewing it until it is released", async () => {
    const { client, service, clock } = createFixture();
    const trying = client.tryAcquire([{ limiter: "db" }], { ttl: 6000 });
    (await service.tryAcquire.next()).answer(GRANTED);
    const lease = await trying;
    if (!lease.granted) throw new Error("refused");
    for (let i = 0; i < 5; i += 1) {
      clock.advance(RENEW_AFTER);
      const renewed = { case: "renewed" as const, value: { validFor: durationFromMs(3000) } };
      (await service.renew.next()).answer({ results: [{ result: renewed }] });
      await settle();
    }
    expect(lease.valid).toBe(true);
    const releasing = lease.release();
    (await service.release.next()).answer({ end: LeaseEnd.RELEASED });
    await releasing;
    clock.advance(60_000);
    await settle();
    expect(service.renew.untaken).toHaveLength(0);
    expect(clock.pending()).toBe(0);
  });

  it("asks again with the same request id where no answer came", async () => {
    const { client, service, clock } = createFixture();
    const trying = client.tryAcquire("db");
    const first = await service.tryAcquire.next();
    first.fail(connectionLost());
    await settle();
    clock.advance(75);
    const second = await service.tryAcquire.next();
    expect(second.request.requestId).toBe(first.request.requestId);
    second.answer(GRANTED);
    expect((await trying).granted).toBe(true);
  });

  it("rejects for what is no refusal", async () => {
    const { client, service } = createFixture();
    const trying = client.tryAcquire("nowhere");
    (await service.tryAcquire.next()).fail(refusalError(refusal("LIMITER_NOT_FOUND", { limiter: "nowhere" })));
    await expect(trying).rejects.toMatchObject({ reason: "LIMITER_NOT_FOUND", code: "NOT_FOUND", limiter: "nowhere" });
  });

  it("gives back what is granted after its signal has aborted", async () => {
    const { client, service } = createFixture();
    const controller = new AbortController();
    const trying = client.tryAcquire("db", { signal: controller.signal });
    const call = await service.tryAcquire.next();
    controller.abort(new Error("too late"));
    await expect(trying).rejects.toThrow("too late");
    call.answer(GRANTED);
    expect((await service.release.next()).request).toMatchObject({ leaseId: "lease-1", outcome: WorkOutcome.IGNORED });
  });

  it("withdraws its request where its signal aborts between two attempts", async () => {
    const { client, service } = createFixture();
    const controller = new AbortController();
    const trying = client.tryAcquire("db", { signal: controller.signal });
    const call = await service.tryAcquire.next();
    call.fail(connectionLost());
    await settle();
    controller.abort(new Error("too late"));
    await expect(trying).rejects.toThrow("too late");
    await settle();
    expect(service.withdrawn).toEqual([call.request.requestId]);
    expect(service.tryAcquire.untaken).toHaveLength(0);
  });

  it("gives back what is granted while the client is being closed", async () => {
    const { client, service, isConnected } = createFixture();
    const trying = client.tryAcquire("db");
    const call = await service.tryAcquire.next();
    const closing = client.close();
    await expect(trying).rejects.toMatchObject({ name: "ClientClosedError" });
    await settle();
    expect(isConnected()).toBe(true);
    call.answer(GRANTED);
    (await service.release.next()).answer({ end: LeaseEnd.RELEASED });
    await closing;
    expect(isConnected()).toBe(false);
  });

  it("gives a lease that holds nothing for a limiter with a rate limit alone", async () => {
    const { client, service } = createFixture();
    const trying = client.tryAcquire("mail");
    const value = granted("lease-1", { permits: 0, secret: "", validFor: 0 });
    (await service.tryAcquire.next()).answer({ result: { case: "granted", value } });
    const lease = await trying;
    expect(lease).toMatchObject({ granted: true, valid: false });
    if (lease.granted) await expect(lease.release()).resolves.toBe("released");
    expect(service.release.untaken).toHaveLength(0);
  });
});
