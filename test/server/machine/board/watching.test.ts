/** Watchers have a number, not a queue: from any number on they are told what has changed, or all there is. */

import { describe, expect, it } from "vitest";
import { ChangeLog } from "../../../../src/server/machine/board/change-log.ts";
import { deltaSince, pageBoards } from "../../../../src/server/machine/board/read.ts";
import { boardOf, FIVE, queue, work } from "./boards.ts";
import { type BoardScene, createBoardScene } from "./scene.ts";

/** What a watcher is told who has come as far as that number. */
function since(scene: BoardScene, sequence: number): unknown {
  const delta = deltaSince(scene.state, scene.board, sequence);
  const cards = delta.cards.map(({ id, stage, state }) => `${id} ${stage} ${state}`);
  return delta.kind === "snapshot" ? { snapshot: cards } : { cards, removed: delta.removed };
}

describe("a watcher", () => {
  it("is told all there is at first, and then each card once, where it last changed, in the order of the changes", () => {
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

  it("whose number is from another life of the board is told all there is", () => {
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

  it("that has missed more than a thousand changes is told all there is", () => {
    const scene = createBoardScene({ stages: [queue("In"), queue("Out")] });
    const { sequence } = scene.board;
    for (let index = 0; index < 1_000; index++) scene.step(addition(index));
    expect(deltaSince(scene.state, scene.board, sequence)).toMatchObject({ kind: "changes" });
    scene.step(addition(1_000));
    expect(deltaSince(scene.state, scene.board, sequence)).toMatchObject({ kind: "snapshot" });
  });
});

describe("the log of changes", () => {
  it("remembers a thousand cards that are gone, and knows when it can no longer tell", () => {
    const log = new ChangeLog(1);
    log.changed("stays", 2);
    for (let index = 0; index < 1_001; index++) log.removed(`${index}`, 3 + index);
    expect(log.since(1, 2_000)).toBe(undefined);
    expect(log.since(2, 2_000)).toBe(undefined);
    const delta = log.since(3, 2_000);
    expect([delta?.changed, delta?.removed.length, delta?.removed[0]]).toEqual([[], 1_000, "1"]);
  });

  it("takes a card that has come back for one that is there", () => {
    const log = new ChangeLog(1);
    log.removed("a", 2);
    log.changed("a", 3);
    expect(log.since(1, 10)).toEqual({ changed: ["a"], removed: [] });
    expect([...log.entries()]).toMatchObject([{ id: "a", sequence: 3, removed: false }]);
  });

  it("tells no more than it may, and nothing rather than a part", () => {
    const log = new ChangeLog(1);
    for (const [index, id] of ["a", "b", "c"].entries()) log.changed(id, 2 + index);
    expect(log.since(2, 2)).toEqual({ changed: ["b", "c"], removed: [] });
    expect(log.since(1, 2)).toBe(undefined);
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

  it("have boards by name", () => {
    const scene = createBoardScene({ name: "b" });
    for (const name of ["c", "a"]) scene.step({ kind: "create-board", config: boardOf({ name }) });
    const page = (after: string) => {
      const { items, next } = pageBoards(scene.state, { after, limit: 2 });
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
