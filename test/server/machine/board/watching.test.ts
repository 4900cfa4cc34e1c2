/** Watchers have a number, not a queue: from any number on they are sent what has changed, or all there is. */

import { describe, expect, it } from "vitest";
import { ChangeLog } from "../../../../src/server/machine/board/change-log.ts";
import { deltaSince, pageBoards } from "../../../../src/server/machine/board/read.ts";
import { asIs } from "../builders.ts";
import { boardOf, FIVE, queue, work } from "./boards.ts";
import { type BoardScene, createBoardScene } from "./scene.ts";

/** What a watcher is sent that has come as far as that number. */
function since(scene: BoardScene, sequence: number): unknown {
  const delta = deltaSince(scene.state, scene.board, { sequence, snapshotAt: 0 }, asIs);
  expect(delta.sequence).toBe(scene.board.sequence);
  const cards = delta.cards.map(({ id, stage, state }) => `${id} ${stage} ${state}`);
  return delta.kind === "snapshot" ? { snapshot: cards } : { cards, removed: delta.removed };
}

describe("a watcher", () => {
  it("is sent all there is at first, and then each card once, where it last changed, in the order of the changes", () => {
    const scene = createBoardScene({ stages: FIVE });
    scene.add("a");
    scene.add("b");
    expect(since(scene, 0)).toEqual({ snapshot: ["a Ready waiting", "b Ready waiting"] });
    const { sequence } = scene.board;
    expect(since(scene, sequence)).toEqual({ cards: [], removed: [] });
    scene.take("InProgress");
    scene.add("c");
    scene.finish("a");
    scene.step({ kind: "delete-card", board: "b", cardId: "b", revision: undefined });
    expect(since(scene, sequence)).toEqual({ cards: ["c Ready waiting", "a InProgress finished"], removed: ["b"] });
    scene.add("b");
    expect(since(scene, sequence)).toEqual({
      cards: ["c Ready waiting", "a InProgress finished", "b Ready waiting"],
      removed: [],
    });
  });

  it("whose number is from another life of the board is sent all there is", () => {
    const scene = createBoardScene({ stages: FIVE }, { epoch: 1_000_000 });
    scene.add("old");
    const old = scene.board.sequence;
    scene.step({ kind: "delete-board", name: "b", revision: undefined, force: true });
    scene.step({ kind: "create-board", config: boardOf() });
    for (const id of ["a", "b", "c"]) scene.add(id);
    expect(scene.board.sequence).toBeGreaterThan(old);
    expect(since(scene, old)).toMatchObject({ snapshot: expect.any(Array) });

    // A server that was started later, whose board has changed less often.
    const later = createBoardScene({ stages: FIVE }, { epoch: 2_000_000 });
    later.add("a");
    expect(since(later, old)).toEqual({ snapshot: ["a Ready waiting"] });
    expect(since(later, later.board.sequence + 1)).toEqual({ snapshot: ["a Ready waiting"] });
  });

  it("is sent more than fits one message in several, of which each brings it up to a number", () => {
    const scene = createBoardScene({ stages: [queue("In"), work("Work"), queue("Out")] });
    for (let index = 0; index < 2_500; index++) scene.step(addition(index));
    const sizes: number[] = [];
    const cards = new Set<string>();
    let position = { sequence: 0, snapshotAt: 0 };
    while (position.sequence < scene.board.sequence) {
      const delta = deltaSince(scene.state, scene.board, position, asIs);
      expect(delta.kind).toBe(sizes.length === 0 ? "snapshot" : "changes");
      sizes.push(delta.cards.length);
      for (const { id } of delta.cards) cards.add(id);
      const snapshotAt = sizes.length === 1 ? scene.board.sequence : position.snapshotAt;
      position = { sequence: delta.sequence, snapshotAt };
      // What changes meanwhile comes at the end, once.
      if (sizes.length === 2) scene.step({ kind: "block", board: "b", cardId: "0", token: 0, reason: "" });
    }
    expect(sizes).toEqual([1_000, 1_000, 501]);
    expect(cards.size).toBe(2_500);
  });

  it("is sent large cards fewer at a time", () => {
    const scene = createBoardScene({ stages: [queue("In"), work("Work"), queue("Out")] });
    for (let index = 0; index < 20; index++) scene.add(`${index}`, { data: "x".repeat(60_000) });
    const { cards, sequence } = deltaSince(scene.state, scene.board, { sequence: 0, snapshotAt: 0 }, asIs);
    expect(cards).toHaveLength(16);
    expect(sequence).toBeLessThan(scene.board.sequence);
    expect(scene.cardViews({ limit: 100 })).toMatchObject({ items: { length: 16 }, next: expect.stringMatching(/./) });
  });

  it("that is in the middle of a snapshot need not know what was gone before that began", () => {
    const scene = createBoardScene({ keepCompleted: 0, stages: [queue("In"), work("Work"), queue("Out")] });
    // Large ones, of which a message holds 16: with few cards the steps below are checked sooner.
    for (let index = 0; index < 20; index++) scene.add(`${index}`, { data: "x".repeat(60_000) });
    const passThrough = (id: string) => {
      scene.add(id, { priority: 1 });
      scene.take("Work");
      scene.finish(id);
    };
    for (let index = 0; index < 1_100; index++) passThrough(`gone-${index}`);
    const first = deltaSince(scene.state, scene.board, { sequence: 0, snapshotAt: 0 }, asIs);
    expect(first).toMatchObject({ kind: "snapshot", cards: { length: 16 } });
    const position = { sequence: first.sequence, snapshotAt: scene.board.sequence };
    expect(deltaSince(scene.state, scene.board, position, asIs)).toMatchObject({
      kind: "changes",
      cards: { length: 4 },
    });
    // Another watcher with the same number that does not say since when may have seen what is gone.
    const { kind } = deltaSince(scene.state, scene.board, { ...position, snapshotAt: 0 }, asIs);
    expect(kind).toBe("snapshot");
  });
});

describe("a board", () => {
  it("has changed for its watchers when a puller goes away whose place is kept, and when it comes back", () => {
    const scene = createBoardScene({ stages: [queue("In"), work("Work"), queue("Out")] });
    const changed = () => {
      const has = scene.state.changed.has(scene.board);
      scene.state.changed.clear();
      return has;
    };
    const asking = { worker: "w", requestId: "0123456789abcdef0123456789abcdef" };
    const puller = scene.pull("Work", asking);
    expect(changed()).toBe(true);
    scene.leave(puller, "lost");
    expect(changed()).toBe(true);
    scene.pull("Work", asking);
    expect(changed()).toBe(true);
  });
});

describe("the log of changes", () => {
  const changesAfter = (log: ChangeLog, sequence: number) =>
    [...log.after(sequence)].map(({ id, removed }) => [id, removed]);

  it("remembers a thousand cards that are gone, and knows when it can no longer tell", () => {
    const log = new ChangeLog(1);
    log.changed("stays", 2);
    for (let index = 0; index < 1_001; index++) log.removed(`${index}`, 3 + index);
    expect([1, 2, 3].map((sequence) => log.reachesBackTo(sequence))).toEqual([false, false, true]);
    expect(changesAfter(log, 3)).toHaveLength(1_000);
    expect(changesAfter(log, 3)[0]).toEqual(["1", true]);
    expect(changesAfter(log, 1)[0]).toEqual(["stays", false]);
  });

  it("remembers as many that are gone as there are cards", () => {
    const log = new ChangeLog(1);
    for (let index = 0; index < 2_000; index++) log.changed(`${index}`, 2 + index);
    for (let index = 0; index < 2_001; index++) log.removed(`gone-${index}`, 2_002 + index);
    expect(log.reachesBackTo(2_001)).toBe(false);
    expect(log.reachesBackTo(2_002)).toBe(true);
    expect(changesAfter(log, 2_002)).toHaveLength(2_000);
  });

  it("takes a card that has come back for one that is there", () => {
    const log = new ChangeLog(1);
    log.removed("a", 2);
    log.changed("a", 3);
    expect([...log.after(1)]).toMatchObject([{ id: "a", sequence: 3, removed: false }]);
  });

  it("tells changes in their order, whether cards stand or are gone, from any number on", () => {
    const log = new ChangeLog(1);
    for (const [index, id] of ["a", "b", "c", "d", "e", "f"].entries()) log.changed(id, 2 + index);
    log.removed("b", 8);
    log.changed("a", 9);
    log.removed("e", 10);
    log.changed("c", 11);
    const order = ["d", "f", "b", "a", "e", "c"];
    expect(changesAfter(log, 0).map(([id]) => id)).toEqual(order);
    for (const [index, sequence] of [5, 7, 8, 9, 10, 11].entries()) {
      expect(changesAfter(log, sequence).map(([id]) => id)).toEqual(order.slice(index + 1));
    }
  });
});

describe("lists", () => {
  it("have cards by stage from the last to the first, in it as they came, a page at a time, none twice", () => {
    const scene = createBoardScene({ stages: [queue("In"), work("Work"), queue("Out")] });
    for (const id of ["a", "b", "c", "d", "e"]) scene.add(id);
    for (const id of ["d", "b"]) scene.take("Work", { cardId: id });
    scene.finish("d");
    const pages: string[][] = [];
    let after = "";
    do {
      const { items, next } = scene.cardViews({ limit: 2, after });
      pages.push(items.map(({ id }) => id));
      after = next;
    } while (after !== "");
    expect(pages).toEqual([["d", "b"], ["a", "c"], ["e"]]);
    const ids = (filter: object) => scene.cardViews(filter).items.map(({ id }) => id);
    expect(ids({ stage: "In" })).toEqual(["a", "c", "e"]);
    expect(ids({ states: ["active", "completed"] })).toEqual(["d", "b"]);
    expect(ids({ stage: "In", limit: 2, after: `1.${scene.card("b").entry}` })).toEqual(["a", "c"]);
  });

  it("have, for one look, those at work first and the completed last, of which the latest come first", () => {
    const scene = createBoardScene({ stages: [queue("In"), work("Work"), work("Check"), queue("Out")] });
    for (const id of ["a", "b", "c", "d", "e", "f", "g"]) scene.add(id);
    const through = (id: string, ...stages: string[]) => {
      for (const stage of stages) {
        scene.take(stage, { cardId: id });
        scene.finish(id);
      }
    };
    through("a", "Work", "Check");
    through("b", "Work", "Check");
    through("c", "Work");
    through("d", "Work");
    scene.take("Check", { cardId: "d" });
    scene.take("Work", { cardId: "e" });
    scene.block("c");
    const look = (filter: object = {}) =>
      scene.cardViews({ order: "at-work", ...filter }).items.map(({ id, state }) => `${id} ${state}`);
    const all = ["d active", "e active", "c blocked", "f waiting", "g waiting", "b completed", "a completed"];
    expect(look()).toEqual(all);
    expect(look({ limit: 3 })).toEqual(all.slice(0, 3));
    expect(scene.cardViews({ order: "at-work", limit: 3 }).next).toBe("");
    expect(look({ stage: "Work" })).toEqual(["e active", "c blocked"]);
    expect(look({ stage: "Out" })).toEqual(all.slice(5));
    expect(look({ states: ["completed", "active"] })).toEqual([...all.slice(0, 2), ...all.slice(5)]);
  });

  it("have boards by name", () => {
    const scene = createBoardScene({ name: "b" });
    for (const name of ["c", "a"]) scene.step({ kind: "create-board", config: boardOf({ name }) });
    const page = (after: string) => {
      const { items, next } = pageBoards(scene.state, { after, limit: 2 }, asIs);
      return [items.map(({ config }) => config.name), next];
    };
    expect([page(""), page("b")]).toEqual([
      [["a", "b"], "b"],
      [["c"], ""],
    ]);
  });
});

function addition(index: number) {
  const content = { title: "", description: "", data: "", priority: 0 };
  return { kind: "add-card", board: "b", id: `${index}`, content } as const;
}
