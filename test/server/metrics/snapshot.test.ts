/** Which limiters and boards have series of their own, and how many are measured in one turn. */

import { expect, test } from "vitest";
import { createBoardMachine } from "../../../src/server/machine/board/machine.ts";
import type { BoardState } from "../../../src/server/machine/board/state.ts";
import type { State } from "../../../src/server/machine/limiter/state.ts";
import {
  MAX_BOARDS,
  MEASURED_AT_ONCE,
  measureBoards,
  measureKeys,
  measureLimiters,
  OTHER,
} from "../../../src/server/metrics/snapshot.ts";
import { boardOf } from "../machine/board/boards.ts";
import { claimOn } from "../machine/builders.ts";
import { createScene } from "../machine/limiter/scene.ts";

const atOnce = () => Promise.resolve();

/** Limiters of one permit, named so that they sort by their numbers. */
function sceneOf(count: number) {
  const scene = createScene();
  for (let index = 0; index < count; index++) {
    scene.create({ name: `l${String(index).padStart(4, "0")}`, maxConcurrent: 1 });
  }
  return scene;
}

test("limiters beyond the bound, by name, are added up", async () => {
  const scene = sceneOf(5);
  for (const name of ["l0000", "l0003", "l0004"]) scene.tryAcquire([claimOn(name)]);
  const measured = await measureLimiters(() => scene.state, { maxLimiters: 3, turn: atOnce });
  expect(measured.map(({ labels, figures }) => [labels.values[0], figures.permits, figures.grants])).toEqual([
    ["l0000", 1, 1],
    ["l0001", 1, 0],
    ["l0002", 1, 0],
    [OTHER, 2, 2],
  ]);
});

test("as many limiters as may have series leave none to add up; with 0 all are", async () => {
  const scene = sceneOf(3);
  const named = async (maxLimiters: number) =>
    (await measureLimiters(() => scene.state, { maxLimiters, turn: atOnce })).map(({ labels }) => labels.values[0]);
  expect(await named(3)).toEqual(["l0000", "l0001", "l0002"]);
  expect(await named(0)).toEqual([OTHER]);
});

test("a bounded number of limiters is measured in one turn, and those that come and go meanwhile do no harm", async () => {
  const scene = sceneOf(3 * MEASURED_AT_ONCE);
  const gone = `l${String(2 * MEASURED_AT_ONCE).padStart(4, "0")}`;
  let looks = 0;
  let turns = 0;
  const look = (): State => {
    looks += 1;
    return scene.state;
  };
  const turn = async () => {
    turns += 1;
    if (turns !== 1) return;
    scene.step({ kind: "delete-limiter", name: gone, revision: undefined, force: true });
    scene.create({ name: "l0000a" });
    scene.create({ name: "z" });
  };
  const measured = await measureLimiters(look, { maxLimiters: 10_000, turn });
  expect([looks, turns]).toEqual([3, 2]);
  const names = measured.map(({ labels }) => labels.values[0]);
  expect(names).toHaveLength(3 * MEASURED_AT_ONCE);
  expect(names).not.toContain(gone);
  expect(names.at(-1)).toBe("z");
});

test("only keys that are named have series, and only of keyed limiters that are there", () => {
  const scene = createScene();
  scene.create({ name: "k", keyed: true, maxConcurrent: 2 });
  scene.create({ name: "plain", maxConcurrent: 2 });
  for (const key of ["x", "y", "z"]) scene.tryAcquire([claimOn("k", { key })]);
  const keys = [
    { limiter: "k", key: "x" },
    { limiter: "k", key: "unused" },
    { limiter: "plain", key: "x" },
    { limiter: "gone", key: "x" },
  ];
  const measured = measureKeys(scene.state, keys);
  expect(measured.map(({ labels, figures }) => [...labels.values, figures.permitsInUse])).toEqual([
    ["k", "x", 1],
    ["k", "unused", 0],
  ]);
});

test("boards beyond the bound are added up, all their stages together", async () => {
  const machine = createBoardMachine();
  const nameOf = (index: number) => `b${String(index).padStart(3, "0")}`;
  for (let index = 0; index < MAX_BOARDS + 2; index++) {
    machine.step({ kind: "create-board", config: boardOf({ name: nameOf(index) }) }, 0);
  }
  const look = (): BoardState => machine.state;
  const measured = await measureBoards(look, { turn: atOnce });
  expect(measured.map(({ name }) => name).slice(-2)).toEqual([nameOf(MAX_BOARDS - 1), OTHER]);
  expect(measured).toHaveLength(MAX_BOARDS + 1);
  expect([...(measured.at(-1)?.stages ?? [])].map(([stage]) => stage)).toEqual([OTHER]);
});
