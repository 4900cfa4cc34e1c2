import { describe, expect, it } from "vitest";
import type { Moment } from "../../src/client/clock.ts";
import { createRenewer, type Renewable } from "../../src/client/renewer.ts";
import type { Credential, RenewAnswer } from "../../src/client/renewing.ts";
import { settle } from "./support/client-fixture.ts";
import { createFakeClock } from "./support/fake-clock.ts";

const RENEWED: RenewAnswer = { kind: "renewed", validFor: 3000, revokingUntil: undefined };

function setup({ fraction = 0.5 } = {}) {
  const clock = createFakeClock();
  const calls: { readonly at: number; readonly ids: string[]; readonly timeout: number }[] = [];
  let isReachable = true;
  const start = clock.now().monotonic;
  const renewer = createRenewer({
    clock,
    random: { requestId: () => "", fraction: () => fraction },
    async renew(leases: readonly Credential[], timeout: number) {
      calls.push({ at: clock.now().monotonic - start, ids: leases.map(({ leaseId }) => leaseId), timeout });
      if (!isReachable) throw new Error("unreachable");
      return leases.map(() => RENEWED);
    },
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
    setReachable: (to: boolean) => {
      isReachable = to;
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

  it("tries again after a third of what is left when a call fails, and gives no call more than half of that", async () => {
    const { clock, renewer, calls, lease, setReachable } = setup();
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
    expect(calls.map(({ timeout }) => Math.round(timeout))).toEqual([1000, 667, 444, 1000]);
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
