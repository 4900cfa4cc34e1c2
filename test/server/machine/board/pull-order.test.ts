/** What a pull gives: what stands in the stage before what was sent back to it, and that before what is new. */

import { describe, expect, it } from "vitest";
import type { StageConfig } from "../../../../src/server/machine/board/model.ts";
import { boardOf, queue, work } from "./boards.ts";
import { type BoardScene, createBoardScene } from "./scene.ts";

/** A card that one asks for: where it stands, what is to become of it there, and how it ranks. */
interface Standing {
  readonly stage: "Backlog" | "Ready" | "InProgress" | "Review";
  readonly state: "waiting" | "finished" | "sent-back" | "blocked" | "active";
  readonly priority?: number;
}

const STAGES: readonly StageConfig[] = [
  queue("Backlog"),
  queue("Ready", undefined, { autoPull: false }),
  work("InProgress"),
  work("Review"),
  queue("Done", undefined, { autoPull: false }),
];

/** Puts cards, the first the oldest on the board, where they shall stand; "a", "b" and so on by their places here. */
function stand(scene: BoardScene, cards: readonly Standing[]): void {
  const ids = cards.map((_, index) => "abcdefgh"[index] as string);
  for (const [index, id] of ids.entries()) scene.add(id, { priority: cards[index]?.priority ?? 0 });
  for (const [index, id] of ids.entries()) {
    const { stage, state } = cards[index] as Standing;
    for (const name of ["Ready", "InProgress", "Review"].slice(
      0,
      STAGES.findIndex((each) => each.name === stage),
    )) {
      expect(scene.take(name, { cardId: id })).toBe(id);
      if (name === "InProgress" && stage === "Review") scene.finish(id);
    }
    if (state === "finished") scene.finish(id);
    if (state === "sent-back") scene.sendBack(id);
    if (state === "blocked") scene.block(id);
    if (state === "waiting" && (stage === "InProgress" || stage === "Review")) scene.giveBack(id);
    expect([scene.card(id).stage.config.name, scene.card(id).state]).toEqual([stage, state]);
  }
}

describe("a pull", () => {
  it.each<[rule: string, stage: string, cards: readonly Standing[], gives: string]>([
    [
      "a waiting card of the stage itself before rework and before what is new",
      "InProgress",
      [
        { stage: "Ready", state: "waiting", priority: 9 },
        { stage: "Review", state: "sent-back", priority: 9 },
        { stage: "InProgress", state: "waiting" },
      ],
      "c",
    ],
    [
      "rework before what is new",
      "InProgress",
      [
        { stage: "Ready", state: "waiting", priority: 9 },
        { stage: "Review", state: "sent-back" },
      ],
      "b",
    ],
    ["what is new, where there is nothing else", "InProgress", [{ stage: "Ready", state: "waiting" }], "a"],
    [
      "the highest priority of those that wait in the stage",
      "InProgress",
      [
        { stage: "InProgress", state: "waiting" },
        { stage: "InProgress", state: "waiting", priority: 1 },
      ],
      "b",
    ],
    [
      "the highest priority of the rework",
      "InProgress",
      [
        { stage: "Review", state: "sent-back", priority: -1 },
        { stage: "Review", state: "sent-back" },
      ],
      "b",
    ],
    [
      "of equals the oldest on the board, not the one that came first into its stage",
      "Review",
      [
        { stage: "InProgress", state: "finished" },
        { stage: "InProgress", state: "finished" },
        { stage: "InProgress", state: "finished", priority: -1_000 },
      ],
      "a",
    ],
    [
      "from a work stage only what is finished there",
      "Review",
      [
        { stage: "InProgress", state: "waiting" },
        { stage: "InProgress", state: "active" },
        { stage: "InProgress", state: "blocked" },
        { stage: "InProgress", state: "sent-back" },
      ],
      "NO_CARD",
    ],
    [
      "nothing from beyond the next stage",
      "Review",
      [
        { stage: "Backlog", state: "waiting" },
        { stage: "Ready", state: "waiting" },
      ],
      "NO_CARD",
    ],
    ["nothing that is blocked", "InProgress", [{ stage: "Ready", state: "blocked" }], "NO_CARD"],
    [
      "into a queue from upstream only, not what stands in it",
      "Ready",
      [{ stage: "Ready", state: "waiting" }],
      "NO_CARD",
    ],
    ["into a queue what was sent back to it", "Ready", [{ stage: "InProgress", state: "sent-back" }], "a"],
    ["nothing of another's work", "InProgress", [{ stage: "InProgress", state: "active" }], "NO_CARD"],
  ])("gives %s", (_rule, stage, cards, gives) => {
    const scene = createBoardScene({ stages: STAGES });
    stand(scene, cards);
    expect(scene.take(stage)).toBe(gives);
  });

  it.each<[rule: string, asked: string, stage: string, gives: string]>([
    ["the one that is asked for, though another would come first", "b", "InProgress", "b"],
    ["none that stands elsewhere", "b", "Review", "NO_CARD"],
    ["none that there is not", "z", "InProgress", "CARD_NOT_FOUND"],
    ["none that is worked on", "c", "InProgress", "NO_CARD"],
    ["none that is blocked", "d", "InProgress", "NO_CARD"],
    ["one that waits in the stage", "e", "InProgress", "e"],
    ["one that was sent back", "f", "InProgress", "f"],
  ])("of one card gives %s", (_rule, asked, stage, gives) => {
    const scene = createBoardScene({ stages: STAGES });
    stand(scene, [
      { stage: "Ready", state: "waiting", priority: 9 },
      { stage: "Ready", state: "waiting" },
      { stage: "InProgress", state: "active" },
      { stage: "Ready", state: "blocked" },
      { stage: "InProgress", state: "waiting" },
      { stage: "Review", state: "sent-back" },
    ]);
    expect(scene.take(stage, { cardId: asked })).toBe(gives);
  });

  it("takes a change of priority into account at once", () => {
    const scene = createBoardScene({ stages: STAGES });
    stand(scene, [
      { stage: "Ready", state: "waiting" },
      { stage: "Ready", state: "waiting" },
    ]);
    scene.step({ kind: "update-card", board: "b", cardId: "b", content: { priority: 1 }, revision: undefined });
    expect(scene.take("InProgress")).toBe("b");
    expect(scene.take("InProgress")).toBe("a");
  });

  it("ranks by priority before age over the whole of their ranges, and ties never", () => {
    const scene = createBoardScene({ stages: STAGES });
    const priorities = [-1_000, 1_000, 0, 999, 1_000, -999, 0];
    for (const [index, priority] of priorities.entries()) scene.add(`${index}`, { priority });
    const order = Array.from(priorities, () => scene.take("Ready"));
    expect(order).toEqual(["1", "4", "3", "2", "6", "5", "0"]);
  });

  it("into a queue moves the card and holds nothing; into a work stage it is work, under a token", () => {
    const scene = createBoardScene({ stages: STAGES });
    scene.add("a");
    expect(scene.pull("Ready", { maxWait: 0 }).outcome).toMatchObject({ kind: "pulled", work: undefined });
    expect(scene.card("a")).toMatchObject({ state: "waiting", work: undefined });
    const { outcome } = scene.pull("InProgress", { maxWait: 0, worker: "ann" });
    expect(outcome).toMatchObject({ kind: "pulled", work: { worker: "ann" } });
    expect(scene.card("a")).toMatchObject({ state: "active", attempt: 1 });
  });

  it.each<[rule: string, board: string, stage: string, reason: string]>([
    ["a board that is not there", "nothing", "Ready", "BOARD_NOT_FOUND"],
    ["a stage that is not there", "b", "nowhere", "STAGE_NOT_FOUND"],
    ["the first stage, into which cards are added", "b", "Backlog", "FIRST_STAGE"],
    ["a stage without room", "b", "Review", "STAGE_FULL"],
    ["a stage for which there is no card", "b", "InProgress", "NO_CARD"],
  ])("is refused for %s", (_rule, board, stage, reason) => {
    const scene = createBoardScene({
      stages: STAGES.map((each) => (each.name === "Review" ? { ...each, wipLimit: 1 } : each)),
    });
    stand(scene, [
      { stage: "Review", state: "active" },
      { stage: "InProgress", state: "finished" },
    ]);
    const { outcome } = scene.pull(stage, { board, maxWait: 0 });
    expect(outcome).toMatchObject({ kind: "refused", reason });
    expect(scene.counts()).toEqual([0, 0, 1, 1, 0]);
  });
});

describe("a queue", () => {
  it("pulls by itself whenever it has room, the best first, and no more than it may hold", () => {
    const scene = createBoardScene(boardOf({ stages: [queue("In"), queue("Ready", 2), work("Work"), queue("Out")] }));
    for (const [index, priority] of [0, 0, 5, 0].entries()) scene.add(`${index}`, { priority });
    expect(scene.cards("Ready")).toEqual(["0", "1"]);
    expect(scene.take("Work")).toBe("0");
    expect(scene.cards("Ready")).toEqual(["1", "2"]);
    expect(scene.cards("In")).toEqual(["3"]);
  });

  it("without auto_pull takes what a pull commits, and nothing else", () => {
    const scene = createBoardScene({ stages: STAGES });
    scene.add("a");
    scene.add("b");
    expect(scene.counts()).toEqual([2, 0, 0, 0, 0]);
    expect(scene.take("Ready", { cardId: "b" })).toBe("b");
    expect(scene.counts()).toEqual([1, 1, 0, 0, 0]);
    scene.take("InProgress");
    scene.finish("b");
    scene.take("Review");
    scene.finish("b");
    expect(scene.cards("Done")).toEqual([]);
    expect(scene.take("Done")).toBe("b");
    expect(scene.card("b").state).toBe("completed");
  });

  it("passes a card on through several in the step in which it comes, and to the puller behind them", () => {
    const scene = createBoardScene({ stages: [queue("In"), queue("A", 1), queue("B", 1), work("Work"), queue("Out")] });
    const puller = scene.pull("Work");
    scene.add("a");
    expect(scene.got(puller)).toEqual(["a"]);
    for (const id of ["b", "c", "d"]) scene.add(id);
    expect(["In", "A", "B", "Work"].map(scene.cards)).toEqual([["d"], ["c"], ["b"], ["a"]]);
  });
});
