/** What is shown is a copy: an answer says what was true when it was given, whatever happens before it is sent. */

import { describe, expect, it } from "vitest";
import { showNews, showOutcome, takeMovedPullers, viewPlace } from "../../../../src/server/machine/board/show.ts";
import { asIs, SECOND } from "../builders.ts";
import { queue, work } from "./boards.ts";
import { createBoardScene, type Pulling } from "./scene.ts";

const STAGES = [queue("In"), work("Work", 1), queue("Out")];

describe("an answer", () => {
  it("about a card, its work or its board does not change with them", () => {
    const scene = createBoardScene({ stages: STAGES });
    const { state } = scene;
    const content = { title: "t", description: "", data: "", priority: 0 };
    const added = showOutcome(state, scene.step({ kind: "add-card", board: "b", id: "a", content }), asIs);
    const pulling = scene.pull("Work", { ttl: SECOND, worker: "ann", monitored: false });
    const pulled = showOutcome(state, pulling.outcome, asIs);
    const { token = 0 } = scene.card("a").work ?? {};
    const renewed = showOutcome(state, scene.step({ kind: "renew-work", board: "b", cardId: "a", token }), asIs);
    const update = { kind: "update-board", config: scene.board.config, renamed: [], revision: 1 } as const;
    const board = showOutcome(state, scene.step(update), asIs);
    scene.finish("a", "result");

    expect(added).toMatchObject({ kind: "card", card: { id: "a", stage: "In", state: "waiting", work: undefined } });
    expect(pulled).toMatchObject({
      kind: "pulled",
      workId: pulling.id,
      resumed: false,
      card: { state: "active", result: "", work: { worker: "ann", token, expiresAt: SECOND, live: true } },
    });
    expect(renewed).toMatchObject({ kind: "card", card: { work: { live: true } } });
    expect(board).toMatchObject({ kind: "board", board: { revision: 2, status: { cards: 1, completed: 0 } } });
    expect(scene.cardViews().items[0]).toMatchObject({
      state: "completed",
      result: "result",
      work: { worker: "ann", live: false, expiresAt: undefined },
    });
  });

  it("to a puller that waits says how many are before it, and what is missing", () => {
    const scene = createBoardScene({
      stages: [queue("In"), work("Work", 1, { limiter: "gpu" }), work("Check"), queue("Out")],
    });
    const place = (pulling: Pulling) => showOutcome(scene.state, pulling.outcome, asIs);
    expect([scene.pull("Check"), scene.pull("Check")].map(place)).toMatchObject([
      { kind: "pull-waiting", place: { pullersAhead: 0, missing: "NO_CARD" } },
      { kind: "pull-waiting", place: { pullersAhead: 1, missing: "NO_CARD" } },
    ]);
    scene.add("a");
    scene.add("b");
    const first = scene.pull("Work");
    const second = scene.pull("Work");
    expect([first, second].map(place)).toMatchObject([
      { place: { pullersAhead: 0, missing: undefined } },
      { place: { pullersAhead: 0, missing: "STAGE_FULL" } },
    ]);
    scene.settleClaim(first.id);
    const [news] = scene.heardBy(first);
    expect(news && showNews(scene.state, news, asIs)).toMatchObject({
      kind: "pulled",
      workId: first.id,
    });
  });
});

describe("those whose place has moved", () => {
  it("are named once, when they are nearer by a tenth or more", () => {
    const scene = createBoardScene({ stages: STAGES });
    const pullers = Array.from({ length: 30 }, () => scene.pull("Work"));
    const moved = () =>
      takeMovedPullers(scene.state, ["b", "nothing"]).map((puller) => [puller.id, viewPlace(puller).pullersAhead]);
    expect(moved()).toEqual([]);
    scene.leave(pullers[3] as Pulling, "cancelled");
    // The one before is gone: that is a tenth of ten, and of those farther back less.
    expect(moved()).toEqual([4, 5, 6, 7, 8, 9, 10].map((index) => [pullers[index]?.id, index - 1]));
    expect(moved()).toEqual([]);
    for (const index of [0, 1, 2]) scene.leave(pullers[index] as Pulling, "cancelled");
    expect(moved().length).toBe(26);
    expect(moved()).toEqual([]);
  });
});
