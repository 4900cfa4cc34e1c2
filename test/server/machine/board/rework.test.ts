/** Rework: a card that is sent back counts where it stands until the stage before pulls it, and never locks the board. */

import { describe, expect, it } from "vitest";
import { SECOND } from "../builders.ts";
import { queue, work } from "./boards.ts";
import { lockedBoard } from "./locked-board.ts";
import { createBoardScene } from "./scene.ts";

describe("a card sent back", () => {
  it("counts where it stands until the stage upstream pulls it, whose pull says why", () => {
    const scene = createBoardScene({ stages: [queue("In"), work("Work", 1), work("Review", 1), queue("Out")] });
    scene.add("a");
    scene.take("Work");
    scene.finish("a");
    scene.take("Review");
    scene.sendBack("a", "tests are missing");
    expect(scene.counts()).toEqual([0, 0, 1, 0]);
    expect(scene.card("a")).toMatchObject({ state: "sent-back", reason: "tests are missing" });
    const { outcome } = scene.pull("Work", { maxWait: 0 });
    expect(outcome).toMatchObject({ kind: "pulled", card: { id: "a", reason: "tests are missing", attempt: 1 } });
    expect(scene.counts()).toEqual([0, 1, 0, 0]);
    scene.finish("a");
    expect(scene.card("a").reason).toBe("");
  });

  it("goes by itself to a queue that pulls by itself, and to the first stage, as soon as there is room", () => {
    const toQueue = createBoardScene({ stages: [queue("In"), queue("Ready", 1), work("Work", 2), queue("Out")] });
    for (const id of ["a", "b", "c"]) toQueue.add(id);
    toQueue.take("Work");
    toQueue.take("Work");
    toQueue.sendBack("a");
    expect(["In", "Ready", "Work"].map(toQueue.cards)).toEqual([[], ["c"], ["a", "b"]]);
    toQueue.step({ kind: "delete-card", board: "b", cardId: "c", revision: undefined });
    expect(["In", "Ready", "Work"].map(toQueue.cards)).toEqual([[], ["a"], ["b"]]);

    const toFirst = createBoardScene({ stages: [queue("In", 1), work("Work", 2), queue("Out")] });
    toFirst.add("a");
    toFirst.take("Work");
    toFirst.add("b");
    toFirst.sendBack("a");
    expect(["In", "Work"].map(toFirst.cards)).toEqual([["b"], ["a"]]);
    expect(toFirst.take("Work")).toBe("b");
    expect(["In", "Work"].map(toFirst.cards)).toEqual([["a"], ["b"]]);
    expect(toFirst.card("a").state).toBe("waiting");
  });
});

describe("rework with both stages full", () => {
  it("is exchanged by a pull downstream: a card goes up as another comes down, in one step", () => {
    const scene = lockedBoard();
    expect(scene.counts()).toEqual([2, 5, 3, 2, 0]);
    expect(scene.take("InProgress")).toBe("STAGE_FULL");
    expect(scene.take("Review")).toBe("2");
    expect(scene.counts()).toEqual([2, 5, 3, 2, 0]);
    expect(["InProgress", "Review"].map(scene.cards)).toEqual([
      ["3", "4", "0"],
      ["1", "2"],
    ]);
    expect(scene.card("0")).toMatchObject({ state: "waiting", attempt: 0 });
    expect(scene.take("InProgress")).toBe("0");
  });

  it("is exchanged for a puller that waited before both were full", () => {
    const scene = createBoardScene({ stages: [queue("In"), work("Work", 1), work("Review", 1), queue("Out")] });
    for (const id of ["a", "b"]) scene.add(id);
    scene.take("Work");
    scene.finish("a");
    scene.take("Review");
    scene.take("Work");
    scene.finish("b");
    const waiting = scene.pull("Review");
    expect(scene.got(waiting)).toEqual([]);
    scene.sendBack("a");
    expect(scene.got(waiting)).toEqual(["b"]);
    expect(["Work", "Review"].map(scene.cards)).toEqual([["a"], ["b"]]);
  });

  it("is not exchanged while the stage upstream has room to pull it", () => {
    const scene = lockedBoard();
    scene.step({ kind: "delete-card", board: "b", cardId: "4", revision: undefined });
    expect(scene.take("Review")).toBe("STAGE_FULL");
    expect(scene.take("InProgress")).toBe("0");
    expect(scene.take("Review")).toBe("2");
  });

  it("exchanges the card that is asked for", () => {
    const scene = lockedBoard();
    expect(scene.take("Review", { cardId: "3" })).toBe("3");
    expect(scene.card("0").stage.config.name).toBe("InProgress");
  });

  it("keeps a stage whose limit was lowered no fuller than it was", () => {
    const scene = lockedBoard();
    scene.updateStage("InProgress", { wipLimit: 1 });
    scene.updateStage("Review", { wipLimit: 1 });
    expect(scene.take("Review")).toBe("2");
    expect(scene.counts()).toEqual([2, 5, 3, 2, 0]);
  });

  it("ends with every card done, when each stage pulls whatever it can", () => {
    const scene = lockedBoard();
    for (let turn = 0; turn < 200 && scene.counts().at(-1) !== 12; turn++) {
      for (const stage of ["Review", "InProgress"]) {
        const id = scene.take(stage);
        if (id !== "STAGE_FULL" && id !== "NO_CARD") scene.finish(id);
      }
      scene.pass(SECOND);
    }
    expect(scene.counts()).toEqual([0, 0, 0, 0, 12]);
  });
});
