/** What is measured of a board adds up to what has happened on it. */

import { expect, test } from "vitest";
import { addBoard, createBoardSum, measureBoard } from "../../../../src/server/machine/board/measure.ts";
import { FLOW_BOUNDS } from "../../../../src/server/machine/board/model.ts";
import { SECOND } from "../builders.ts";
import { DAY, queue, work } from "./boards.ts";
import { type BoardScene, createBoardScene } from "./scene.ts";

const STAGES = [queue("In"), work("Work", 3), queue("Out")];

function stageOf({ board }: BoardScene, name: string) {
  const figures = measureBoard(board).stages.get(name);
  if (figures === undefined) throw new Error(`there is no stage ${name}`);
  const { cycles, ...rest } = figures;
  return { ...rest, cycles: cycles.counts.reduce((a, b) => a + b, 0), cycleTime: cycles.sum };
}

test("a stage has its cards, its limit, what is blocked, and what was pulled into it", () => {
  const scene = createBoardScene({ stages: STAGES });
  for (const id of ["a", "b", "c"]) scene.add(id);
  scene.take("Work");
  scene.take("Work");
  scene.block("a");
  expect(stageOf(scene, "In")).toMatchObject({ cards: 1, wipLimit: undefined, blocked: 0, pulls: 0 });
  expect(stageOf(scene, "Work")).toMatchObject({ cards: 2, wipLimit: 3, blocked: 1, pulls: 2 });
});

test("a card that is taken up where it stands was pulled, and one that goes back by itself was not", () => {
  const scene = createBoardScene({ stages: STAGES });
  scene.add("a");
  scene.take("Work");
  scene.giveBack("a");
  scene.take("Work");
  expect(stageOf(scene, "Work").pulls).toBe(2);
  scene.sendBack("a");
  expect([stageOf(scene, "In").cards, stageOf(scene, "In").pulls]).toEqual([1, 0]);
});

test("cycles are the times of cards that have left a stage, and leads those of completed cards", () => {
  const scene = createBoardScene({ stages: STAGES });
  scene.add("a");
  scene.pass(2 * SECOND);
  scene.take("Work");
  scene.pass(3 * SECOND);
  scene.finish("a");
  expect(stageOf(scene, "In")).toMatchObject({ cycles: 1, cycleTime: 2 * SECOND });
  expect(stageOf(scene, "Work")).toMatchObject({ cycles: 1, cycleTime: 3 * SECOND });
  expect(stageOf(scene, "Out")).toMatchObject({ cards: 1, pulls: 1, cycles: 0 });
  expect(measureBoard(scene.board).leads).toMatchObject({ sum: 5 * SECOND });
});

test("boards added up have the sums of their stages and leads", () => {
  const scene = createBoardScene({ stages: STAGES });
  scene.add("a");
  scene.take("Work");
  scene.pass(SECOND);
  scene.finish("a");
  scene.add("b");
  const sum = createBoardSum();
  addBoard(sum, scene.board);
  addBoard(sum, scene.board);
  expect(sum.stages).toMatchObject({ cards: 4, wipLimit: 6, pulls: 4 });
  expect(sum.leads.sum).toBe(2 * SECOND);
});

test("bounds reach from a second to a month", () => {
  expect([FLOW_BOUNDS[0], FLOW_BOUNDS.at(-1)]).toEqual([SECOND, 30 * DAY]);
});
