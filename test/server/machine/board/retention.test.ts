/** Completed cards are kept by number and age, as the board says, and forgotten silently never before. */

import { describe, expect, it } from "vitest";
import { MINUTE } from "../builders.ts";
import { HOUR, queue } from "./boards.ts";
import { createBoardScene } from "./scene.ts";

const STAGES = [queue("In"), queue("Out")];

describe("completed cards", () => {
  it("are kept up to their number, the latest; those before are forgotten, and still counted", () => {
    const scene = createBoardScene({ stages: STAGES, keepCompleted: 3 });
    for (let index = 0; index < 10; index++) scene.add(`${index}`);
    expect(scene.cards("Out")).toEqual(["7", "8", "9"]);
    expect(scene.view().status).toMatchObject({ completed: 3, everCompleted: 10, added: 10, cards: 0 });
  });

  it("are kept for their time, to the µs, and the machine wakes for the oldest", () => {
    const scene = createBoardScene({ stages: STAGES, keepCompletedFor: HOUR });
    scene.add("a");
    scene.pass(MINUTE);
    scene.add("b");
    expect(scene.wakeAt).toBe(HOUR);
    scene.pass(HOUR - MINUTE - 1);
    expect(scene.cards("Out")).toEqual(["a", "b"]);
    scene.pass(1);
    expect(scene.cards("Out")).toEqual(["b"]);
    expect(scene.wakeAt).toBe(HOUR + MINUTE);
    scene.pass(MINUTE);
    expect(scene.cards("Out")).toEqual([]);
    expect(scene.wakeAt).toBe(Number.POSITIVE_INFINITY);
  });

  it("are all forgotten at once where none is kept, and their names are free", () => {
    const scene = createBoardScene({ stages: STAGES, keepCompleted: 0 });
    expect([scene.add("a"), scene.add("a", { title: "another" })]).toEqual(["a", "a"]);
    expect(scene.view().status).toMatchObject({ completed: 0, everCompleted: 2 });
  });

  it("are kept longer, or shorter, as soon as the board says so", () => {
    const scene = createBoardScene({ stages: STAGES, keepCompletedFor: HOUR });
    for (let index = 0; index < 4; index++) scene.add(`${index}`);
    scene.update({ keepCompletedFor: undefined });
    expect(scene.wakeAt).toBe(Number.POSITIVE_INFINITY);
    scene.pass(2 * HOUR);
    expect(scene.cards("Out").length).toBe(4);
    scene.update({ keepCompleted: 2 });
    expect(scene.cards("Out")).toEqual(["2", "3"]);
    scene.update({ keepCompletedFor: HOUR });
    expect(scene.cards("Out")).toEqual([]);
  });

  it("make room on a board that is full", () => {
    const scene = createBoardScene({ stages: STAGES, maxCards: 1, keepCompletedFor: MINUTE });
    expect([scene.add("a"), scene.add("b")]).toEqual(["a", "BOARD_FULL"]);
    scene.pass(MINUTE);
    expect(scene.add("b")).toBe("b");
  });
});
