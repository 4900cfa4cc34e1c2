/** The state in which boards lock where rework has no way up. */

import { expect } from "vitest";
import { FIVE } from "./boards.ts";
import { type BoardScene, createBoardScene } from "./scene.ts";

/** InProgress is full of finished cards, Review of cards sent back, and Ready of waiting ones. */
export function lockedBoard(): BoardScene {
  const scene = createBoardScene({ stages: FIVE });
  for (let index = 0; index < 12; index++) scene.add(`${index}`);
  for (const id of ["0", "1"]) {
    scene.take("InProgress", { cardId: id });
    scene.finish(id);
    scene.take("Review", { cardId: id });
  }
  for (let count = 0; count < 3; count++) scene.finish(scene.take("InProgress"));
  scene.sendBack("0", "tests are missing");
  scene.sendBack("1", "it does not build");
  expect(scene.board.stages[2]?.tally).toMatchObject({ finished: 3 });
  expect(scene.board.stages[3]?.tally).toMatchObject({ "sent-back": 2 });
  return scene;
}
