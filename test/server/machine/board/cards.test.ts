/** Cards come onto a board once, change their words, and leave it on a command; nothing else loses one. */

import { describe, expect, it } from "vitest";
import { boardOf, contentOf, queue, work } from "./boards.ts";
import { createBoardScene, say } from "./scene.ts";

const STAGES = [queue("In", 2), work("Work", 1), queue("Out")];

describe("adding a card", () => {
  it("again with the same content is harmless, wherever the card stands by then; with other content it is refused", () => {
    const scene = createBoardScene({ stages: STAGES });
    const content = { title: "t", description: "d", data: "{}", priority: 1 };
    expect(scene.add("a", content)).toBe("a");
    scene.take("Work");
    const before = { ...scene.card("a") };
    expect(scene.add("a", content)).toBe("a");
    for (const other of [{ title: "u" }, { description: "e" }, { data: "[]" }, { priority: 0 }]) {
      expect(scene.add("a", { ...content, ...other })).toBe("CARD_EXISTS");
    }
    expect(scene.card("a")).toEqual(before);
    expect(scene.view().status.added).toBe(1);
  });

  it("is refused where there is no board, no room in the first stage, or none on the board, and changes nothing", () => {
    const scene = createBoardScene({ stages: STAGES });
    const nowhere = { kind: "add-card", board: "nothing", id: "a", content: contentOf() } as const;
    expect(say(scene.step(nowhere))).toBe("BOARD_NOT_FOUND");
    expect([scene.add("a"), scene.add("b"), scene.add("c")]).toEqual(["a", "b", "STAGE_FULL"]);
    expect(scene.counts()).toEqual([2, 0, 0]);
    scene.update({ maxCards: 2 });
    scene.take("Work");
    expect(scene.add("c")).toBe("BOARD_FULL");
    // Again the same is harmless on a board that is full, too.
    expect(scene.add("a")).toBe("a");
    expect(scene.counts()).toEqual([1, 1, 0]);
  });
});

describe("changing a card", () => {
  it("changes its words and never where it stands", () => {
    const scene = createBoardScene({ stages: STAGES });
    scene.add("a", { title: "t", data: "d" });
    scene.take("Work");
    const { work: held, revision } = scene.card("a");
    scene.step({ kind: "update-card", board: "b", cardId: "a", content: { title: "u" }, revision });
    expect(scene.card("a")).toMatchObject({ state: "active", content: { title: "u", data: "d" } });
    expect(scene.card("a").work).toBe(held);
  });

  it("is refused under a revision that it no longer has, and so is deleting it", () => {
    const scene = createBoardScene({ stages: STAGES });
    scene.add("a");
    const { revision } = scene.card("a");
    scene.take("Work");
    const stale = { board: "b", cardId: "a", revision } as const;
    expect(say(scene.step({ kind: "update-card", ...stale, content: { title: "u" } }))).toBe("ETAG_MISMATCH");
    expect(say(scene.step({ kind: "delete-card", ...stale }))).toBe("ETAG_MISMATCH");
    expect(scene.card("a").content.title).toBe("");
  });
});

describe("deleting a card", () => {
  it("notifies its worker, frees its place, and frees its name", () => {
    const scene = createBoardScene({ stages: STAGES });
    scene.add("a");
    const worker = scene.pull("Work");
    const waiting = scene.pull("Work");
    scene.add("b");
    expect(scene.got(waiting)).toEqual([]);
    const deleted = { kind: "delete-card", board: "b", cardId: "a", revision: undefined } as const;
    expect(say(scene.step(deleted))).toBe("done");
    expect(scene.heardBy(worker).map(say)).toEqual(["CARD_DELETED"]);
    expect(scene.got(waiting)).toEqual(["b"]);
    expect(say(scene.step(deleted))).toBe("CARD_NOT_FOUND");
    expect(scene.add("a", { title: "another" })).toBe("a");
  });
});

describe("deleting a board", () => {
  it("is refused while open cards stand on it, unless by force; then its workers and pullers are notified", () => {
    const scene = createBoardScene({ stages: STAGES });
    const remove = (force: boolean) => scene.step({ kind: "delete-board", name: "b", revision: undefined, force });
    scene.add("a");
    const worker = scene.pull("Work");
    const waiting = scene.pull("Work");
    scene.add("b");
    expect(say(remove(false))).toBe("BOARD_NOT_EMPTY");
    expect(remove(true)).toEqual({ kind: "board-deleted", cards: 2 });
    expect(scene.heardBy(worker).map(say)).toEqual(["CARD_DELETED"]);
    expect(scene.heardBy(waiting).map(say)).toEqual(["BOARD_NOT_FOUND"]);
    expect([scene.state.works.size, scene.state.pullers.size, scene.wakeAt]).toEqual([0, 0, Number.POSITIVE_INFINITY]);
  });

  it("needs no force when all its cards are completed", () => {
    const scene = createBoardScene(boardOf({ stages: [queue("In"), queue("Out")], keepCompletedFor: 1_000 }));
    scene.add("a");
    const outcome = scene.step({ kind: "delete-board", name: "b", revision: undefined, force: false });
    expect(outcome).toEqual({ kind: "board-deleted", cards: 1 });
    expect(scene.wakeAt).toBe(Number.POSITIVE_INFINITY);
  });
});
