/** Limiters that are changed and deleted while they are held and waited for. */

import { expect } from "vitest";
import { claimOn, createScript, SECOND } from "../script.ts";
import type { Case } from "../stage.ts";

export const CHANGES: readonly Case[] = [
  {
    name: "grants what a raised limit lets in, and takes nothing back for a lowered one",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 1 });
      for (const id of ["a", "b", "c"]) await script.acquire(id);
      script.fresh();
      await script.update({ maxConcurrent: 2 });
      await script.calm();
      expect(script.fresh()).toEqual(["updated: limiter", "b: granted"]);
      await script.update({ maxConcurrent: 1 });
      await script.release("a");
      await script.calm();
      expect(script.fresh()).toEqual(["updated: limiter", "release a: released", "a: released"]);
      await script.release("b");
      await script.calm();
      expect(script.fresh()).toContain("c: granted");
    },
  },
  {
    name: "refuses waiters whose claim no longer fits",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 2 });
      await script.acquire("a", [claimOn("db", { permits: 2 })]);
      await script.acquire("b", [claimOn("db", { permits: 2 })]);
      script.fresh();
      await script.update({ maxConcurrent: 1 });
      await script.calm();
      expect(script.fresh().sort()).toEqual(["b: CLAIM_EXCEEDS_LIMIT", "updated: limiter"]);
    },
  },
  {
    name: "answers with the limiter as it stands, and refuses a change of another revision",
    async play(stage) {
      const script = createScript(stage);
      const made = await script.create({ maxConcurrent: 1 });
      const revision = made.kind === "limiter" ? made.limiter.revision : 0;
      const changed = await script.update({ maxConcurrent: 3 });
      expect(changed).toMatchObject({ limiter: { config: { maxConcurrent: 3 }, revision: revision + 1 } });
      const stale = { kind: "delete-limiter", name: "db", revision, force: false } as const;
      expect(await script.ask("delete", stale)).toMatchObject({ reason: "ETAG_MISMATCH" });
      expect(await script.create({ maxConcurrent: 9 })).toMatchObject({ reason: "LIMITER_EXISTS" });
    },
  },
  {
    name: "deletes a limiter when its leases have ended, or with them by force, and refuses its waiters",
    async play(stage) {
      const script = createScript(stage);
      for (const name of ["one", "two"]) {
        await script.create({ name, maxConcurrent: 1 });
        await script.acquire(`${name} held`, [claimOn(name)]);
        await script.acquire(`${name} waiting`, [claimOn(name)]);
      }
      script.fresh();
      const remove = (name: string, force: boolean) =>
        script.ask(`delete ${name}`, { kind: "delete-limiter", name, revision: undefined, force });
      expect(await remove("one", false)).toMatchObject({ drainingLeases: 1 });
      expect(await script.engine.limiter("one", "")).toMatchObject({ deleting: true });
      expect(await remove("two", true)).toMatchObject({ drainingLeases: 0 });
      await script.release("one held");
      await script.calm();
      expect(script.fresh().sort()).toEqual([
        "delete one: limiter-deleted",
        "delete two: limiter-deleted",
        "one held: released",
        "one waiting: LIMITER_NOT_FOUND",
        "release one held: released",
        "two held: deleted",
        "two waiting: LIMITER_NOT_FOUND",
      ]);
      expect(await script.engine.limiter("one", "")).toBeUndefined();
    },
  },
  {
    name: "takes a waiter out of its queue for an operator",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 1 });
      for (const id of ["a", "b", "c"]) await script.acquire(id);
      script.fresh();
      await script.ask("cancel", { kind: "cancel-waiter", waiterId: "b" });
      await script.calm();
      expect(script.fresh()).toEqual(["cancel: done", "b: WAITER_CANCELLED"]);
      await script.pass(SECOND);
      expect(await script.engine.waiter("c")).toMatchObject({ id: "c", waitersAhead: 0 });
      expect(await script.engine.waiter("b")).toBeUndefined();
    },
  },
];
