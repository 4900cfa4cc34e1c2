import { describe, expect, test } from "vitest";
import { AdmissionError as ClientsError } from "../../src/client/index.ts";
import { AdmissionError, createRateLimiter, createRateLimiters, type Lease } from "../../src/in-process/index.ts";

async function errorOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe("what a caller gave", () => {
  test("an onWaiting that throws takes the request back: no permit is lost, and nothing is uncaught", async () => {
    const limiter = createRateLimiter({ maxConcurrent: 1 });
    const held = await limiter.acquire();
    const broken = new Error("the listener is broken");
    const asked = limiter.acquire({
      onWaiting() {
        throw broken;
      },
    });
    expect(await errorOf(asked)).toBe(broken);
    expect(await limiter.waiters()).toBe(0);
    await held.release();
    expect(await limiter.inFlight()).toBe(0);
    expect((await limiter.tryAcquire()).granted).toBe(true);
  });

  test("one that throws later does the same, and those behind it move up", async () => {
    const limiter = createRateLimiter({ maxConcurrent: 1 });
    const held = await limiter.acquire();
    const second = limiter.acquire();
    let heard = 0;
    const broken = new Error("the listener is broken by now");
    const third = errorOf(
      limiter.acquire({
        onWaiting() {
          heard += 1;
          if (heard === 2) throw broken;
        },
      }),
    );
    const fourth = limiter.acquire();
    await held.release();
    const next = await second;
    expect(await third).toBe(broken);
    expect(await limiter.waiters()).toBe(1);
    await next.release();
    await (await fourth).release();
    expect(await limiter.inFlight()).toBe(0);
  });

  test("an onWaiting that aborts its own request takes it back once", async () => {
    const limiter = createRateLimiter({ maxConcurrent: 1 });
    const held = await limiter.acquire();
    const abort = new AbortController();
    const asked = limiter.acquire({ signal: abort.signal, onWaiting: () => abort.abort("enough") });
    expect(await errorOf(asked)).toBe("enough");
    expect(await limiter.waiters()).toBe(0);
    await held.release();
    expect(await limiter.inFlight()).toBe(0);
  });

  test("work, and an outcomeOf, that throw leave nothing held", async () => {
    const limiter = createRateLimiter({ maxConcurrent: 1 });
    const failing = limiter.withLease(() => {
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    const worse = limiter.withLease(
      {
        outcomeOf() {
          throw new Error("worse");
        },
      },
      () => Promise.reject(new Error("no")),
    );
    await expect(worse).rejects.toThrow("worse");
    expect(await limiter.inFlight()).toBe(0);
  });
});

describe("a limiter of this process", () => {
  test("does work under leases, alone and in the shape of p-limit", async () => {
    const limiter = createRateLimiter({ maxConcurrent: 2 });
    expect(await limiter.withLease((lease) => lease.claims[0]?.permits)).toBe(1);
    const limit = limiter.limit();
    let most = 0;
    const answers = await limit.map([1, 2, 3, 4, 5], async (item) => {
      most = Math.max(most, limit.activeCount);
      await new Promise(setImmediate);
      return item * 2;
    });
    expect(answers).toEqual([2, 4, 6, 8, 10]);
    expect(most).toBe(2);
    const add = limiter.limit(async (a: number, b: number) => a + b);
    expect(await add(1, 2)).toBe(3);
    expect(await limiter.inFlight()).toBe(0);
  });

  test("counts those that wait, and refuses more than may", async () => {
    const limiter = createRateLimiter({ maxConcurrent: 1, maxWaiters: 2, name: "db" });
    const held = await limiter.acquire();
    const waiting = [limiter.acquire(), limiter.acquire()];
    expect(await limiter.waiters()).toBe(2);
    const error = await errorOf(limiter.acquire());
    expect(error).toMatchObject({ reason: "QUEUE_FULL", retryable: true, retryAfterMs: 1000, limiter: "db" });
    expect((error as Error).message).toContain("maxWaiters is 2");
    await held.release();
    for (const one of waiting) await (await one).release();
  });

  test("waits no longer than its own max_wait, and says so", async () => {
    const limiter = createRateLimiter({ maxConcurrent: 1, maxWait: 20 });
    await using _held = await limiter.acquire();
    expect(await errorOf(limiter.acquire({ maxWait: 60_000 }))).toMatchObject({
      reason: "WAIT_TIMEOUT",
      code: "DEADLINE_EXCEEDED",
      retryable: true,
    });
  });

  test("has a bucket and permits for each key, if it is keyed", async () => {
    const limiter = createRateLimiter({ maxConcurrent: 1, maxRps: 1, burstSize: 1, keyed: true, maxKeys: 2 });
    await using _ann = await limiter.acquire({ key: "ann" });
    await using _bob = await limiter.acquire({ key: "bob" });
    expect(await limiter.inFlight("ann")).toBe(1);
    expect(await limiter.inFlight()).toBe(2);
    expect(await limiter.tryAcquire({ key: "ann" })).toMatchObject({ reason: "CONCURRENCY_EXHAUSTED", key: "ann" });
    expect(await limiter.tryAcquire({ key: "cid" })).toMatchObject({ reason: "KEYS_EXHAUSTED", retryable: true });
    expect(await errorOf(limiter.acquire())).toMatchObject({ reason: "INVALID_REQUEST", retryable: false });
    const plain = createRateLimiter({ maxConcurrent: 1 });
    expect(await errorOf(plain.tryAcquire({ key: "ann" }))).toMatchObject({ reason: "INVALID_REQUEST" });
    expect(() => createRateLimiter({ maxConcurrent: 1, maxKeys: 5 })).toThrow("maxKeys needs keyed: true");
  });

  test("names itself and its options in what it refuses, and no server", async () => {
    const limiter = createRateLimiter({ maxConcurrent: 2, maxRps: 100, burstSize: 75, maxWaiters: 0 });
    const held = (await limiter.acquire({ permits: 2 })) as Lease;
    const errors = [
      await errorOf(limiter.acquire({ tokens: 4000 })),
      await errorOf(limiter.acquire({ permits: 3 })),
      await errorOf(limiter.acquire()),
      await errorOf(limiter.acquire({ maxWait: 0 })),
      await errorOf(limiter.acquire({ key: "k" })),
    ];
    for (const error of errors) {
      expect(error).toBeInstanceOf(AdmissionError);
      expect(error).toBeInstanceOf(ClientsError);
      expect((error as Error).message).toContain('limiter "in-process"');
      expect((error as Error).message).not.toMatch(/server|max_|burst_/i);
    }
    expect((errors[0] as Error).message).toContain("asks for 4,000 tokens; burstSize is 75");
    expect((errors[1] as Error).message).toContain("asks for 3 permits; maxConcurrent is 2");
    await held.release();
  });
});

describe("limiters of this process", () => {
  test("grant several claims whole or not at all", async () => {
    const limiters = createRateLimiters({ db: { maxConcurrent: 1 }, gpu: { maxConcurrent: 2 } });
    const claims = [{ limiter: "db" }, { limiter: "gpu", permits: 2 }];
    const first = await limiters.acquire(claims);
    expect(first.claims.map(({ limiter, permits }) => [limiter, permits])).toEqual([
      ["db", 1],
      ["gpu", 2],
    ]);
    expect(await limiters.tryAcquire("gpu")).toMatchObject({ reason: "CONCURRENCY_EXHAUSTED", limiter: "gpu" });
    const second = limiters.withLease(claims, async () => "done");
    expect(await limiters.waiters("db")).toBe(1);
    await first.release();
    expect(await second).toBe("done");
    expect(await limiters.controller("gpu").inFlight()).toBe(0);
    expect(await errorOf(limiters.acquire([{ limiter: "db" }, { limiter: "db" }]))).toBeInstanceOf(RangeError);
    expect(await errorOf(limiters.acquire("disk"))).toMatchObject({
      reason: "LIMITER_NOT_FOUND",
      message: 'there is no limiter "disk" among these',
    });
  });
});
