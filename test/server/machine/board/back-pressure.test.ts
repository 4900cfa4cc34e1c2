/** Back-pressure: finished work that is not pulled holds back everything upstream, and the board says where. */

import { describe, expect, it } from "vitest";
import { FIVE, queue, work } from "./boards.ts";
import { type BoardScene, createBoardScene } from "./scene.ts";

/** The workers of InProgress take what there is and finish it. */
function workInProgress(scene: BoardScene): void {
  for (let id = scene.take("InProgress"); scene.board.cards.has(id); id = scene.take("InProgress")) scene.finish(id);
}

describe("back-pressure", () => {
  it("with Review stopped fills InProgress, then Ready, which stops pulling; Backlog grows, and Review is the bottleneck", () => {
    const scene = createBoardScene({ stages: FIVE });
    const seen: [counts: string, bottleneck: string][] = [];
    for (let index = 0; index < 12; index++) {
      scene.add(`${index}`);
      workInProgress(scene);
      seen.push([scene.counts().join(" "), scene.view().status.bottleneck]);
    }
    expect(seen).toEqual([
      ["0 0 1 0 0", ""],
      ["0 0 2 0 0", ""],
      ["0 0 3 0 0", "Review"],
      ["0 1 3 0 0", "Review"],
      ["0 2 3 0 0", "Review"],
      ["0 3 3 0 0", "Review"],
      ["0 4 3 0 0", "Review"],
      ["0 5 3 0 0", "Review"],
      ["1 5 3 0 0", "Review"],
      ["2 5 3 0 0", "Review"],
      ["3 5 3 0 0", "Review"],
      ["4 5 3 0 0", "Review"],
    ]);
    expect(scene.take("InProgress")).toBe("STAGE_FULL");
    // Review begins: one place after the other comes free, back to the backlog.
    scene.finish(scene.take("Review"));
    workInProgress(scene);
    expect(scene.counts()).toEqual([3, 5, 3, 0, 1]);
    for (let round = 0; round < 11; round++) {
      scene.finish(scene.take("Review"));
      workInProgress(scene);
    }
    expect([scene.counts(), scene.view().status.bottleneck]).toEqual([[0, 0, 0, 0, 12], ""]);
  });

  it.each<[rule: string, stuck: (scene: BoardScene) => void, bottleneck: string]>([
    ["a full queue from which no card is pulled", (scene) => add(scene, 7), "InProgress"],
    [
      "of two stages that let work lie, the most downstream",
      (scene) => {
        add(scene, 12);
        workInProgress(scene);
      },
      "Review",
    ],
    [
      "not a stage before which nothing is finished, however full",
      (scene) => {
        add(scene, 3);
        for (let count = 0; count < 3; count++) scene.take("InProgress");
      },
      "",
    ],
    [
      "not a stage that takes what it can: the one before is not full",
      (scene) => {
        add(scene, 2);
        workInProgress(scene);
      },
      "",
    ],
  ])("names as the bottleneck: %s", (_rule, stuck, bottleneck) => {
    const scene = createBoardScene({ stages: FIVE });
    stuck(scene);
    expect(scene.view().status.bottleneck).toBe(bottleneck);
  });

  it("names a last stage that takes no more, and a stage whose workers stand at its limiter", () => {
    const end = createBoardScene({ stages: [queue("In"), work("Work", 1), queue("Out", 1)] });
    for (const id of ["a", "b"]) {
      end.add(id);
      end.finish(end.take("Work"));
    }
    expect(end.view().status.bottleneck).toBe("Out");

    const stages = [queue("In"), work("Work", 1), work("Check", 5, { limiter: "gpu" }), queue("Out")];
    const limited = createBoardScene({ stages });
    limited.add("a");
    limited.finish(limited.take("Work"));
    limited.pull("Check");
    expect(limited.view().status.bottleneck).toBe("Check");
  });
});

function add(scene: BoardScene, count: number): void {
  for (let index = 0; index < count; index++) scene.add(`${index}`);
}
