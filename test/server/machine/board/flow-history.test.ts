/** The cumulative flow: how many cards stood where at each instant, finer for what was just now, in bounded space. */

import { describe, expect, it } from "vitest";
import type { BoardConfig } from "../../../../src/server/machine/board/model.ts";
import { flowSince } from "../../../../src/server/machine/board/read.ts";
import { MINUTE, SECOND } from "../builders.ts";
import { DAY, HOUR, queue, work } from "./boards.ts";
import { type BoardScene, createBoardScene } from "./scene.ts";

const STAGES = [queue("In"), work("Work"), queue("Out")];

function start(about: Partial<BoardConfig> = {}): { scene: BoardScene; flow: (from?: number) => [number, string][] } {
  const scene = createBoardScene({ stages: STAGES, ...about });
  const flow = (from = 0): [number, string][] =>
    flowSince(scene.state, scene.board, from / 1_000, (micros) => micros / 1_000).map(({ at, counts }) => {
      return [(at * 1_000) / MINUTE, counts.join(" ")];
    });
  return { scene, flow };
}

describe("the flow over time", () => {
  it("has a sample a minute of what stood then, not of what came at that very instant or later", () => {
    const { scene, flow } = start();
    scene.pass(30 * SECOND);
    scene.add("a");
    scene.pass(30 * SECOND);
    scene.add("b");
    scene.take("Work");
    scene.pass(MINUTE);
    scene.finish("a");
    scene.pass(59 * SECOND);
    expect(flow()).toEqual([
      [0, "0 0 0"],
      [1, "1 0 0"],
      [2, "1 1 0"],
    ]);
    scene.pass(SECOND);
    expect(flow()).toEqual([
      [0, "0 0 0"],
      [1, "1 0 0"],
      [2, "1 1 0"],
      [3, "1 0 1"],
    ]);
    expect(flow(2 * MINUTE)).toEqual([
      [2, "1 1 0"],
      [3, "1 0 1"],
    ]);
  });

  it("fills in what it has slept through, as it stood", () => {
    const { scene, flow } = start();
    scene.add("a");
    scene.pass(7 * MINUTE + SECOND);
    scene.add("b");
    scene.pass(MINUTE);
    expect(flow().map(([, counts]) => counts)).toEqual(["0 0 0", ...Array(7).fill("1 0 0"), "2 0 0"]);
  });

  it("counts in the last column what was ever completed, kept or not", () => {
    const { scene, flow } = start({ keepCompleted: 0 });
    for (const id of ["a", "b"]) {
      scene.add(id);
      scene.finish(scene.take("Work"));
      scene.pass(MINUTE);
    }
    expect(flow().map(([, counts]) => counts)).toEqual(["0 0 0", "0 0 1", "0 0 2"]);
  });

  it("is fine for the last two hours, coarser for the last day, and coarse for 90 days, in order and without gaps", () => {
    const { scene, flow } = start();
    for (let hour = 0; hour < 100 * 24; hour++) {
      if (hour % 24 === 0) scene.add(`${hour}`);
      scene.pass(HOUR);
    }
    const ats = flow().map(([at]) => at);
    const now = 100 * 24 * 60;
    expect(ats.at(-1)).toBe(now);
    expect(ats[0]).toBe(now - (2_160 - 1) * 60);
    const steps = ats.slice(1).map((at, index) => at - (ats[index] as number));
    expect(steps.every((step, index) => step > 0 && step <= (steps[index - 1] ?? 60))).toBe(true);
    const finer = (than: number) => ats.filter((at) => now - at < than * 60).length;
    expect([finer(2), finer(24) - finer(2)]).toEqual([120, 22 * 6]);
    expect(ats.length).toBeLessThan(120 + 144 + 2_160);
  });

  it("of a board that stood still for years costs no more than what is kept", () => {
    const { scene, flow } = start();
    scene.add("a");
    scene.pass(3_000 * DAY + SECOND);
    scene.add("b");
    const samples = flow();
    expect(samples.length).toBeLessThan(2_424);
    expect(new Set(samples.map(([, counts]) => counts))).toEqual(new Set(["1 0 0"]));
    scene.pass(MINUTE);
    expect(flow().at(-1)).toEqual([3_000 * 24 * 60 + 1, "2 0 0"]);
  });

  it("follows its stages when they change: a new one has had no cards, and what is completed stays so", () => {
    const { scene, flow } = start({ keepCompleted: 0 });
    scene.add("a");
    scene.finish(scene.take("Work"));
    scene.add("b");
    scene.take("Work");
    scene.add("c");
    scene.pass(MINUTE);
    scene.update({ stages: [queue("In"), work("Test"), work("Do"), queue("Out")] }, { Do: "Work" });
    scene.pass(MINUTE);
    expect(flow().map(([, counts]) => counts)).toEqual(["0 0 0 0", "1 0 1 1", "1 0 1 1"]);
    // Another last stage: the one that was last has never had a card in the middle.
    scene.update({ stages: [queue("In"), work("Do"), queue("Out"), queue("End")] });
    scene.pass(MINUTE);
    expect(flow().map(([, counts]) => counts)).toEqual(["0 0 0 0", "1 1 0 1", "1 1 0 1", "1 1 0 1"]);
  });
});
