/** The keeper: what comes together is kept together, in order, and nothing is confirmed that is not kept. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createKeeper, type Keeper, WriteError } from "../../../src/server/store/keeper.ts";
import type { Durability, RowChange } from "../../../src/server/store/row.ts";

interface Commit {
  readonly changes: readonly RowChange[];
  readonly durability: Durability;
  readonly succeed: () => void;
  readonly fail: (full: boolean) => void;
}

interface Scene {
  readonly keeper: Keeper;
  /** In the order in which they were begun; each waits until the test says what becomes of it. */
  readonly commits: readonly Commit[];
  /** What was said of health: the problem, or that there is none. */
  readonly health: readonly (string | undefined)[];
  readonly fatal: readonly string[];
  /** Those whose keeping was confirmed, in order. */
  readonly kept: readonly string[];
  keep(name: string, changes: Record<string, string | undefined>, durability?: Durability): void;
  /** The time has come to try again. */
  later(): Promise<void>;
}

function createScene(): Scene {
  const commits: Commit[] = [];
  const health: (string | undefined)[] = [];
  const fatal: string[] = [];
  const kept: string[] = [];
  let retries: (() => void)[] = [];
  const keeper = createKeeper({
    writer: {
      commit: (changes, durability) =>
        new Promise((resolve, reject) => {
          const fail = (full: boolean) => reject(new WriteError(full ? "no room" : "no disk", full));
          commits.push({ changes, durability, succeed: resolve, fail });
        }),
    },
    endOfTurn: () => Promise.resolve(),
    later: (callback) => retries.push(callback),
    onHealth: (problem) => health.push(problem?.message),
    onFatal: (problem) => fatal.push(problem.message),
  });
  return {
    keeper,
    commits,
    health,
    fatal,
    kept,
    keep(name, changes, durability = "process") {
      const rows = Object.entries(changes).map(([key, body]) => ({ key, body }));
      keeper.keep(rows, durability).then(() => kept.push(name));
    },
    async later() {
      const due = retries;
      retries = [];
      for (const callback of due) callback();
      await turn();
    },
  };
}

/** All that promises have to do is done. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

const changesOf = ({ commits }: Scene, index: number) =>
  (commits[index]?.changes ?? []).map(({ key, body }) => [key, body]);

describe("what comes together", () => {
  it("in one turn, or while a write is on its way, is the next write, and the last word on a key wins", async () => {
    const scene = createScene();
    scene.keep("first", { a: "1" });
    scene.keep("second", { a: "2", b: "1" });
    await turn();
    expect(scene.commits).toHaveLength(1);
    expect(changesOf(scene, 0)).toEqual([
      ["a", "2"],
      ["b", "1"],
    ]);
    scene.keep("third", { c: "1" });
    await turn();
    scene.keep("fourth", { c: undefined, d: "1" });
    await turn();
    expect(scene.commits).toHaveLength(1);
    expect(scene.kept).toEqual([]);
    scene.commits[0]?.succeed();
    await turn();
    expect(scene.kept).toEqual(["first", "second"]);
    expect(scene.commits).toHaveLength(2);
    expect(changesOf(scene, 1)).toEqual([
      ["c", undefined],
      ["d", "1"],
    ]);
    scene.commits[1]?.succeed();
    await turn();
    expect(scene.kept).toEqual(["first", "second", "third", "fourth"]);
    expect(scene.health).toEqual([]);
  });

  it("is several writes where it is much, in order, and what was asked for at once is never parted", async () => {
    const scene = createScene();
    scene.keep("first", { a: "1" });
    await turn();
    const many = (name: string, count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`${name}${i}`, "1"]));
    for (const name of ["b", "c", "d"]) scene.keep(name, many(name, 900), name === "d" ? "disk" : "process");
    scene.keep("e", { ...many("e", 5_000), b0: "2" });
    scene.keep("f", { b1: "2" });
    for (let i = 0; i < 4; i++) {
      scene.commits[i]?.succeed();
      await turn();
    }
    // 2,000 rows or the request that makes them more.
    expect(scene.commits.map(({ changes }) => changes.length)).toEqual([1, 2_700, 5_001, 1]);
    expect(scene.commits.map(({ durability }) => durability)).toEqual(["process", "disk", "process", "process"]);
    expect(scene.kept).toEqual(["first", "b", "c", "d", "e", "f"]);
  });

  it("is on disk if any part of it asks for that, and what comes after is not for its sake", async () => {
    const scene = createScene();
    scene.keep("first", { a: "1" }, "process");
    await turn();
    scene.keep("second", { b: "1" }, "process");
    scene.keep("third", { c: "1" }, "disk");
    scene.keep("fourth", { d: "1" }, "process");
    scene.commits[0]?.succeed();
    await turn();
    scene.commits[1]?.succeed();
    await turn();
    scene.keep("fifth", { e: "1" }, "process");
    await turn();
    expect(scene.commits.map(({ durability }) => durability)).toEqual(["process", "disk", "process"]);
  });
});

describe("without room", () => {
  it("is tried again with what has come since, confirms nothing until then, and says so once each way", async () => {
    const scene = createScene();
    scene.keep("first", { a: "1", b: "1" });
    await turn();
    scene.keep("second", { b: "2", c: "1" }, "disk");
    scene.commits[0]?.fail(true);
    await turn();
    expect([scene.commits.length, scene.health]).toEqual([1, ["no room"]]);
    scene.keep("third", { a: undefined, d: "1" });
    await turn();
    expect(scene.commits).toHaveLength(1);
    await scene.later();
    expect(Object.fromEntries(changesOf(scene, 1))).toEqual({ a: undefined, b: "2", c: "1", d: "1" });
    expect(scene.commits[1]?.durability).toBe("disk");
    scene.commits[1]?.fail(true);
    await turn();
    await scene.later();
    expect([scene.kept, scene.health]).toEqual([[], ["no room"]]);
    scene.commits[2]?.succeed();
    await turn();
    expect([scene.kept, scene.health]).toEqual([
      ["first", "second", "third"],
      ["no room", undefined],
    ]);
    scene.keep("fourth", { e: "1" });
    await turn();
    expect(changesOf(scene, 3)).toEqual([["e", "1"]]);
    scene.commits[3]?.fail(true);
    await turn();
    expect(scene.health).toEqual(["no room", undefined, "no room"]);
    expect(scene.fatal).toEqual([]);
  });

  it("is one commit with all that has come since, however much: deletes that make room wait for nothing", async () => {
    const scene = createScene();
    const all = (body: string | undefined, from = 0) =>
      Object.fromEntries(Array.from({ length: 2_500 }, (_, i) => [`${from + i}`, body]));
    scene.keep("put", all("1"));
    await turn();
    // While it is under way, and after it has failed.
    scene.keep("more", all("1", 2_500));
    scene.keep("deleted", all(undefined), "disk");
    scene.commits[0]?.fail(true);
    await turn();
    scene.keep("most", all("1", 5_000));
    scene.keep("all deleted", { ...all(undefined, 2_500), ...all(undefined, 5_000) });
    await scene.later();
    expect(changesOf(scene, 1).filter(([, body]) => body !== undefined)).toEqual([]);
    expect([changesOf(scene, 1).length, scene.commits[1]?.durability]).toEqual([7_500, "disk"]);
    // While it is tried again.
    scene.keep("last", all("2"));
    scene.keep("gone", all(undefined));
    scene.commits[1]?.fail(true);
    await turn();
    await scene.later();
    expect(changesOf(scene, 2).filter(([, body]) => body !== undefined)).toEqual([]);
    scene.commits[2]?.succeed();
    await turn();
    expect(scene.kept).toEqual(["put", "more", "deleted", "most", "all deleted", "last", "gone"]);
    expect(scene.commits).toHaveLength(3);
  });

  it("a close tries once more, and then waits for nothing", async () => {
    const scene = createScene();
    scene.keep("first", { a: "1" });
    await turn();
    scene.commits[0]?.fail(true);
    await turn();
    const closed = scene.keeper.close();
    await turn();
    expect(scene.commits).toHaveLength(2);
    scene.commits[1]?.fail(true);
    await closed;
    expect(scene.kept).toEqual([]);
  });
});

it("a close waits for what is on its way", async () => {
  const scene = createScene();
  let closed = false;
  scene.keep("first", { a: "1" });
  await turn();
  scene.keep("second", { b: "1" });
  scene.keeper.close().then(() => {
    closed = true;
  });
  scene.commits[0]?.succeed();
  await turn();
  expect(closed).toBe(false);
  scene.commits[1]?.succeed();
  await turn();
  expect([closed, scene.kept]).toEqual([true, ["first", "second"]]);
});

it("a write that fails for good is reported once, and nothing is confirmed or written any more", async () => {
  const scene = createScene();
  scene.keep("first", { a: "1" });
  await turn();
  scene.keep("second", { b: "1" });
  scene.commits[0]?.fail(false);
  await turn();
  scene.keep("third", { c: "1" });
  await turn();
  await scene.later();
  await scene.keeper.close();
  expect([scene.fatal, scene.kept, scene.commits.length]).toEqual([["no disk"], [], 1]);
});

it("whatever fails in whatever order, what is confirmed is what a reader finds, in the order in which it was said", async () => {
  const act = fc.oneof(
    fc.record({ kind: fc.constant("keep" as const), key: fc.constantFrom("a", "b", "c") }),
    fc.constantFrom({ kind: "succeed" as const }, { kind: "fail" as const }, { kind: "later" as const }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 60 }), async (acts) => {
      const scene = createScene();
      const disk = new Map<string, string>();
      const said: { name: string; key: string }[] = [];
      let answered = 0;
      const answer = (how: "succeed" | "fail") => {
        const commit = scene.commits[answered];
        if (commit === undefined) return;
        answered += 1;
        if (how === "fail") return commit.fail(true);
        for (const { key, body } of commit.changes) disk.set(key, body as string);
        commit.succeed();
      };
      const check = () => {
        const names = said.map(({ name }) => name);
        expect(scene.kept).toEqual(names.slice(0, scene.kept.length));
        // Of each key the reader finds the last that was confirmed, or a later one.
        for (const [index, { key }] of said.slice(0, scene.kept.length).entries()) {
          expect(Number(disk.get(key) ?? -1)).toBeGreaterThanOrEqual(index);
        }
      };
      for (const one of acts) {
        if (one.kind === "keep") {
          const name = `${said.length}`;
          said.push({ name, key: one.key });
          scene.keep(name, { [one.key]: name });
        } else if (one.kind === "later") await scene.later();
        else answer(one.kind);
        await turn();
        check();
      }
      for (let n = 0; n < 2 * said.length + 4; n += 1) {
        answer("succeed");
        await scene.later();
      }
      expect(scene.kept).toHaveLength(said.length);
      check();
    }),
    { numRuns: 150 },
  );
});
