import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { drawBoard } from "../../../src/cli/output/board-drawing.ts";
import { textWidth } from "../../../src/cli/text/width.ts";
import type { Board, Stage } from "../../../src/client/api/board.ts";
import type { Card } from "../../../src/client/api/card.ts";
import { BoardSchema } from "../../../src/client/gen/ggen/backpressure/v1/board_pb.ts";
import { CardSchema } from "../../../src/client/gen/ggen/backpressure/v1/card_pb.ts";
import { boardFromWire } from "../../../src/client/wire/board.ts";
import { cardFromWire } from "../../../src/client/wire/card.ts";

const MINUTE = 60_000;

function board(
  stages: readonly [name: string, cards: number, wipLimit?: number][],
  changes: Partial<Board["status"]> = {},
): Board {
  const empty = boardFromWire(create(BoardSchema, { name: "release", stages: stages.map(([name]) => ({ name })) }));
  const counted = empty.stages.map((stage, place): Stage => {
    const [, cards = 0, wipLimit] = stages[place] ?? [];
    return { ...stage, wipLimit, status: { ...stage.status, cards, arrivalsPerHour: 4, departuresPerHour: 3.5 } };
  });
  return { ...empty, stages: counted, status: { ...empty.status, ...changes } };
}

function card(id: string, stage: string, changes: Partial<Card> = {}): Card {
  return { ...cardFromWire(create(CardSchema, { id })), stage, state: "waiting", ageMs: MINUTE, ...changes };
}

function lease(worker: string): Card["lease"] {
  return {
    worker,
    caller: "",
    fencingToken: 1n,
    pullTime: undefined,
    ttlMs: undefined,
    expireTime: undefined,
    live: true,
  };
}

const RELEASE = board(
  [
    ["Backlog", 1],
    ["Build", 3, 3],
    ["Review", 1, 2],
    ["Done", 7],
  ],
  {
    cards: 5,
    blocked: 1,
    completedCount: 1250,
    arrivalsPerHour: 4,
    throughputPerHour: 3.5,
    leadTime: { count: 7, meanMs: MINUTE, p50Ms: 90 * MINUTE, p85Ms: 180 * MINUTE, p95Ms: undefined },
    expectedCards: 6.3,
    bottleneck: "Review",
  },
);

const CARDS: readonly Card[] = [
  card("b-1", "Backlog", { title: "Ünïcode and 日本語 in a title that is far too long for its column" }),
  card("w-1", "Build", { state: "active", lease: lease("alice@build-7"), attempt: 2, stageAgeMs: 3 }),
  card("w-2", "Build", { state: "blocked", reason: "waits for the customer", attempt: 1, stageAgeMs: 2 }),
  card("w-3", "Build", { state: "finished", lease: lease("bob"), attempt: 1, stageAgeMs: 1 }),
  card("r-1", "Review", { state: "sent-back", reason: "tests are red", attempt: 1 }),
  card("d-1", "Done", { state: "completed", title: "never drawn" }),
];

const draw = (width: number | undefined, most = 10) => drawBoard({ board: RELEASE, cards: CARDS }, { width, most });

describe("a drawn board", () => {
  it("has its columns side by side, cards below one another, and completed ones as a count", () => {
    expect(draw(89)).toEqual([
      "release",
      "5 cards, 1 blocked, 1,250 done · λ 4/h, throughput μ 3.5/h · lead time 1h30m p50, 3h p85",
      "L 5, λW 6.3 · bottleneck Review",
      "",
      "Backlog                   Build                     Review                    Done",
      "1                         3/3 full                  1/2                       1,250 done",
      "λ 4 μ 3.5 /h              λ 4 μ 3.5 /h              λ 4 μ 3.5 /h",
      "────────────────────────  ────────────────────────  ────────────────────────",
      "· b-1                 1m  ▸ w-1                 1m  ↩ r-1                 1m",
      "  Ünïcode and 日本語 in…    alice@build-7 ×2          sent back: tests are …",
      "                          ✗ w-2                 1m",
      "                            blocked: waits for th…",
      "                          ✓ w-3                 1m",
      "                            finished",
    ]);
  });

  it.each([40, 60, 70, 80, 92, 120, 200])("is never wider than its terminal: %i", (width) => {
    for (const line of draw(width)) expect(textWidth(line)).toBeLessThanOrEqual(width);
  });

  it("has its stages below one another where columns would be too narrow", () => {
    const lines = draw(50);
    expect(lines).toContain("Build · 3/3 full · λ 4 μ 3.5 /h");
    expect(lines.find((line) => line.includes("w-1"))).toMatch(/^ {2}▸ w-1 .* 1m {2}active +alice@/);
    expect(lines.at(-1)).toBe("Done · 1,250 done");
  });

  it("says the same, and nothing is cut, where there is no terminal", () => {
    const text = draw(undefined).join("\n");
    expect(text).toContain("Ünïcode and 日本語 in a title that is far too long for its column");
    expect(text).toMatch(/▸ w-1 .* active +alice@build-7 +2 +-$/m);
    expect(text).toMatch(/✗ w-2 .* blocked +- +1 +waits for the customer$/m);
    expect(text).toMatch(/↩ r-1 .* sent-back +- +1 +tests are red$/m);
    expect(text).toContain("bottleneck Review");
    expect(text).not.toContain("never drawn");
  });

  it.each([92, 40])("draws no more cards than asked for, those first that have stood there longest: %i", (width) => {
    const text = draw(width, 1).join("\n");
    expect(text).toContain("w-1");
    expect(text).not.toContain("w-2");
    expect(text).toContain("… 2 more");
  });

  it("marks a stage as full above its limit too, as after that was lowered", () => {
    const lowered = board([
      ["Backlog", 0],
      ["Build", 4, 3],
      ["Done", 0],
    ]);
    expect(drawBoard({ board: lowered, cards: [] }, { width: 92, most: 0 }).join("\n")).toContain("4/3 full");
  });
});
