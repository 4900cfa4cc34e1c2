import { describe, expect, it } from "vitest";
import { createRenewer, type Renewable } from "../../src/client/hold/renewer.ts";
import type { Credential, RenewAnswer } from "../../src/client/lease/renew.ts";
import type { Moment } from "../../src/client/rpc/clock.ts";
import { settle } from "./support/client-fixture.ts";
import { createFakeClock } from "./support/fake-clock.ts";

const RENEWED: RenewAnswer = { kind: "renewed", validFor: 3000, revokingUntil: undefined };

function setup({ fraction = 0.5 } = {}) {
  const clock = createFakeClock();
  const calls: { readonly at: number; readonly ids: string[]; readonly timeout: number }[] = [];
  const failed: { readonly leaseId: string; readonly remaining: number; readonly message: string }[] = [];
  let isReachable = true;
  let isSlow = 0;
  const start = clock.now().monotonic;
  const renewer = createRenewer({
    clock,
    random: { requestId: () => "", fraction: () => fraction },
    async renew(leases: readonly Credential[], { within: timeout }: { readonly within: number }) {
      calls.push({ at: clock.now().monotonic - start, ids: leases.map(({ leaseId }) => leaseId), timeout });
      if (!isReachable) throw new Error("unreachable");
      if (isSlow) await new Promise<void>((resolve) => clock.schedule(isSlow, resolve));
      return leases.map(() => RENEWED);
    },
    onFailed: ({ leaseId }, remaining, error) => failed.push({ leaseId, remaining, message: error.message }),
  });

  function lease(id: string, validFor = 3000): Renewable<Credential, RenewAnswer> {
    let sent: Moment = clock.now();
    return {
      credential: { leaseId: id, secret: "" },
      remaining: () => validFor - (clock.now().monotonic - sent.monotonic),
      renewed: (_, sentAt) => {
        sent = sentAt;
      },
    };
  }

  return {
    clock,
    renewer,
    calls,
    lease,
    failed,
    setReachable: (to: boolean) => {
      isReachable = to;
    },
    /** ms from a call to its answer. */
    setSlow: (to: number) => {
      isSlow = to;
    },
  };
}

describe("renewer", () => {
  it("renews at a third of the validity, again and again", async () => {
    const { clock, renewer, calls, lease } = setup();
    renewer.add(lease("a"));
    for (let i = 0; i < 3; i += 1) {
      clock.advance(1000);
      await settle();
    }
    expect(calls.map(({ at }) => at)).toEqual([1000, 2000, 3000]);
  });

  it("spreads renewals by a tenth to either side", () => {
    const early = setup({ fraction: 0 });
    early.renewer.add(early.lease("a"));
    early.clock.advance(899);
    expect(early.calls).toHaveLength(0);
    early.clock.advance(1);
    expect(early.calls).toHaveLength(1);

    const late = setup({ fraction: 0.999 });
    late.renewer.add(late.lease("a"));
    late.clock.advance(1099);
    expect(late.calls).toHaveLength(0);
    late.clock.advance(1);
    expect(late.calls).toHaveLength(1);
  });

  it("takes leases along that would be due soon anyway, in one call", async () => {
    const { clock, renewer, calls, lease } = setup();
    renewer.add(lease("a"));
    clock.advance(300);
    renewer.add(lease("b"));
    clock.advance(200);
    renewer.add(lease("c"));
    clock.advance(500);
    await settle();
    expect(calls.map(({ ids }) => ids)).toEqual([["a", "b", "c"]]);
  });

  it("never asks for more than 1,000 leases in one call", async () => {
    const { clock, renewer, calls, lease } = setup();
    for (let i = 0; i < 2500; i += 1) renewer.add(lease(`lease-${i}`));
    clock.advance(1000);
    await settle();
    expect(calls.map(({ ids }) => ids.length)).toEqual([1000, 1000, 500]);
    expect(new Set(calls.flatMap(({ ids }) => ids)).size).toBe(2500);
  });

  it("tries again after a third of what is left when a call fails, gives each call all of that, and tells of it", async () => {
    const { clock, renewer, calls, failed, lease, setReachable } = setup();
    setReachable(false);
    renewer.add(lease("a"));
    clock.advance(1000);
    await settle();
    clock.advance(667);
    await settle();
    setReachable(true);
    clock.advance(445);
    await settle();
    clock.advance(1000);
    await settle();
    expect(calls.map(({ at }) => Math.round(at))).toEqual([1000, 1667, 2111, 3112]);
    expect(calls.map(({ timeout }) => Math.round(timeout))).toEqual([2000, 1333, 889, 2000]);
    expect(failed.map((event) => ({ ...event, remaining: Math.round(event.remaining) }))).toEqual([
      { leaseId: "a", remaining: 2000, message: "unreachable" },
      { leaseId: "a", remaining: 1333, message: "unreachable" },
    ]);
  });

  it("makes another call when half of what was left has passed without an answer, and takes the late answer all the same", async () => {
    const { clock, renewer, calls, failed, lease, setSlow } = setup();
    setSlow(1900);
    const slow = lease("a");
    renewer.add(slow);
    clock.advance(1000);
    // Half of the 2,000 ms that were left, then a third of 1,000.
    clock.advance(1334);
    expect(calls.map(({ at }) => Math.round(at))).toEqual([1000, 2333]);
    clock.advance(567);
    await settle();
    expect(Math.round(slow.remaining())).toBe(1099);
    expect(failed).toEqual([]);
  });

  it("keeps leases of different validity in time", async () => {
    const { clock, renewer, calls, lease } = setup();
    renewer.add(lease("slow", 30_000));
    renewer.add(lease("quick", 300));
    clock.advance(100);
    await settle();
    expect(calls.map(({ ids }) => ids)).toEqual([["quick"]]);
  });

  it("leaves no timer when its last lease is removed", () => {
    const { clock, renewer, calls, lease } = setup();
    const a = lease("a");
    const b = lease("b");
    renewer.add(a);
    renewer.add(b);
    renewer.remove(a);
    renewer.remove(b);
    expect(clock.pending()).toBe(0);
    clock.advance(5000);
    expect(calls).toHaveLength(0);
  });
});
