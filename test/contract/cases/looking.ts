/** Reads, pages and watches; instants are those of the wall clock. */

import { expect } from "vitest";
import type { Page } from "../../../src/server/machine/page.ts";
import { queue, work } from "../../server/machine/board/boards.ts";
import { claimOn, createScript, SECOND } from "../script.ts";
import { BEGIN, type Case } from "../stage.ts";

/** All of a list, by pages of two. */
async function all<T>(read: (query: { after: string; limit: number }) => Promise<Page<T> | undefined>): Promise<T[]> {
  const items: T[] = [];
  let after = "";
  do {
    const page = await read({ after, limit: 2 });
    if (page === undefined) throw new Error("there is no such list");
    expect(page.items.length).toBeLessThanOrEqual(2);
    items.push(...page.items);
    after = page.next;
  } while (after !== "");
  return items;
}

const ids = ["a", "b", "c", "d", "e"];

export const LOOKING: readonly Case[] = [
  {
    name: "pages through limiters by name, leases by age and waiters by arrival, each once",
    async play(stage) {
      const script = createScript(stage);
      const { engine } = script;
      for (const name of ids.toReversed()) await script.create({ name, maxConcurrent: 5 });
      await script.create({ name: "full", maxConcurrent: 1 });
      for (const id of ids) await script.acquire(id, [claimOn("a")]);
      for (const id of ids) await script.acquire(`on full ${id}`, [claimOn("full")]);
      const names = (await all((query) => engine.limiters(query))).map(({ config }) => config.name);
      expect(names).toEqual([...ids, "full"]);
      const leases = await all((query) => engine.leases({ limiter: "a", key: "", ...query }));
      expect(leases.map(({ id }) => id)).toEqual(ids);
      const waiters = await all((query) => engine.waiters({ limiter: "full", key: "", ...query }));
      expect(waiters).toMatchObject(ids.slice(1).map((id, waitersAhead) => ({ id: `on full ${id}`, waitersAhead })));
      expect(await engine.waiters({ limiter: "none", key: "", after: "", limit: 1 })).toBeUndefined();
    },
  },
  {
    name: "pages through boards and cards, each once",
    async play(stage) {
      const script = createScript(stage);
      const { boards } = script;
      for (const name of ids) await script.createBoard({ name });
      for (const id of ids) await script.add(id);
      expect((await all((query) => boards.boards(query))).map(({ config }) => config.name)).toEqual(ids);
      const cards = await all((query) => boards.cards("b", { stage: "", states: [], order: "stages", ...query }));
      expect(cards.map(({ id }) => id).sort()).toEqual(ids);
      expect(await boards.cards("z", { stage: "", states: [], order: "stages", after: "", limit: 1 })).toBeUndefined();
    },
  },
  {
    name: "shows instants of the wall clock, and spans of none",
    async play(stage) {
      const script = createScript(stage);
      await script.pass(SECOND);
      const at = BEGIN + 1_000;
      expect(await script.create({ maxConcurrent: 1, ttl: 2 * SECOND })).toMatchObject({ limiter: { createdAt: at } });
      const lease = { grantedAt: at, ttl: 2 * SECOND, expiresAt: at + 2_000 };
      expect(await script.tryAcquire("a")).toMatchObject({ lease, validFor: SECOND });
      await script.acquire("w", [claimOn()], { maxWait: SECOND });
      await script.createBoard({ stages: [queue("todo"), work("doing"), queue("done")] });
      await script.add("one");
      await script.pull("p", "doing", { ttl: SECOND, monitored: false });
      await script.pass(SECOND / 2);
      expect(await script.engine.waiter("w")).toMatchObject({ arrivedAt: at, deadline: at + 1_000 });
      expect(await script.boards.card("b", "one")).toMatchObject({
        addedAt: at,
        age: SECOND / 2,
        work: { pulledAt: at, expiresAt: at + 1_000 },
      });
      const [sample] = (await script.boards.flow("b", at)) ?? [];
      expect(sample?.at).toBeGreaterThanOrEqual(at);
    },
  },
  {
    name: "tells watchers which limiters have changed and which are gone, until they have had enough",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 5 });
      const heard: string[] = [];
      const unwatch = script.engine.watch(
        ({ changed, removed }) => {
          heard.push(...changed.map(({ config, status }) => `${config.name} ${status.permitsInUse}`));
          heard.push(...removed.map((name) => `${name} removed`));
        },
        () => heard.push("lost"),
      );
      await script.calm();
      for (const id of ids.slice(0, 3)) await script.acquire(id);
      await script.pass(SECOND / 2);
      expect(heard).toEqual(["db 3"]);
      await script.ask("delete", { kind: "delete-limiter", name: "db", revision: undefined, force: true });
      await script.pass(SECOND / 2);
      expect(heard).toEqual(["db 3", "db removed"]);
      unwatch();
      await script.create({});
      await script.pass(SECOND);
      expect(heard).toHaveLength(2);
    },
  },
  {
    name: "tells how a limiter stood in the last hour, a sample for each quarter of a minute",
    async play(stage) {
      const script = createScript(stage);
      const { engine } = script;
      await script.create({ maxConcurrent: 2 });
      for (const id of ["a", "b"]) await script.tryAcquire(id, [claimOn()], { ttl: 60 * SECOND });
      await script.pass(15 * SECOND);
      await script.release("a");
      await script.pass(15 * SECOND);
      const samples = await engine.history("db", 0);
      const counts = samples?.map(({ permitsInUse, permitsLimit, waiters, span, admissionRate, completionRate }) => {
        const [granted, ended] = [admissionRate, completionRate].map((rate) => Math.round((rate * span) / SECOND));
        return { permitsInUse, permitsLimit, waiters, granted, ended };
      });
      expect(counts).toEqual([
        { permitsInUse: 2, permitsLimit: 2, waiters: 0, granted: 2, ended: 0 },
        { permitsInUse: 1, permitsLimit: 2, waiters: 0, granted: 0, ended: 1 },
      ]);
      expect(await engine.history("db", samples?.[1]?.at ?? 0)).toHaveLength(1);
      expect(await engine.history("none", 0)).toBeUndefined();
    },
  },
  {
    name: "tells watchers which boards have changed, and brings one up to date from where it stands",
    async play(stage) {
      const script = createScript(stage);
      const { boards } = script;
      await script.createBoard({});
      await script.add("one");
      const heard: string[] = [];
      const unwatch = boards.watch(
        (names) => heard.push(...names),
        () => heard.push("lost"),
      );
      const first = await boards.delta("b", { sequence: 0, snapshotAt: 0 });
      expect(first).toMatchObject({ kind: "snapshot", cards: [{ id: "one" }] });
      const position = { sequence: first?.sequence ?? 0, snapshotAt: first?.sequence ?? 0 };
      await script.pass(SECOND);
      heard.length = 0;
      await script.add("two");
      await script.pass(SECOND);
      expect(heard).toEqual(["b"]);
      expect(await boards.delta("b", position)).toMatchObject({ kind: "changes", cards: [{ id: "two" }], removed: [] });
      expect(await boards.delta("none", position)).toBeUndefined();
      unwatch();
    },
  },
  {
    name: "tells those in a queue that it has moved",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 1 });
      const moved: string[] = [];
      const stream = script.engine.openStream(
        (news, about) => {
          if (news.kind === "moved") moved.push(`${about} behind ${news.waiter.waitersAhead}`);
        },
        () => {},
      );
      for (const id of ids) await script.acquire(id, [claimOn()], { stream });
      await script.release("a");
      await script.pass(SECOND);
      expect(moved).toEqual(["c behind 0", "d behind 1", "e behind 2"]);
    },
  },
];
