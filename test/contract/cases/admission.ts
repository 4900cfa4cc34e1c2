/** What is granted, to whom, in which order, and all of it or nothing. */

import { expect } from "vitest";
import { rateOf } from "../../support/limiter-config.ts";
import { claimOn, createScript, SECOND } from "../script.ts";
import type { Case } from "../stage.ts";

export const ADMISSION: readonly Case[] = [
  {
    name: "grants what is free, and refuses a call that does not wait for what is not",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 2 });
      const first = await script.acquire("a");
      expect(first).toMatchObject({ kind: "granted", held: true, resumed: false, lease: { id: "a", holder: "a" } });
      await script.tryAcquire("b");
      const refused = await script.tryAcquire("c");
      expect(refused).toMatchObject({ kind: "refused", reason: "CONCURRENCY_EXHAUSTED", limiter: "db" });
      expect(await script.held()).toEqual(["a", "b"]);
    },
  },
  {
    name: "gives a freed permit to the head of the queue, before the next to come is answered",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 1 });
      for (const id of ["a", "b"]) await script.acquire(id);
      script.fresh();
      void script.release("a");
      void script.acquire("c");
      await script.calm();
      expect(script.fresh()).toEqual(["release a: released", "a: released", "b: granted", "c: waiting"]);
    },
  },
  {
    name: "grants in the order of arrival, each once",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 1 });
      script.fresh();
      const ids = ["a", "b", "c", "d", "e"];
      for (const id of ids) void script.acquire(id);
      await script.calm();
      expect(script.fresh()).toEqual(["a: granted", "b: waiting", "c: waiting", "d: waiting", "e: waiting"]);
      for (const id of ids) await script.release(id);
      await script.calm();
      expect(script.fresh().filter((words) => words.endsWith(": granted"))).toEqual(
        ids.slice(1).map((id) => `${id}: granted`),
      );
    },
  },
  {
    name: "answers each command with its own answer, in the order in which they were asked",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 2 });
      script.fresh();
      const answers = [script.tryAcquire("a"), script.tryAcquire("b"), script.renew("a"), script.renew("none")];
      expect(await Promise.all(answers)).toMatchObject([
        { kind: "granted", lease: { id: "a" } },
        { kind: "granted", lease: { id: "b" } },
        { kind: "renewed", leaseId: "a" },
        { kind: "refused", reason: "LEASE_NOT_FOUND" },
      ]);
      // A refusal may be said before.
      const others = script.fresh().filter((words) => !words.endsWith("LEASE_NOT_FOUND"));
      expect(others).toEqual(["a: granted", "b: granted", "renew a: renewed"]);
    },
  },
  {
    name: "grants all claims of a request together, or holds nothing of any",
    async play(stage) {
      const script = createScript(stage);
      for (const name of ["cpu", "gpu"]) await script.create({ name, maxConcurrent: 1 });
      await script.acquire("busy", [claimOn("gpu")]);
      await script.acquire("both", [claimOn("cpu"), claimOn("gpu")]);
      expect(await script.permitsInUse("cpu", "gpu")).toEqual([0, 1]);
      await script.release("busy");
      await script.calm();
      expect(script.said.at(-1)).toBe("both: granted");
      expect(await script.permitsInUse("cpu", "gpu")).toEqual([1, 1]);
      const { items } = await script.engine.leases({ limiter: "gpu", key: "", after: "", limit: 10 });
      expect(items).toMatchObject([{ id: "both", claims: [{ limiter: "cpu", permits: 1 }, { limiter: "gpu" }] }]);
      expect(await script.tryAcquire("next", [claimOn("cpu")])).toMatchObject({ reason: "CONCURRENCY_EXHAUSTED" });
      await script.release("both");
      expect(await script.permitsInUse("cpu", "gpu")).toEqual([0, 0]);
    },
  },
  {
    name: "refuses a waiter at the end of its time, and nothing more is said of it",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 1 });
      await script.acquire("a");
      await script.acquire("b", [claimOn()], { maxWait: SECOND });
      script.fresh();
      await script.pass(SECOND - 1);
      expect(script.fresh()).toEqual([]);
      await script.pass(1);
      await script.release("a");
      await script.calm();
      expect(script.fresh()).toEqual(["b: WAIT_TIMEOUT", "release a: released", "a: released"]);
    },
  },
  {
    name: "grants tokens as they come in",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ rate: rateOf(1, 1) });
      const claims = [claimOn("db", { permits: 0, tokens: 1 })];
      const granted = await script.acquire("a", claims);
      expect(granted).toMatchObject({ kind: "granted", held: false });
      expect(granted).not.toHaveProperty("validFor", expect.anything());
      expect(await script.acquire("b", claims)).toMatchObject({ kind: "waiting", estimatedWait: SECOND });
      script.fresh();
      await script.pass(SECOND);
      expect(script.fresh()).toEqual(["b: granted"]);
    },
  },
  {
    name: "refuses what can never be granted, without a place in a queue",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 1 });
      const refusals = [
        await script.acquire("a", [claimOn("none")]),
        await script.acquire("b", [claimOn("db", { permits: 2 })]),
        await script.acquire("c", [claimOn("db", { key: "k" })]),
      ];
      expect(refusals).toMatchObject([
        { reason: "LIMITER_NOT_FOUND", limiter: "none", claim: 0 },
        { reason: "CLAIM_EXCEEDS_LIMIT", numbers: { permits: 2, maxConcurrent: 1 } },
        { reason: "KEY_NOT_ALLOWED", key: "k" },
      ]);
      expect((await script.engine.limiter("db", ""))?.status.waiters).toBe(0);
    },
  },
];
