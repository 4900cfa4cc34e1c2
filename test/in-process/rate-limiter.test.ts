import { describe, expect, test } from "vitest";
import { AdmissionError, createRateLimiter, type Lease } from "../../src/in-process/index.ts";

describe("createRateLimiter", () => {
  test("holds no more leases than it has permits, and serves waiters in order", async () => {
    const limiter = createRateLimiter({ maxConcurrent: 2 });
    const order: number[] = [];
    let held = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        await using _lease = await limiter.acquire();
        order.push(index);
        held += 1;
        most = Math.max(most, held);
        await new Promise(setImmediate);
        held -= 1;
      }),
    );
    expect(order).toEqual(Array.from({ length: 20 }, (_, index) => index));
    expect(most).toBe(2);
    expect(await limiter.inFlight()).toBe(0);
  });

  test("a refused try burns no token", async () => {
    const limiter = createRateLimiter({ maxRps: 0.001, burstSize: 2, maxConcurrent: 1 });
    const lease = (await limiter.tryAcquire()) as Lease;
    for (let i = 0; i < 5; i++) {
      expect(await limiter.tryAcquire()).toMatchObject({ granted: false, reason: "CONCURRENCY_EXHAUSTED" });
    }
    await lease.release();
    expect((await limiter.tryAcquire()).granted).toBe(true);
    expect(await limiter.tryAcquire()).toMatchObject({ granted: false });
  });

  test("a refusal for want of tokens says when to come again", async () => {
    const limiter = createRateLimiter({ maxRps: 1, burstSize: 1 });
    expect((await limiter.tryAcquire()).granted).toBe(true);
    const refusal = await limiter.tryAcquire();
    if (refusal.granted) throw new Error("granted twice");
    expect(refusal.reason).toBe("RATE_EXHAUSTED");
    expect(refusal.retryAfterMs).toBeGreaterThan(0);
    expect(refusal.retryAfterMs).toBeLessThanOrEqual(1000);
  });

  test("an aborted waiter leaves the queue and loses nothing for the others", async () => {
    const limiter = createRateLimiter({ maxConcurrent: 1 });
    const first = await limiter.acquire();
    const abort = new AbortController();
    const second = limiter.acquire({ signal: abort.signal });
    const third = limiter.acquire();
    abort.abort(new Error("changed my mind"));
    await expect(second).rejects.toThrow("changed my mind");
    await first.release();
    expect((await third).valid).toBe(true);
    expect(await limiter.inFlight()).toBe(1);
  });

  test("an aborted signal gives a held lease back, and its own signal aborts with the same reason", async () => {
    const limiter = createRateLimiter({ maxConcurrent: 1 });
    const abort = new AbortController();
    const lease = await limiter.acquire({ signal: abort.signal });
    const next = limiter.acquire();
    abort.abort("enough");
    expect(lease.signal.aborted).toBe(true);
    expect(lease.signal.reason).toBe("enough");
    await (await next).release();
    expect(await limiter.utilization()).toBe(0);
  });

  test("the signal of a lease that was asked for before is the one that aborts", async () => {
    const limiter = createRateLimiter({ maxConcurrent: 1 });
    const abort = new AbortController();
    const lease = (await limiter.tryAcquire({ signal: abort.signal })) as Lease;
    const { signal } = lease;
    expect(lease.signal).toBe(signal);
    abort.abort("enough");
    expect(signal.reason).toBe("enough");
    expect(lease.valid).toBe(false);
    expect((await limiter.tryAcquire()).granted).toBe(true);
  });

  test("a request that is made where another hears that it waits is answered all the same", async () => {
    const limiter = createRateLimiter({ maxConcurrent: 1 });
    const first = await limiter.acquire();
    const asked: Promise<unknown>[] = [];
    const second = limiter.acquire({ onWaiting: () => asked.push(limiter.tryAcquire()) });
    expect(await asked[0]).toMatchObject({ granted: false, reason: "WAITERS_AHEAD" });
    await first.release();
    await (await second).release();
  });

  test("waiters are notified of their place, and that it comes nearer", async () => {
    const limiter = createRateLimiter({ maxConcurrent: 1 });
    const first = await limiter.acquire();
    const places: number[] = [];
    const second = limiter.acquire();
    let moved: (() => void) | undefined;
    const heard = new Promise<void>((resolve) => {
      moved = resolve;
    });
    const third = limiter.acquire({
      onWaiting: ({ waitersAhead }) => {
        places.push(waitersAhead);
        if (waitersAhead === 0) moved?.();
      },
    });
    await first.release();
    await heard;
    expect(places).toEqual([1, 0]);
    await (await second).release();
    await (await third).release();
  });

  test("a bound on waiting refuses with a reason", async () => {
    const limiter = createRateLimiter({ maxConcurrent: 1 });
    await limiter.acquire();
    await expect(limiter.acquire({ maxWait: 5 })).rejects.toMatchObject({ reason: "WAIT_TIMEOUT" });
    await expect(limiter.acquire({ maxWait: 0 })).rejects.toMatchObject({ reason: "CONCURRENCY_EXHAUSTED" });
  });

  test("what can never fit is refused at once", async () => {
    const limiter = createRateLimiter({ maxConcurrent: 3 });
    const never = limiter.acquire({ permits: 4 });
    await expect(never).rejects.toBeInstanceOf(AdmissionError);
    await expect(never).rejects.toMatchObject({ reason: "CLAIM_EXCEEDS_LIMIT", code: "FAILED_PRECONDITION" });
  });

  test("a grant that holds no permits is released already", async () => {
    const limiter = createRateLimiter({ maxRps: 100 });
    const lease = await limiter.acquire();
    expect(lease.valid).toBe(false);
    expect(lease.signal.aborted).toBe(false);
    expect(await lease.release()).toBe("released");
    expect(await limiter.capacity()).toBe(Number.POSITIVE_INFINITY);
  });

  test.each([
    [{ rate: "10/m" }, 6_000],
    [{ maxRps: 10 / 60 }, 6_000],
    [{ rate: { tokens: 10, per: 60_000 } }, 6_000],
    [{ rate: { tokens: 10, per: "1m" } }, 6_000],
    [{ maxRps: 0.1 + 0.2 }, 3_333.334],
    [{ rate: "1/month" }, 2_592_000_000],
    [{ rate: "10000000/s", burstSize: 1_000_000_000 }, 0],
  ])("takes rates as providers write them: %j", async (options, retryAfterMs) => {
    const limiter = createRateLimiter(options);
    await limiter.acquire();
    const again = await limiter.tryAcquire();
    expect(again.granted).toBe(retryAfterMs === 0);
    if (again.granted) return;
    expect(again.reason).toBe("RATE_EXHAUSTED");
    expect(again.retryAfterMs).toBeGreaterThan(retryAfterMs - 1_000);
    expect(again.retryAfterMs).toBeLessThanOrEqual(retryAfterMs);
  });

  test.each([
    [{}, "a limiter needs a rate (rate or maxRps), maxConcurrent or both"],
    [{ maxConcurrent: 0 }, "maxConcurrent must be a whole number from 1 to 1000000, not 0"],
    [{ maxConcurrent: Number.NaN }, "maxConcurrent must be a whole number from 1 to 1000000, not NaN"],
    [{ maxRps: 0 }, "maxRps must be from one token in 30 days to 10,000,000 a second, not 0"],
    [{ maxRps: 1e-7 }, "maxRps must be from one token in 30 days to 10,000,000 a second, not 1e-7"],
    [{ rate: "1/31d" }, 'rate must be from one token in 30 days to 10,000,000 a second, not "1/31d"'],
    [
      { rate: "10" },
      'rate must be an amount per period, such as 10/m, 50/d, 100/s or 5/2h: it lacks its period, write 10/s; it is "10"',
    ],
    [{ rate: "10/m", maxRps: 5 }, "give rate or maxRps, not both"],
    [{ maxRps: -1 }, "maxRps must be from one token in 30 days to 10,000,000 a second, not -1"],
    [{ maxRps: 5, burstSize: 0 }, "burstSize must be a whole number from 1 to 1000000000, not 0"],
    [{ maxConcurrent: 5, burstSize: 3 }, "burstSize needs rate or maxRps"],
  ])("limits that cannot be are named: %j", (options, message) => {
    expect(() => createRateLimiter(options)).toThrow(new RangeError(message));
  });

  test.each([
    [{ permits: 0, tokens: 0 }, "permits and tokens must not both be 0"],
    [{ permits: 1.5 }, "permits must be a whole number from 0 to 1000000, not 1.5"],
    [{ tokens: -1 }, "tokens must be a whole number from 0 to 1000000000, not -1"],
    [{ maxWait: -1 }, "maxWait must be 0 ms or more, not -1"],
  ])("claims that cannot be are named: %j", async (claim, message) => {
    const limiter = createRateLimiter({ maxConcurrent: 5 });
    await expect(limiter.acquire(claim)).rejects.toThrow(new RangeError(message));
    expect(await limiter.inFlight()).toBe(0);
  });
});
