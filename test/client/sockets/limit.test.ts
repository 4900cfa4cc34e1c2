/** Functions under leases, in the shape of p-limit. */

import { describe, expect, expectTypeOf, it } from "vitest";
import { OverloadedError } from "../../../src/client/api/errors.ts";
import type { Lease } from "../../../src/client/api/lease.ts";
import type { LimitedFunction } from "../../../src/client/api/limit.ts";
import { createLimit } from "../../../src/client/lease/limit.ts";
import { createRateLimiter } from "../../../src/in-process/index.ts";
import { createFixture, granted, settle } from "../support/client-fixture.ts";
import { connectForTest, startRealServer } from "../support/real-server.ts";

/** A limit over a limiter of this process, with this many permits. */
function limitOf(maxConcurrent: number, parts: { mostAsking?: number; mostOpen?: number; signal?: AbortSignal } = {}) {
  const limiter = createRateLimiter({ maxConcurrent });
  return { limiter, limit: createLimit({ admit: (signal) => limiter.acquire({ signal }), ...parts }) };
}

const tick = () => new Promise((resolve) => setTimeout(resolve, 1));

describe("a limit", () => {
  it.each<[string, { mostAsking?: number; mostOpen?: number }]>([
    ["", {}],
    ["that lets few ask", { mostAsking: 1 }],
    ["that lets few be open", { mostOpen: 2 }],
  ])("runs no more at once than are admitted, in their order %s", async (_, parts) => {
    const { limiter, limit } = limitOf(3, parts);
    const order: number[] = [];
    let running = 0;
    let most = 0;
    const squares = await limit.map(
      Array.from({ length: 20 }, (_each, i) => i),
      async (item, index) => {
        order.push(index);
        running += 1;
        most = Math.max(most, running);
        await tick();
        running -= 1;
        return item * item;
      },
    );
    expect(squares).toEqual(Array.from({ length: 20 }, (_each, i) => i * i));
    expect(order).toEqual(Array.from({ length: 20 }, (_each, i) => i));
    expect(most).toBe(Math.min(3, parts.mostOpen ?? 3));
    expect(await limiter.inFlight()).toBe(0);
    expect([limit.activeCount, limit.pendingCount]).toEqual([0, 0]);
  });

  it("calls a function with the arguments that it is given, and no others", async () => {
    const { limit } = limitOf(1);
    const seen = await limit((...args: unknown[]) => args, "a", 2);
    expect(seen).toEqual(["a", 2]);
    expect(await limit((a: number, b: number) => a + b, 1, 2)).toBe(3);
  });

  it("gives a function without arguments its lease and the signal of that", async () => {
    const { limit } = limitOf(1);
    await limit((lease: Lease, signal) => {
      expect(lease.valid).toBe(true);
      expect(signal).toBe(lease.signal);
    });
  });

  it("counts what runs and what waits", async () => {
    const { limit } = limitOf(1);
    const first = Promise.withResolvers<void>();
    const all = [limit(() => first.promise), limit(() => {}), limit(() => {})];
    await settle();
    expect([limit.activeCount, limit.pendingCount]).toEqual([1, 2]);
    first.resolve();
    await Promise.all(all);
    expect([limit.activeCount, limit.pendingCount]).toEqual([0, 0]);
  });

  it.each([100, 1])("takes back what waits, here and there, when its queue is cleared (%d ask)", async (mostAsking) => {
    const { limiter, limit } = limitOf(1, { mostAsking });
    const first = Promise.withResolvers<string>();
    const running = limit(() => first.promise);
    const waiting = [limit(() => "never"), limit(() => "never")];
    await settle();
    limit.clearQueue();
    for (const one of waiting) await expect(one).rejects.toMatchObject({ name: "AbortError" });
    expect(limit.pendingCount).toBe(0);
    first.resolve("done");
    expect(await running).toBe("done");
    expect(await limit(() => "after")).toBe("after");
    expect(await limiter.inFlight()).toBe(0);
  });

  it("gives everything back when its signal aborts", async () => {
    const controller = new AbortController();
    const { limiter, limit } = limitOf(1, { signal: controller.signal });
    const running = limit(
      (_, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
        }),
    );
    const waiting = limit(() => {});
    await settle();
    controller.abort(new Error("enough"));
    await expect(running).rejects.toThrow("enough");
    await expect(waiting).rejects.toThrow("enough");
    await expect(limit(() => {})).rejects.toThrow("enough");
    expect(await limiter.inFlight()).toBe(0);
  });

  it("rejects with what its function throws, at once or later, and goes on", async () => {
    const { limiter, limit } = limitOf(1);
    await expect(
      limit(() => {
        throw new Error("at once");
      }),
    ).rejects.toThrow("at once");
    await expect(
      limit(async () => {
        throw new Error("later");
      }),
    ).rejects.toThrow("later");
    expect(await limiter.inFlight()).toBe(0);
    expect(await limit(() => 1)).toBe(1);
  });

  it("rejects where it is not admitted, and goes on", async () => {
    let refusing = true;
    const limiter = createRateLimiter({ maxConcurrent: 1 });
    const limit = createLimit({
      mostAsking: 1,
      admit: (signal) => (refusing ? Promise.reject(new Error("no")) : limiter.acquire({ signal })),
    });
    await expect(limit(() => 1)).rejects.toThrow("no");
    refusing = false;
    expect(await limit(() => 1)).toBe(1);
  });

  it("rejects a map with what its items throw", async () => {
    const { limit } = limitOf(1);
    function* broken() {
      yield 1;
      throw new Error("no more items");
    }
    await expect(Promise.resolve().then(() => limit.map(broken(), (item) => item))).rejects.toThrow("no more items");
  });
});

describe("client.limit", () => {
  it("acquires with its options for each call, and releases as the function went", async () => {
    const { client, service } = createFixture();
    const limit = client.limit("db", { permits: 2, key: "k", maxWait: 500, holder: "me" });
    const running = limit(() => {
      throw new OverloadedError("too much");
    });
    const call = await service.acquire.next();
    expect(call.request).toMatchObject({ claims: [{ limiter: "db", permits: 2, key: "k" }], holder: "me" });
    call.say({ event: { case: "granted", value: granted() } });
    const release = await service.release.next();
    expect(release.request).toMatchObject({ outcome: 2 });
    release.answer({ end: 1 });
    call.end();
    await expect(running).rejects.toThrow("too much");
  });

  it("with a function is that function with admission", async () => {
    const { address } = await startRealServer("limiters: [{ name: db, max_concurrent: 2 }]");
    const client = connectForTest(address);
    const add = client.limit("db", (a: number, b: number) => a + b);
    expectTypeOf(add).toEqualTypeOf<LimitedFunction<[a: number, b: number], number>>();
    expect(await Promise.all([add(1, 2), add(3, 4), add(5, 6)])).toEqual([3, 7, 11]);
    const slow = client.limit([{ limiter: "db", permits: 2 }], { maxWait: 20_000 }, async () => tick());
    const runs = [slow(), slow()];
    expect(slow.pendingCount).toBe(2);
    await Promise.all(runs);
    expect(slow.activeCount).toBe(0);
    expect(await client.controller("db").inFlight()).toBe(0);
  });

  it("maps over more items than the client may have streams", async () => {
    const { address } = await startRealServer("limiters: [{ name: db, max_concurrent: 100 }]");
    const client = connectForTest(address, { maxStreams: 4 });
    const limit = client.limit("db");
    expect(
      await limit.map([1, 2, 3, 4, 5, 6, 7, 8, 9], async (item) => {
        await tick();
        return -item;
      }),
    ).toEqual([-1, -2, -3, -4, -5, -6, -7, -8, -9]);
  });
});
