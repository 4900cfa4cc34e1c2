/** A board's stages change at one instant; no card is lost by it, and none comes further. */

import { describe, expect, it } from "vitest";
import type { StageConfig } from "../../../../src/server/machine/board/model.ts";
import { boardOf, FIVE, queue, work } from "./boards.ts";
import { type BoardScene, createBoardScene, say } from "./scene.ts";

const [IN, WORK, CHECK, OUT] = [queue("In"), work("Work"), work("Check"), queue("Out")];

/** Cards "in", "working" and "done" stand in the stages of their names, "Check" is empty. */
function standing(): BoardScene {
  const scene = createBoardScene({ stages: [IN, WORK, CHECK, OUT] });
  scene.add("done");
  for (const stage of ["Work", "Check"]) scene.finish(scene.take(stage));
  scene.add("working");
  scene.take("Work");
  scene.add("in");
  return scene;
}

describe("an update of the stages", () => {
  it.each<[what: string, stages: readonly StageConfig[], renamed: Record<string, string>, says: string]>([
    ["adds one", [IN, WORK, work("Test"), CHECK, OUT], {}, "board"],
    ["removes an empty one", [IN, WORK, OUT], {}, "board"],
    ["removes one in which cards stand", [IN, CHECK, OUT], {}, "STAGE_NOT_EMPTY"],
    ["removes the first, in which cards stand", [WORK, CHECK, OUT], {}, "STAGE_NOT_EMPTY"],
    ["removes the last, in which cards stand", [IN, WORK, CHECK], {}, "STAGE_NOT_EMPTY"],
    ["puts an empty one before one in which cards stand", [IN, CHECK, WORK, OUT], {}, "STAGE_NOT_EMPTY"],
    ["renames one in which cards stand", [IN, work("Do"), CHECK, OUT], { Do: "Work" }, "board"],
    ["renames one and gives a new one its name", [IN, work("Do"), WORK, CHECK, OUT], { Do: "Work" }, "board"],
    ["renames as it was renamed before", [IN, WORK, CHECK, OUT], { Work: "Do" }, "board"],
    ["gives two the names of one another", [IN, CHECK, WORK, OUT], { Check: "Work", Work: "Check" }, "board"],
    ["makes two of one", [IN, work("A"), work("B"), OUT], { A: "Work", B: "Work" }, "board"],
    ["puts one behind the last", [IN, WORK, CHECK, queue("Out"), queue("End")], {}, "STAGE_NOT_EMPTY"],
    ["puts one before the first", [queue("Start"), IN, WORK, CHECK, OUT], {}, "STAGE_NOT_EMPTY"],
    ["makes a queue of one with work", [IN, queue("Work"), CHECK, OUT], {}, "STAGE_NOT_EMPTY"],
    ["makes a queue of an empty one", [IN, WORK, queue("Check"), OUT], {}, "board"],
  ])("that %s", (_what, stages, renamed, says) => {
    const scene = standing();
    const before = { revision: scene.board.revision, config: scene.board.config };
    expect(scene.update({ stages }, renamed)).toBe(says);
    if (says !== "board") expect(scene.board).toMatchObject(before);
    else expect(scene.board.config.stages).toEqual(stages);
    const place = (id: string) => scene.board.stages.indexOf(scene.card(id).stage);
    expect([place("in"), place("working"), place("done")]).toEqual([0, 1, scene.board.stages.length - 1]);
    expect(scene.card("working").state).toBe("active");
  });

  it("keeps the cards of a stage that is renamed, and watchers see where they stand", () => {
    const scene = standing();
    const before = scene.card("working").revision;
    scene.update({ stages: [IN, work("Do"), CHECK, OUT] }, { Do: "Work" });
    expect(scene.cards("Do")).toEqual(["working"]);
    expect(scene.card("working").revision).toBeGreaterThan(before);
    expect(say(scene.pull("Work").outcome)).toBe("STAGE_NOT_FOUND");
  });

  it("refuses the pullers of a stage that is gone, or has become the first, and no others", () => {
    const scene = createBoardScene({ stages: [IN, WORK, CHECK, OUT] });
    const [inWork, inCheck, inOut] = ["Work", "Check", "Out"].map((stage) => scene.pull(stage));
    if (!inWork || !inCheck || !inOut) throw new Error("three wait");
    scene.update({ stages: [queue("Check"), OUT] });
    expect([inWork, inCheck, inOut].map(scene.got)).toEqual([["STAGE_NOT_FOUND"], ["FIRST_STAGE"], []]);
  });

  it("lets a stage that was put between pull what stands before it, and nothing pass it", () => {
    const scene = createBoardScene({ stages: FIVE });
    scene.add("a");
    scene.finish(scene.take("InProgress"));
    const review = scene.pull("Review");
    scene.leave(review, "cancelled");
    expect(scene.card("a").stage.config.name).toBe("Review");
    scene.sendBack(scene.take("Review"));
    scene.update({ stages: [...FIVE.slice(0, 3), work("Test"), ...FIVE.slice(3)] });
    expect(scene.take("InProgress")).toBe("NO_CARD");
    expect(scene.take("Test")).toBe("a");
  });

  it("is refused under a revision that the board no longer has", () => {
    const scene = createBoardScene();
    scene.update({ description: "x" });
    const update = (revision: number) =>
      scene.step({ kind: "update-board", config: boardOf({ description: "y" }), renamed: [], revision });
    expect([say(update(1)), say(update(2)), say(update(2))]).toEqual(["ETAG_MISMATCH", "board", "ETAG_MISMATCH"]);
  });
});

describe("making a board", () => {
  it("again with the same content is harmless, with other content refused", () => {
    const scene = createBoardScene();
    const create = (about: object) => scene.step({ kind: "create-board", config: boardOf(about) });
    expect([say(create({})), say(create({ maxCards: 7 })), say(create({ stages: FIVE.slice(0, 2) }))]).toEqual([
      "board",
      "BOARD_EXISTS",
      "BOARD_EXISTS",
    ]);
    expect(scene.board.revision).toBe(1);
  });
});

describe("declared boards", () => {
  const declare = (scene: BoardScene, ...configs: ReturnType<typeof boardOf>[]) =>
    scene.step({ kind: "declare-boards", configs });

  it("are made, changed where their declaration has changed, and kept where an operator changed them since", () => {
    const scene = createBoardScene({ name: "other" });
    expect(declare(scene, boardOf())).toMatchObject({ created: ["b"], changed: [], deleted: [], refused: [] });
    scene.update({ description: "by hand" });
    expect(declare(scene, boardOf())).toMatchObject({ created: [], changed: [] });
    expect(scene.board.config.description).toBe("by hand");
    expect(declare(scene, boardOf({ maxCards: 9 }))).toMatchObject({ changed: ["b"] });
    expect(scene.board.config).toEqual(boardOf({ maxCards: 9 }));
  });

  it("take over one of their name that was made by hand, whose cards stay", () => {
    const scene = createBoardScene();
    scene.add("a");
    expect(declare(scene, boardOf({ maxAttempts: 1 }))).toMatchObject({ changed: ["b"] });
    expect(scene.card("a").state).toBe("waiting");
    const remove = { kind: "delete-board", name: "b", revision: undefined, force: true } as const;
    expect(say(scene.step(remove))).toBe("DECLARED");
  });

  it("whose stages cannot be as declared stay as they are, and are tried again with the next declaration", () => {
    const scene = createBoardScene({ name: "other" });
    declare(scene, boardOf());
    scene.add("a");
    scene.take("InProgress");
    const without = boardOf({ stages: FIVE.filter(({ name }) => name !== "InProgress") });
    expect(declare(scene, without)).toMatchObject({ changed: [], refused: ["b"] });
    expect(scene.board.config).toEqual(boardOf());
    scene.giveBack("a");
    scene.finish(scene.take("InProgress"));
    scene.take("Review");
    expect(declare(scene, without)).toMatchObject({ changed: ["b"], refused: [] });
  });

  it("that are declared no longer are deleted, but not while open cards stand on them: those stay, undeclared", () => {
    const scene = createBoardScene({ name: "other" });
    declare(scene, boardOf(), boardOf({ name: "empty" }));
    scene.add("a");
    expect(declare(scene)).toMatchObject({ deleted: ["empty"], refused: ["b"] });
    expect(scene.card("a").state).toBe("waiting");
    const remove = { kind: "delete-board", name: "b", revision: undefined, force: true } as const;
    expect(say(scene.step(remove))).toBe("board-deleted");
  });
});
