/** A stage never holds more than its limit, whatever is asked: everything that stands in it counts. */

import { describe, expect, it } from "vitest";
import { queue, work } from "./boards.ts";
import { type BoardScene, createBoardScene } from "./scene.ts";

describe("a limit", () => {
  it.each<[state: string, act: (scene: BoardScene) => void, gives: string]>([
    ["that are worked on", () => {}, "STAGE_FULL"],
    ["that wait for a worker", (scene) => scene.giveBack("0"), "STAGE_FULL"],
    ["that are blocked", (scene) => scene.block("0"), "STAGE_FULL"],
    ["that are finished and not pulled", (scene) => scene.finish("0"), "STAGE_FULL"],
    ["that were sent back and not pulled, but in exchange for one", (scene) => scene.sendBack("0"), "1"],
  ])("counts cards %s", (_state, act, gives) => {
    const scene = createBoardScene({ stages: [queue("In", 3), work("Work", 1), work("Next"), queue("Out")] });
    for (let index = 0; index < 3; index++) scene.add(`${index}`);
    scene.take("Work");
    scene.add("3");
    act(scene);
    expect(scene.take("Work", { cardId: "1" })).toBe(gives);
    expect(scene.counts()).toEqual([3, 1, 0, 0]);
  });

  it("that is lowered evicts no cards, and admits none until there is room again", () => {
    const scene = createBoardScene({ stages: [queue("In"), work("Work", 3), work("Next"), queue("Out")] });
    for (let index = 0; index < 5; index++) scene.add(`${index}`);
    for (let index = 0; index < 3; index++) scene.take("Work");
    const waiting = scene.pull("Work");
    scene.updateStage("Work", { wipLimit: 1 });
    expect(scene.counts()).toEqual([2, 3, 0, 0]);
    for (const [index, count] of [
      [0, 2],
      [1, 1],
    ] as const) {
      scene.finish(`${index}`);
      scene.take("Next");
      expect(scene.counts()[1]).toBe(count);
      expect(scene.got(waiting)).toEqual([]);
    }
    // What a worker drops in a stage that is over its limit is taken up again there.
    scene.giveBack("2");
    expect(scene.got(waiting)).toEqual(["2"]);
    scene.finish("2");
    scene.take("Next");
    expect(scene.take("Work")).toBe("3");
    expect(scene.take("Work")).toBe("STAGE_FULL");
  });

  it("that is raised lets in as many as there is room for, first come, first served", () => {
    const scene = createBoardScene({ stages: [queue("In"), work("Work", 1), queue("Out")] });
    for (let index = 0; index < 5; index++) scene.add(`${index}`);
    scene.take("Work");
    const pullers = [scene.pull("Work"), scene.pull("Work"), scene.pull("Work")];
    scene.updateStage("Work", { wipLimit: 3 });
    expect(pullers.map(scene.got)).toEqual([["1"], ["2"], []]);
    scene.updateStage("Work", { wipLimit: undefined });
    expect(pullers.map(scene.got)).toEqual([["1"], ["2"], ["3"]]);
  });

  it("on a queue that pulls by itself is kept, and raised fills it at once", () => {
    const scene = createBoardScene({ stages: [queue("In"), queue("Ready", 2), work("Work"), queue("Out")] });
    for (let index = 0; index < 6; index++) scene.add(`${index}`);
    expect(scene.counts()).toEqual([4, 2, 0, 0]);
    scene.updateStage("Ready", { wipLimit: 5 });
    expect(scene.counts()).toEqual([1, 5, 0, 0]);
    scene.updateStage("Ready", { wipLimit: 1 });
    expect(scene.counts()).toEqual([1, 5, 0, 0]);
  });

  it("on the last stage holds finished work back until completed cards have gone", () => {
    const scene = createBoardScene({ stages: [queue("In"), work("Work"), queue("Out", 2)] });
    for (let index = 0; index < 5; index++) {
      scene.add(`${index}`);
      scene.finish(scene.take("Work"));
    }
    expect(scene.counts()).toEqual([0, 3, 2]);
    scene.step({ kind: "delete-card", board: "b", cardId: "0", revision: undefined });
    expect(scene.cards("Out")).toEqual(["1", "2"]);
    // As few as are kept, the rest has room.
    scene.update({ keepCompleted: 1 });
    expect(scene.counts()).toEqual([0, 0, 1]);
    expect(scene.view().status.everCompleted).toBe(5);
  });
});
