/** The libraries, each behind the same two operations. */

import { Sema } from "async-sema";
import Bottleneck from "bottleneck";
import { bulkhead } from "cockatiel";
import { RateLimiter as TokenLimiter } from "limiter";
import pLimit from "p-limit";
import { RateLimiterMemory } from "rate-limiter-flexible";
import { createRateLimiter } from "../../src/in-process/index.ts";

export interface Library {
  readonly name: string;
  readonly keepsQueue: boolean;
  /** Operations in a round: fewer of a library that sets a timer for each. */
  readonly share: number;
  /** Makes a limiter of so many permits; it does nothing under one of them, and gives it back. Waits while there is none. */
  useOne(permits: number): () => Promise<unknown>;
  /** The same for a permit that is free: without waiting, where the library has such a call. */
  tryOne(permits: number): () => Promise<unknown> | unknown;
}

const nothing = () => {};
/** The clock of a thread's CPU may count in steps of 4 ms: a round takes at least some tens of ms, whatever one operation takes. */
const MANY = 50_000;
const FAST = 200_000;
const FASTER = 1_000_000;
const FASTEST = 2_000_000;
/** More than a round takes: no library here is to be held up by its rate. */
const PLENTY = 1_000_000_000;

export const LIBRARIES: readonly Library[] = [
  {
    name: "createRateLimiter",
    keepsQueue: true,
    share: MANY,
    useOne(permits) {
      const limiter = createRateLimiter({ maxConcurrent: permits, maxWaiters: 1_000_000 });
      return async () => (await limiter.acquire()).release();
    },
    tryOne(permits) {
      const limiter = createRateLimiter({ maxConcurrent: permits });
      return async () => {
        const attempt = await limiter.tryAcquire();
        if (!("release" in attempt)) throw new Error("a free permit was refused");
        return attempt.release();
      };
    },
  },
  {
    name: "p-limit",
    keepsQueue: true,
    share: FAST,
    useOne: (permits) => {
      const limit = pLimit(permits);
      return () => limit(nothing);
    },
    tryOne: (permits) => {
      const limit = pLimit(permits);
      return () => limit(nothing);
    },
  },
  {
    name: "async-sema",
    keepsQueue: true,
    share: FASTEST,
    useOne(permits) {
      const sema = new Sema(permits, { capacity: 1_024 });
      return async () => {
        await sema.acquire();
        sema.release();
      };
    },
    tryOne(permits) {
      const sema = new Sema(permits);
      return () => {
        if (sema.tryAcquire() === undefined) throw new Error("a free permit was refused");
        sema.release();
      };
    },
  },
  {
    name: "cockatiel bulkhead",
    keepsQueue: true,
    share: FASTEST,
    useOne: (permits) => {
      const policy = bulkhead(permits, 1_000_000);
      return () => policy.execute(nothing);
    },
    tryOne: (permits) => {
      const policy = bulkhead(permits, 0);
      return () => policy.execute(nothing);
    },
  },
  {
    name: "bottleneck",
    keepsQueue: true,
    share: 200,
    useOne: (permits) => {
      const limiter = new Bottleneck({ maxConcurrent: permits });
      return () => limiter.schedule(async () => {});
    },
    tryOne: (permits) => {
      const limiter = new Bottleneck({ maxConcurrent: permits });
      return () => limiter.schedule(async () => {});
    },
  },
  {
    name: "limiter",
    keepsQueue: false,
    share: FASTER,
    useOne: () => {
      const limiter = new TokenLimiter({ tokensPerInterval: PLENTY, interval: "second" });
      return () => limiter.removeTokens(1);
    },
    tryOne: () => {
      const limiter = new TokenLimiter({ tokensPerInterval: PLENTY, interval: "second" });
      return () => limiter.tryRemoveTokens(1);
    },
  },
  {
    name: "rate-limiter-flexible",
    keepsQueue: false,
    share: FASTER,
    useOne: () => {
      const limiter = new RateLimiterMemory({ points: PLENTY, duration: 1 });
      return () => limiter.consume("db", 1);
    },
    tryOne: () => {
      const limiter = new RateLimiterMemory({ points: PLENTY, duration: 1 });
      return () => limiter.consume("db", 1);
    },
  },
];
