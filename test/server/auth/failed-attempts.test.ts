import { describe, expect, it } from "vitest";
import { createFailedAttempts, createFailureMemory } from "../../../src/server/auth/failed-attempts.ts";
import { networkOf } from "../../../src/server/shared/network-of.ts";
import { createFakeClock } from "../../support/fake-clock.ts";

describe("wrong credentials of one address", () => {
  it("are 20 at once, and one each second", () => {
    const clock = createFakeClock();
    const attempts = createFailedAttempts(createFailureMemory(), clock.now);
    for (let i = 0; i < 20; i++) {
      expect(attempts.mayTry("10.0.0.1")).toBe(true);
      attempts.failed("10.0.0.1");
    }
    expect(attempts.mayTry("10.0.0.1")).toBe(false);
    expect(attempts.mayTry("10.0.0.2")).toBe(true);
    clock.advance(999_999);
    expect(attempts.mayTry("10.0.0.1")).toBe(false);
    clock.advance(1);
    expect(attempts.mayTry("10.0.0.1")).toBe(true);
    attempts.failed("10.0.0.1");
    expect(attempts.mayTry("10.0.0.1")).toBe(false);
  });

  it("are those of all threads together", () => {
    const clock = createFakeClock();
    const memory = createFailureMemory();
    const threads = [0, 1].map(() => createFailedAttempts(memory, clock.now));
    const told = Array.from({ length: 20 }, (_, i) => threads[i % 2]?.failed("10.0.0.1").isToldNow);
    expect(threads.map((thread) => thread.mayTry("10.0.0.1"))).toEqual([false, false]);
    expect(told.filter(Boolean)).toHaveLength(1);
    // The control: one that shares nothing knows of none.
    expect(createFailedAttempts(createFailureMemory(), clock.now).mayTry("10.0.0.1")).toBe(true);
  });

  it("are told once a minute, with how many they were", () => {
    const clock = createFakeClock();
    const attempts = createFailedAttempts(createFailureMemory(), clock.now);
    expect(attempts.failed("a")).toEqual({ isToldNow: true, times: 1 });
    expect(attempts.failed("a")).toMatchObject({ isToldNow: false });
    clock.advance(60_000_000);
    expect(attempts.failed("a")).toEqual({ isToldNow: true, times: 2 });
  });

  it("are those of its whole /64", () => {
    expect(networkOf("2001:db8:0:1::1")).toBe(networkOf("2001:db8:0:1:ffff::2"));
    expect(networkOf("2001:db8:0:1::1")).not.toBe(networkOf("2001:db8:0:2::1"));
    expect(networkOf("::ffff:10.0.0.1")).toBe("10.0.0.1");
    expect(networkOf("fe80::1%eth0")).toBe(networkOf("fe80::2%eth0"));
  });
});
