/** Pullers that wait for a card are served first come, first served, and one card that comes free wakes one of them. */

import { describe, expect, it } from "vitest";
import { MINUTE, SECOND } from "../builders.ts";
import { FIVE, queue, work } from "./boards.ts";
import { createBoardScene, say } from "./scene.ts";

const STAGES = [queue("In"), work("Work", 1), queue("Out")];

describe("pullers", () => {
  it("are served in the order in which they came: one freed place wakes exactly one of a thousand", () => {
    const scene = createBoardScene({ stages: STAGES });
    const pullers = Array.from({ length: 1_000 }, () => scene.pull("Work"));
    for (let index = 0; index < 8; index++) scene.add(`card-${index}`);
    for (let index = 0; index < 8; index++) {
      const served = pullers.filter((puller) => scene.heardBy(puller).length > 0);
      expect(served.length).toBe(index + 1);
      expect(scene.got(pullers[index] as (typeof pullers)[number])).toEqual([`card-${index}`]);
      scene.finish(`card-${index}`);
    }
    expect(scene.board.stages[1]?.pullers.presentCount).toBe(992);
  });

  it("are overtaken neither by a newcomer nor by a pull that does not wait", () => {
    const scene = createBoardScene({ stages: STAGES });
    scene.add("a");
    scene.take("Work");
    scene.add("b");
    const first = scene.pull("Work");
    const second = scene.pull("Work");
    expect(scene.pull("Work", { maxWait: 0 }).outcome).toMatchObject({ reason: "WAITERS_AHEAD", waitersAhead: 2 });
    scene.finish("a");
    expect([scene.got(first), scene.got(second)]).toEqual([["b"], []]);
  });

  it("of different stages do not stand in each other's way", () => {
    const scene = createBoardScene({ stages: FIVE });
    const review = scene.pull("Review");
    const progress = scene.pull("InProgress");
    scene.add("a");
    expect([scene.got(review), scene.got(progress)]).toEqual([[], ["a"]]);
    scene.finish("a");
    expect(scene.got(review)).toEqual(["a"]);
  });

  it("give up when their time is over, and not a µs before, unless that very instant serves them", () => {
    const scene = createBoardScene({ stages: STAGES });
    const served = scene.pull("Work", { maxWait: SECOND });
    const late = scene.pull("Work", { maxWait: SECOND });
    const holder = scene.pull("Work", { maxWait: 2 * SECOND });
    scene.pass(SECOND - 1);
    expect([scene.got(served), scene.got(late)]).toEqual([[], []]);
    scene.add("a");
    expect(scene.got(served)).toEqual(["a"]);
    scene.pass(1);
    expect(scene.got(late)).toEqual(["WAIT_TIMEOUT"]);
    scene.pass(SECOND);
    expect(scene.got(holder)).toEqual(["WAIT_TIMEOUT"]);
    expect(scene.state.pullers.size).toBe(0);
  });

  it("whose time ends with that of the card's worker get the card", () => {
    const scene = createBoardScene({ stages: STAGES });
    scene.add("a");
    scene.pull("Work", { maxWait: 0, detached: true, ttl: SECOND });
    const waiting = scene.pull("Work", { maxWait: SECOND });
    scene.pass(SECOND);
    expect(scene.got(waiting)).toEqual(["a"]);
  });

  it("are bounded, and a pull that can be served at once needs no place among them", () => {
    const scene = createBoardScene({ stages: STAGES, maxPullers: 1 });
    expect([1, 2].map(() => say(scene.pull("Work").outcome))).toEqual(["pull-waiting", "QUEUE_FULL"]);
    scene.add("a");
    scene.update({ maxPullers: 0 });
    scene.finish("a");
    expect(say(scene.pull("Work").outcome)).toBe("QUEUE_FULL");
    scene.add("b");
    expect(say(scene.pull("Work").outcome)).toBe("b");
  });

  it("whose connection is lost block no other puller, and return to their place within their ttl", () => {
    const scene = createBoardScene({ stages: STAGES, ttl: SECOND });
    const [away, behind, last] = ["away", "behind", "last"].map((requestId) =>
      scene.pull("Work", { requestId, worker: "ann" }),
    );
    if (!away || !behind || !last) throw new Error("three have asked");
    scene.leave(away, "lost");
    scene.add("a");
    expect(scene.got(behind)).toEqual(["a"]);
    const back = scene.pull("Work", { requestId: "away", worker: "ann" });
    scene.add("b");
    scene.finish("a");
    expect([scene.got(back), scene.got(last), scene.got(away)]).toEqual([["b"], [], []]);
  });

  it("that stay away for their ttl are forgotten, and those without a request id at once", () => {
    const scene = createBoardScene({ stages: STAGES, ttl: SECOND });
    const named = scene.pull("Work", { requestId: "named" });
    scene.leave(scene.pull("Work"), "lost");
    scene.leave(named, "lost");
    scene.leave(scene.pull("Work", { requestId: "impatient", ttl: 0 }), "lost");
    expect([...scene.state.pullers.keys()]).toEqual([named.id]);
    scene.pass(SECOND - 1);
    expect(scene.state.pullers.size).toBe(1);
    scene.pass(1);
    expect(scene.state.pullers.size).toBe(0);
    expect(scene.got(named)).toEqual([]);
  });

  it("that cancel leave, and their card goes to the next", () => {
    const scene = createBoardScene({ stages: STAGES });
    const [first, second] = [scene.pull("Work"), scene.pull("Work")];
    scene.leave(first, "cancelled");
    scene.add("a");
    expect([scene.got(first), scene.got(second)]).toEqual([[], ["a"]]);
    scene.leave(second, "cancelled");
    const third = scene.pull("Work");
    expect(scene.got(third)).toEqual(["a"]);
  });
});

describe("a retry with the same request id", () => {
  it("finds its place, and the older stream is displaced", () => {
    const scene = createBoardScene({ stages: STAGES });
    const first = scene.pull("Work", { requestId: "r", worker: "ann" });
    const other = scene.pull("Work");
    const again = scene.pull("Work", { requestId: "r", worker: "ann" });
    expect(scene.got(first)).toEqual(["WAITER_DISPLACED"]);
    scene.add("a");
    expect([scene.got(again), scene.got(other)]).toEqual([["a"], []]);
    // What the older stream says of its end is of no account.
    scene.leave({ id: first.id, stream: first.stream }, "cancelled");
    expect(scene.card("a").state).toBe("active");
  });

  it("finds the work that it led to, and takes no second card", () => {
    const scene = createBoardScene({ stages: [queue("In"), work("Work"), queue("Out")] });
    scene.add("a");
    scene.add("b");
    const first = scene.pull("Work", { requestId: "r", worker: "ann" });
    const again = scene.pull("Work", { requestId: "r", worker: "ann" });
    expect(again.outcome).toMatchObject({ kind: "pulled", resumed: true, card: { id: "a" } });
    expect(scene.got(first)).toEqual(["a", "LEASE_DISPLACED"]);
    scene.finish("a");
    expect(scene.got(scene.pull("Work", { requestId: "r", worker: "ann" }))).toEqual(["LEASE_ENDED"]);
    expect(scene.cards("In")).toEqual(["b"]);
  });

  it.each<[how: string, first: "at once" | "waiting"]>([
    ["was moved at once", "at once"],
    ["was moved for a puller that waited", "waiting"],
  ])("of a pull into a queue finds the card that %s", (_how, first) => {
    const scene = createBoardScene({
      stages: [queue("In"), queue("Ready", undefined, { autoPull: false }), queue("Out", 1)],
    });
    if (first === "at once") scene.add("a");
    const pull = () => scene.pull("Ready", { requestId: "r" });
    const pulling = pull();
    if (first === "waiting") scene.add("a");
    expect(scene.got(pulling)).toEqual(["a"]);
    scene.add("b");
    expect(pull().outcome).toMatchObject({ kind: "pulled", resumed: true, card: { id: "a" } });
    expect(scene.cards("In")).toEqual(["b"]);
  });

  it.each<[what: string, other: object]>([
    ["another stage", { stage: "Check" }],
    ["another worker", { worker: "bob" }],
    ["another way to hold", { detached: true }],
    ["another board", { board: "other" }],
  ])("and with %s is refused", (_what, { stage = "Work", ...other }: { stage?: string }) => {
    const scene = createBoardScene({ stages: [queue("In"), work("Work"), work("Check"), queue("Out")] });
    scene.pull("Work", { requestId: "waiting", worker: "ann" });
    expect(say(scene.pull(stage, { requestId: "waiting", worker: "ann", ...other }).outcome)).toBe("REQUEST_ID_REUSED");
    scene.add("a");
    expect(scene.card("a").state).toBe("active");
    expect(say(scene.pull(stage, { requestId: "waiting", worker: "ann", ...other }).outcome)).toBe("REQUEST_ID_REUSED");
  });

  it("that will not wait takes back its place, and is answered now", () => {
    const scene = createBoardScene({ stages: STAGES });
    const waiting = scene.pull("Work", { requestId: "r", worker: "ann" });
    expect(say(scene.pull("Work", { requestId: "r", worker: "ann", maxWait: 0 }).outcome)).toBe("NO_CARD");
    expect(scene.got(waiting)).toEqual(["WAITER_DISPLACED"]);
    expect(scene.state.pullers.size).toBe(0);
  });

  it("is remembered for ten minutes after the work is over", () => {
    const scene = createBoardScene({ stages: [queue("In"), work("Work"), queue("Out")] });
    scene.add("a");
    scene.pull("Work", { requestId: "r" });
    scene.finish("a");
    scene.add("b");
    scene.pass(10 * MINUTE - 1);
    expect(say(scene.pull("Work", { requestId: "r" }).outcome)).toBe("LEASE_ENDED");
  });
});
