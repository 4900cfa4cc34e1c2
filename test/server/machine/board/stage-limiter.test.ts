/** A stage with a limiter: a card is pulled into it together with a lease there, or not at all. */

import { describe, expect, it } from "vitest";
import { showNews, viewPlace } from "../../../../src/server/machine/board/show.ts";
import type { WaitReason } from "../../../../src/server/machine/reasons.ts";
import { asIs, SECOND } from "../builders.ts";
import { queue, work } from "./boards.ts";
import { type BoardScene, createBoardScene, say } from "./scene.ts";

const STAGES = [queue("In"), work("Work", 2, { limiter: "gpu" }), work("Check"), queue("Out")];

/** What a scene has asked of limiters since the last look. */
function watchClaims(scene: BoardScene) {
  let seen = 0;
  return () => {
    const fresh = scene.claims.slice(seen).map(({ kind, id }) => `${kind} ${id}`);
    seen = scene.claims.length;
    return fresh;
  };
}

describe("a pull into a stage with a limiter", () => {
  it("joins the limiter's queue only once there is a card and room for it", () => {
    const scene = createBoardScene({ stages: STAGES });
    const fresh = watchClaims(scene);
    const [first, second] = [scene.pull("Work"), scene.pull("Work")];
    expect(fresh()).toEqual([]);
    scene.add("a");
    expect(scene.claims).toEqual([
      {
        kind: "claim",
        id: first.id,
        leaseId: first.id,
        limiter: "gpu",
        worker: first.id,
        caller: "anonymous",
        now: false,
      },
    ]);
    scene.add("b");
    scene.add("c");
    expect(fresh()).toEqual([`claim ${first.id}`, `claim ${second.id}`]);
    scene.pull("Work");
    expect(fresh()).toEqual([]);
  });

  it("needs no place among the pullers, if there is a card and room", () => {
    const scene = createBoardScene({ stages: STAGES, maxPullers: 0 });
    expect(say(scene.pull("Work").outcome)).toBe("QUEUE_FULL");
    scene.add("a");
    const puller = scene.pull("Work");
    scene.settleClaim(puller.id);
    expect(scene.got(puller)).toEqual(["a"]);
  });

  it("keeps its card and its place meanwhile: no other pull gets them, and the card stands where it stood", () => {
    const scene = createBoardScene({ stages: [queue("In"), work("Work", 1, { limiter: "gpu" }), queue("Out")] });
    scene.add("a");
    scene.add("b");
    const puller = scene.pull("Work");
    expect(scene.counts()).toEqual([2, 0, 0]);
    expect(scene.take("Work")).toBe("STAGE_FULL");
    expect(scene.take("Work", { cardId: "a" })).toBe("NO_CARD");
    scene.settleClaim(puller.id);
    expect(scene.got(puller)).toEqual(["a"]);
    expect(scene.card("a").work).toMatchObject({ id: puller.id, leaseId: puller.id });
  });

  it("keeps, for an exchange, both cards", () => {
    const stages = [queue("In"), work("Work", 2), work("Check", 1, { limiter: "gpu" }), queue("Out")];
    const scene = createBoardScene({ stages });
    for (const id of ["a", "b", "c", "d"]) scene.add(id);
    scene.finish(scene.take("Work"));
    scene.settleClaim(scene.pull("Check").id);
    scene.finish(scene.take("Work"));
    scene.take("Work");
    scene.sendBack("a");
    const puller = scene.pull("Check");
    expect(scene.claims.at(-1)).toMatchObject({ kind: "claim", id: puller.id });
    // Room has come about meanwhile: what is kept for the exchange is not taken.
    scene.step({ kind: "delete-card", board: "b", cardId: "c", revision: undefined });
    expect([scene.take("Work"), scene.take("Check")]).toEqual(["d", "STAGE_FULL"]);
    scene.settleClaim(puller.id);
    expect(["Work", "Check"].map(scene.cards)).toEqual([["d", "a"], ["b"]]);
  });

  it("is granted what it may no longer have: nothing, and the lease goes back", () => {
    const scene = createBoardScene({ stages: STAGES });
    const fresh = watchClaims(scene);
    scene.add("a");
    const puller = scene.pull("Work");
    scene.leave(puller, "cancelled");
    expect(fresh()).toEqual([`claim ${puller.id}`, `unclaim ${puller.id}`]);
    scene.settleClaim(puller.id);
    expect(fresh()).toEqual([`unclaim ${puller.id}`]);
    expect(scene.card("a").state).toBe("waiting");
  });

  it("refused by the limiter is answered so, and the next in the queue may try", () => {
    const scene = createBoardScene({ stages: STAGES });
    scene.add("a");
    const [first, second] = [scene.pull("Work"), scene.pull("Work")];
    scene.settleClaim(first.id, "QUEUE_FULL");
    expect(scene.got(first)).toEqual(["QUEUE_FULL"]);
    expect(scene.claims.at(-1)).toMatchObject({ kind: "claim", id: second.id });
    scene.settleClaim(second.id);
    expect(scene.got(second)).toEqual(["a"]);
  });

  it("whose card is deleted or blocked is back in its old place, and takes the next card before those behind it", () => {
    const scene = createBoardScene({ stages: STAGES });
    const fresh = watchClaims(scene);
    scene.add("a");
    const [first, second] = [scene.pull("Work"), scene.pull("Work")];
    scene.step({ kind: "delete-card", board: "b", cardId: "a", revision: undefined });
    expect(fresh()).toEqual([`claim ${first.id}`, `unclaim ${first.id}`]);
    scene.add("b");
    expect(fresh()).toEqual([`claim ${first.id}`]);
    scene.block("b");
    scene.add("c");
    expect(fresh()).toEqual([`unclaim ${first.id}`, `claim ${first.id}`]);
    // The limiter has never seen the id of a claim before.
    const ids = scene.claims.flatMap((effect) => (effect.kind === "claim" ? [effect.leaseId] : []));
    expect([ids.length, new Set(ids).size]).toEqual([3, 3]);
    scene.settleClaim(first.id);
    expect([scene.got(first), scene.got(second)]).toEqual([["c"], []]);
    expect(scene.card("c").work).toMatchObject({ id: first.id, leaseId: ids.at(-1) });
  });

  it("hears why the limiter keeps it waiting, again when that changes, and no more once it is back in its stage", () => {
    const scene = createBoardScene({ stages: STAGES });
    scene.add("a");
    const puller = scene.pull("Work");
    const hold = (missing: WaitReason) => scene.step({ kind: "hold-claim", id: puller.id, missing });
    for (const missing of ["WAITERS_AHEAD", "RATE_EXHAUSTED", "RATE_EXHAUSTED", "PAUSED"] as const) hold(missing);
    scene.block("a");
    hold("LEARNING");
    const places = scene.heardBy(puller).map((news) => showNews(scene.state, news, asIs));
    expect(places.map((news) => news.kind)).toEqual(["pull-waiting", "pull-waiting", "pull-waiting"]);
    const live = scene.state.pullers.get(puller.id);
    expect(live && viewPlace(live)).toEqual({ pullersAhead: 0, missing: "NO_CARD" });
    // A claim that is made anew has yet to be answered.
    scene.add("b");
    expect(live && viewPlace(live)).toEqual({ pullersAhead: 0, missing: undefined });
  });

  it("that does not wait is answered by the limiter, or at once where its card is gone", () => {
    const scene = createBoardScene({ stages: STAGES });
    scene.add("a");
    scene.add("b");
    const now = () => scene.pull("Work", { maxWait: 0, detached: true, cardId: "a" });
    const refused = now();
    expect(scene.claims.at(-1)).toMatchObject({ kind: "claim", id: refused.id, now: true });
    scene.settleClaim(refused.id, "CONCURRENCY_EXHAUSTED");
    expect(scene.got(refused)).toEqual(["CONCURRENCY_EXHAUSTED"]);
    const lost = scene.pull("Work", { maxWait: 0, requestId: "r" });
    scene.leave(lost, "lost");
    expect(scene.claims.at(-1)).toEqual({ kind: "unclaim", id: lost.id });
    const robbed = now();
    scene.block("a");
    expect(scene.got(robbed)).toEqual(["NO_CARD"]);
    expect(scene.claims.at(-1)).toEqual({ kind: "unclaim", id: robbed.id });
    expect(scene.state.pullers.size).toBe(0);
  });

  it("whose time is over, or whose connection is lost, gives back what is kept for it", () => {
    const scene = createBoardScene({ stages: STAGES });
    scene.add("a");
    const late = scene.pull("Work", { maxWait: SECOND });
    const lost = scene.pull("Work", { requestId: "r", worker: "ann" });
    scene.pass(SECOND);
    expect(scene.got(late)).toEqual(["WAIT_TIMEOUT"]);
    expect(scene.claims.slice(-2)).toMatchObject([
      { kind: "unclaim", id: late.id },
      { kind: "claim", id: lost.id },
    ]);
    const behind = scene.pull("Work");
    scene.leave(lost, "lost");
    expect(scene.claims.slice(-2)).toMatchObject([
      { kind: "unclaim", id: lost.id },
      { kind: "claim", id: behind.id },
    ]);
    const back = scene.pull("Work", { requestId: "r", worker: "ann" });
    scene.add("b");
    scene.settleClaim(lost.id);
    expect(scene.got(back)).toEqual(["b"]);
  });

  it("whose time is over leaves what was kept for it to the next puller, before any other command", () => {
    const scene = createBoardScene({ stages: [queue("In"), work("Work", 1, { limiter: "gpu" }), queue("Out")] });
    scene.add("a");
    scene.pull("Work", { maxWait: SECOND });
    const waiting = scene.pull("Work");
    scene.oversleep(SECOND);
    expect(scene.take("Work")).toBe("STAGE_FULL");
    scene.settleClaim(waiting.id);
    expect(scene.got(waiting)).toEqual(["a"]);
  });
});

describe("the lease of a card's work", () => {
  it.each<[how: string, act: (scene: BoardScene) => void]>([
    ["finish", (scene) => scene.finish("a")],
    ["give-back", (scene) => scene.giveBack("a")],
    ["send-back", (scene) => scene.sendBack("a")],
    ["block", (scene) => scene.block("a")],
    ["deletion", (scene) => scene.step({ kind: "delete-card", board: "b", cardId: "a", revision: undefined })],
    [
      "deletion of the board",
      (scene) => scene.step({ kind: "delete-board", name: "b", revision: undefined, force: true }),
    ],
    ["expiry", (scene) => scene.pass(SECOND)],
  ])("goes back once with its %s", (_how, act) => {
    const scene = createBoardScene({ stages: STAGES });
    scene.add("a");
    const puller = scene.pull("Work", { ttl: SECOND, monitored: false });
    scene.settleClaim(puller.id);
    act(scene);
    expect(scene.claims.filter(({ kind }) => kind === "unclaim")).toEqual([{ kind: "unclaim", id: puller.id }]);
  });

  it("that is revoked ends the work, which adds no attempt, and the card waits for another", () => {
    const scene = createBoardScene({ stages: STAGES });
    scene.add("a");
    const puller = scene.pull("Work");
    scene.settleClaim(puller.id);
    scene.step({ kind: "lose-claim", id: puller.id, reason: "LEASE_REVOKED" });
    expect(scene.heardBy(puller).map(say)).toEqual(["a", "LEASE_REVOKED"]);
    expect(scene.card("a")).toMatchObject({ state: "waiting", attempt: 0 });
  });
});

describe("a change of the stages, while pullers stand at a limiter,", () => {
  function claiming() {
    const scene = createBoardScene({ stages: STAGES });
    scene.add("a");
    const puller = scene.pull("Work");
    return { scene, puller, fresh: watchClaims(scene) };
  }

  it("that is none for them leaves them there", () => {
    const { scene, puller, fresh } = claiming();
    const before = scene.claims.length;
    scene.update({ description: "other", stages: STAGES.map((stage) => ({ ...stage, wipLimit: 5 })) });
    expect(scene.claims.length).toBe(before);
    expect(fresh()).toEqual([`claim ${puller.id}`]);
    scene.settleClaim(puller.id);
    expect(scene.got(puller)).toEqual(["a"]);
  });

  it("that puts a stage between lets no card jump it", () => {
    const { scene, puller, fresh } = claiming();
    scene.update({ stages: [queue("In"), work("First"), ...STAGES.slice(1)] });
    expect(fresh()).toEqual([`claim ${puller.id}`, `unclaim ${puller.id}`]);
    scene.settleClaim(puller.id);
    expect(scene.counts()).toEqual([1, 0, 0, 0, 0]);
    scene.finish(scene.take("First"));
    expect(fresh()).toEqual([`unclaim ${puller.id}`, `claim ${puller.id}`]);
  });

  it("that lowers the limit below what is promised takes the promises back, the latest first", () => {
    const { scene, puller: first, fresh } = claiming();
    scene.add("b");
    const second = scene.pull("Work");
    scene.updateStage("Work", { wipLimit: 1 });
    expect(fresh()).toEqual([`claim ${first.id}`, `claim ${second.id}`, `unclaim ${second.id}`]);
    scene.settleClaim(second.id);
    expect(scene.counts()[1]).toBe(0);
    scene.settleClaim(first.id);
    expect(scene.cards("Work")).toEqual(["a"]);
  });

  it("that names another limiter, or none, lets them ask there", () => {
    const { scene, puller, fresh } = claiming();
    scene.updateStage("Work", { limiter: "tpu" });
    expect(fresh()).toEqual([`claim ${puller.id}`, `unclaim ${puller.id}`, `claim ${puller.id}`]);
    expect(scene.claims.at(-1)).toMatchObject({ limiter: "tpu" });
    scene.updateStage("Work", { limiter: "" });
    expect(scene.got(puller)).toEqual(["a"]);
    expect(scene.card("a").work).toMatchObject({ leaseId: undefined });
    expect(fresh()).toEqual([`unclaim ${puller.id}`]);
  });

  it("that takes the board away gives back what was asked for, and tells them", () => {
    const { scene, puller, fresh } = claiming();
    scene.step({ kind: "delete-board", name: "b", revision: undefined, force: true });
    expect(fresh()).toEqual([`claim ${puller.id}`, `unclaim ${puller.id}`]);
    expect(scene.got(puller)).toEqual(["BOARD_NOT_FOUND"]);
    scene.settleClaim(puller.id);
    expect(fresh()).toEqual([`unclaim ${puller.id}`]);
  });
});
