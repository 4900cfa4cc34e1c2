/** Request ids: what is asked again is found, and charged once. */

import { expect } from "vitest";
import { claimOn, createScript } from "../script.ts";
import type { Case } from "../stage.ts";

const requestId = "0123456789abcdef";

export const REQUESTS: readonly Case[] = [
  {
    name: "answers a retry with the lease of the request before it, which holds its permit once",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 2 });
      await script.tryAcquire("a", [claimOn()], { requestId });
      const again = await script.tryAcquire("b", [claimOn()], { requestId });
      expect(again).toMatchObject({ kind: "granted", resumed: true, lease: { id: "a" } });
      expect(await script.permitsInUse("db")).toEqual([1]);
    },
  },
  {
    name: "lets a retry take its waiter's place, and says to the stream before that it has lost it",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 1 });
      await script.acquire("held");
      await script.acquire("a", [claimOn()], { requestId });
      await script.acquire("behind");
      script.fresh();
      expect(await script.acquire("b", [claimOn()], { requestId })).toMatchObject({ waiterId: "a", waitersAhead: 0 });
      await script.release("held");
      await script.calm();
      expect(script.fresh()).toEqual([
        "b: waiting",
        "a: WAITER_DISPLACED",
        "release held: released",
        "held: released",
        "a: granted",
      ]);
    },
  },
  {
    name: "refuses other claims under a request id that is used",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 5 });
      await script.tryAcquire("a", [claimOn()], { requestId });
      const other = await script.tryAcquire("b", [claimOn("db", { permits: 2 })], { requestId });
      expect(other).toMatchObject({ reason: "REQUEST_ID_REUSED" });
    },
  },
  {
    name: "withdraws a request that waits, that holds, and that has yet to arrive",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 1 });
      const withdraw = (id: string) =>
        script.ask(`withdraw ${id}`, { kind: "withdraw", requestId: id, workOutcome: "ignored" });
      await script.acquire("a", [claimOn()], { requestId: "first" });
      await script.acquire("b", [claimOn()], { requestId: "second" });
      script.fresh();
      await withdraw("second");
      await withdraw("first");
      await withdraw("third");
      await script.acquire("c", [claimOn()], { requestId: "third" });
      await script.calm();
      expect(script.fresh()).toEqual([
        "withdraw second: withdrawn",
        "b: REQUEST_WITHDRAWN",
        "withdraw first: released",
        "a: released",
        "withdraw third: withdrawn",
        "c: REQUEST_WITHDRAWN",
      ]);
      expect(await script.held()).toEqual([]);
    },
  },
  {
    name: "ends a lease once, and says of a second release how it had ended",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 1 });
      await script.tryAcquire("a");
      expect(await script.release("a")).toMatchObject({ leaseId: "a", end: "released", already: false });
      expect(await script.release("a")).toMatchObject({ leaseId: "a", end: "released", already: true });
      expect(await script.engine.knowsLease("a", "anonymous")).toBe(true);
      expect(await script.engine.knowsLease("none", "anonymous")).toBe(false);
    },
  },
];
