/** Work on a card: it ends once, by the holder of its token or by time, and what is dropped is counted and not lost. */

import { describe, expect, it } from "vitest";
import type { BlockCard, BoardOutcomeOf, EndWork } from "../../../../src/server/machine/board/command.ts";
import type { CardState, EndVerb, Work } from "../../../../src/server/machine/board/model.ts";
import { MILLISECOND, SECOND } from "../builders.ts";
import { boardOf, DAY, queue, work } from "./boards.ts";
import { type BoardScene, createBoardScene, type Pulling, say } from "./scene.ts";

const STAGES = [queue("In"), work("Work", 2), work("Review", 1), queue("Out")];

/** A worker works on card "a", through a stream unless said otherwise. */
function atWork(options: Parameters<BoardScene["pull"]>[1] = {}, about: Parameters<typeof createBoardScene>[0] = {}) {
  const scene = createBoardScene({ stages: STAGES, ...about });
  scene.add("a");
  const pulling = scene.pull("Work", options);
  const { work: held } = scene.card("a");
  if (held === undefined) throw new Error("no work on card a");
  return { scene, pulling, work: held };
}

function end(scene: BoardScene, kind: EndWork["kind"], token: number, failed = false): BoardOutcomeOf<EndWork> {
  return scene.step({ kind, board: "b", cardId: "a", token, words: "words", failed, session: undefined });
}

/** The same, and a block by the card's worker. */
function endBy(scene: BoardScene, verb: EndVerb, token: number): BoardOutcomeOf<EndWork | BlockCard> {
  return verb === "block"
    ? scene.step({ kind: "block", board: "b", cardId: "a", token, reason: "words" })
    : end(scene, verb, token);
}

const VERBS: readonly EndVerb[] = ["finish", "give-back", "send-back", "block"];

describe("work", () => {
  it.each<
    [
      how: string,
      act: (at: { scene: BoardScene; work: Work; pulling: Pulling }) => void,
      then: CardState,
      events: string[],
    ]
  >([
    ["a finish", ({ scene, work: { token } }) => end(scene, "finish", token), "finished", ["work-over"]],
    ["being given back", ({ scene, work: { token } }) => end(scene, "give-back", token), "waiting", ["work-over"]],
    ["failing", ({ scene, work: { token } }) => end(scene, "give-back", token, true), "waiting", ["work-over"]],
    ["being sent back", ({ scene, work: { token } }) => end(scene, "send-back", token), "sent-back", ["work-over"]],
    ["an operator's block", ({ scene }) => scene.block("a"), "blocked", ["CARD_BLOCKED"]],
    ["the cancel of its stream", ({ scene, pulling }) => scene.leave(pulling, "cancelled"), "waiting", []],
  ])("ends with %s", (_how, act, then, events) => {
    // In's limit keeps what was sent back where it stands.
    const at = atWork({}, { stages: [queue("In", 1), ...STAGES.slice(1)] });
    at.scene.add("b");
    act(at);
    expect(at.scene.card("a")).toMatchObject({ state: then, work: undefined });
    expect(at.scene.heardBy(at.pulling).map(say)).toEqual(events);
    expect(at.scene.state.works.size).toBe(0);
  });

  it("whose connection is lost is kept for its ttl, and then the card waits for another, with one attempt more", () => {
    const { scene, pulling } = atWork({ ttl: SECOND });
    scene.leave(pulling, "lost");
    scene.pass(SECOND - 1);
    expect(scene.take("Work")).toBe("NO_CARD");
    expect(scene.card("a").state).toBe("active");
    scene.pass(1);
    expect(scene.card("a")).toMatchObject({ state: "waiting", attempt: 1, reason: "its worker has vanished" });
    expect(scene.counts()).toEqual([0, 1, 0, 0]);
    expect(scene.take("Work")).toBe("a");
    expect(scene.card("a").attempt).toBe(2);
  });

  it("goes on while its stream is there, however long that is, and without one as long as it is renewed", () => {
    const { scene } = atWork({ ttl: SECOND });
    scene.pass(DAY);
    expect(scene.card("a").state).toBe("active");

    const detached = atWork({ ttl: SECOND, detached: true, maxWait: 0 });
    const renew = (token: number) => say(detached.scene.step({ kind: "renew-work", board: "b", cardId: "a", token }));
    for (let second = 0; second < 5; second++) {
      detached.scene.pass(SECOND - MILLISECOND);
      expect(renew(detached.work.token)).toBe("work-renewed");
    }
    expect(renew(detached.work.token - 1)).toBe("STALE_FENCING_TOKEN");
    detached.scene.pass(SECOND);
    expect(renew(detached.work.token)).toBe("STALE_FENCING_TOKEN");
    expect(detached.scene.card("a").state).toBe("waiting");
  });

  it("on a stream that cannot be monitored ends with its ttl, unless renewed, and the stream is notified", () => {
    const { scene, pulling, work: held } = atWork({ ttl: SECOND, monitored: false });
    scene.pass(SECOND - 1);
    scene.step({ kind: "renew-work", board: "b", cardId: "a", token: held.token });
    scene.pass(SECOND - 1);
    expect(scene.heardBy(pulling)).toEqual([]);
    scene.pass(1);
    expect(scene.heardBy(pulling).map(say)).toEqual(["LEASE_EXPIRED"]);
  });

  it("without a ttl ends with its stream, whichever way that ends", () => {
    const { scene, pulling } = atWork({ ttl: 0 });
    scene.leave(pulling, "lost");
    expect(scene.card("a")).toMatchObject({ state: "waiting", attempt: 1 });
  });

  it("is taken up again by its token, from any stream, and the older one is displaced", () => {
    const { scene, pulling, work: held } = atWork({ ttl: SECOND });
    scene.leave(pulling, "lost");
    scene.pass(SECOND / 2);
    const resume = (stream: number, token: number) =>
      scene.step({ kind: "resume-work", board: "b", cardId: "a", token, stream, monitored: true, keepOnCancel: false });
    expect(resume(100, held.token)).toMatchObject({ kind: "pulled", resumed: true, work: { id: held.id } });
    scene.pass(DAY);
    resume(101, held.token);
    expect(scene.heardBy({ stream: 100 }).map(say)).toEqual(["LEASE_DISPLACED"]);
    // The displaced stream may end late.
    scene.leave({ id: held.id, stream: 100 }, "cancelled");
    expect(scene.card("a").work).toBe(held);
    expect(say(resume(102, held.token + 1))).toBe("STALE_FENCING_TOKEN");
    scene.finish("a");
    expect(say(resume(103, held.token))).toBe("STALE_FENCING_TOKEN");
  });
});

describe("a fencing token", () => {
  it("rises with every pull of the board, whatever the card, across a board of the same name made anew", () => {
    const scene = createBoardScene({ stages: STAGES }, { epoch: 1_000 });
    const tokens: number[] = [];
    for (let round = 0; round < 3; round++) {
      for (const id of ["a", "b"]) {
        scene.add(id);
        scene.take("Work", { cardId: id });
        tokens.push(scene.card(id).work?.token ?? 0);
        scene.giveBack(id);
      }
      scene.step({ kind: "delete-board", name: "b", revision: undefined, force: true });
      scene.step({ kind: "create-board", config: boardOf({ stages: STAGES }) });
    }
    expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b));
    expect(tokens[0]).toBeGreaterThan(1_000);
  });

  it.each<EndWork["kind"]>(["finish", "give-back", "send-back"])(
    "that is stale is refused for a %s, and changes nothing",
    (kind) => {
      const { scene, pulling, work: old } = atWork({ ttl: SECOND });
      scene.leave(pulling, "lost");
      scene.pass(SECOND);
      scene.take("Work", { worker: "other" });
      const before = { ...scene.card("a") };
      for (const token of [old.token, old.token - 1, 0, (before.work?.token ?? 0) + 1]) {
        expect(end(scene, kind, token)).toMatchObject({
          kind: "refused",
          reason: "STALE_FENCING_TOKEN",
          at: { board: "b", stage: "Work", card: "a" },
        });
      }
      const block = { kind: "block", board: "b", cardId: "a", token: old.token, reason: "" } as const;
      expect(say(scene.step(block))).toBe("STALE_FENCING_TOKEN");
      expect(scene.card("a")).toEqual(before);
    },
  );

  it("that has finished the card finishes it again to no effect, here and in the next stage, until that is done", () => {
    const { scene, work: held } = atWork();
    scene.finish("a", "result");
    const again = () => say(end(scene, "finish", held.token));
    expect(again()).toBe("a");
    expect(scene.card("a")).toMatchObject({ state: "finished", result: "result" });
    scene.take("Review");
    expect(again()).toBe("a");
    expect(scene.card("a")).toMatchObject({ state: "active", result: "result" });
    expect(say(end(scene, "give-back", held.token))).toBe("STALE_FENCING_TOKEN");
    scene.finish("a");
    expect(scene.card("a").state).toBe("completed");
    expect(again()).toBe("STALE_FENCING_TOKEN");
  });

  it.each(VERBS)(
    "under which a worker has said %s hears the same again, and for every other verb that it is spent",
    (verb) => {
      // In's limit keeps what was sent back where it stands.
      const { scene, work: held } = atWork({}, { stages: [queue("In", 1), ...STAGES.slice(1)] });
      scene.add("b");
      expect(endBy(scene, verb, held.token)).toEqual({ kind: "card", card: scene.card("a") });
      const before = { ...scene.card("a") };
      for (const again of VERBS) {
        expect([again, say(endBy(scene, again, held.token))]).toEqual([
          again,
          again === verb ? "a" : "STALE_FENCING_TOKEN",
        ]);
      }
      expect(say(endBy(scene, verb, held.token + 1))).toBe("STALE_FENCING_TOKEN");
      expect(scene.card("a")).toEqual(before);
    },
  );

  it.each(VERBS)(
    "under which a worker has said %s is harmless while another works on the card, until that has ended",
    (verb) => {
      const { scene, work: held } = atWork({}, { stages: [queue("In", 1), ...STAGES.slice(1)] });
      scene.add("b");
      endBy(scene, verb, held.token);
      if (verb === "block") scene.unblock("a");
      if (verb === "send-back") {
        scene.take("Work", { cardId: "b" });
        expect(scene.cards("In")).toEqual(["a"]);
      }
      const next = scene.pull(verb === "finish" ? "Review" : "Work", { maxWait: 0, cardId: "a" });
      expect(say(next.outcome)).toBe("a");
      const before = { ...scene.card("a") };
      expect(say(endBy(scene, verb, held.token))).toBe("a");
      expect(scene.card("a")).toEqual(before);
      expect(scene.heardBy(next)).toEqual([]);
      scene.finish("a");
      expect(say(endBy(scene, verb, held.token))).toBe("STALE_FENCING_TOKEN");
    },
  );

  it("under which a card failed too often, and was blocked for that, is spent for a block, not for the give-back", () => {
    const { scene, work: held } = atWork({}, { stages: STAGES, maxAttempts: 1 });
    expect(say(end(scene, "give-back", held.token, true))).toBe("a");
    expect(scene.card("a").state).toBe("blocked");
    expect(say(endBy(scene, "give-back", held.token))).toBe("a");
    expect(say(endBy(scene, "block", held.token))).toBe("STALE_FENCING_TOKEN");
    expect(scene.card("a").reason).toBe("blocked after 1 attempts: words");
  });

  it.each<[how: string, act: (at: { scene: BoardScene; pulling: Pulling }) => void]>([
    ["has vanished", ({ scene, pulling }) => vanish(scene, pulling)],
    ["has cancelled", ({ scene, pulling }) => scene.leave(pulling, "cancelled")],
    ["was stopped by an operator's block", ({ scene }) => scene.block("a")],
  ])("whose worker %s is spent for whatever it says", (_how, act) => {
    const at = atWork({ ttl: SECOND });
    act(at);
    const said = VERBS.map((verb) => say(endBy(at.scene, verb, at.work.token)));
    expect(said).toEqual(VERBS.map(() => "STALE_FENCING_TOKEN"));
  });

  it("0 stands for a person's work, which has no ttl, and for no other work", () => {
    const person = atWork({ detached: true, maxWait: 0 });
    person.scene.pass(DAY);
    expect(person.work.ttl).toBe(undefined);
    expect(say(end(person.scene, "finish", 0))).toBe("a");
    expect(person.scene.card("a").state).toBe("finished");

    const machine = atWork({ detached: true, maxWait: 0, ttl: SECOND });
    expect(say(end(machine.scene, "finish", 0))).toBe("STALE_FENCING_TOKEN");
    const { scene } = atWork();
    expect(say(end(scene, "finish", 0))).toBe("STALE_FENCING_TOKEN");
  });
});

describe("a result", () => {
  it("stays with the card until another stage has one, through finishes that bring none", () => {
    const { scene } = atWork({}, { stages: [queue("In"), work("Work"), work("Check"), work("Pack"), queue("Out")] });
    scene.finish("a", "built");
    scene.take("Check");
    scene.finish("a");
    expect(scene.card("a").result).toBe("built");
    scene.take("Pack");
    scene.finish("a", "packed");
    expect(scene.card("a").result).toBe("packed");
  });
});

describe("attempts", () => {
  it.each<[how: string, act: (scene: BoardScene, pulling: Pulling) => void, adds: boolean]>([
    ["giving back on purpose", (scene) => scene.giveBack("a"), false],
    ["cancelling", (scene, pulling) => scene.leave(pulling, "cancelled"), false],
    ["failing", (scene) => scene.giveBack("a", { failed: true }), true],
    ["vanishing", (scene, pulling) => vanish(scene, pulling), true],
  ])("are counted right: %s", (_how, act, adds) => {
    const { scene, pulling } = atWork({ ttl: SECOND });
    act(scene, pulling);
    expect(scene.card("a").attempt).toBe(adds ? 1 : 0);
    scene.take("Work");
    expect(scene.card("a").attempt).toBe(adds ? 2 : 1);
  });

  it("beyond max_attempts block the card, which counts, until it is unblocked", () => {
    const scene = createBoardScene({ stages: STAGES, maxAttempts: 3 });
    scene.add("a");
    for (let attempt = 1; attempt <= 3; attempt++) {
      expect(scene.take("Work")).toBe("a");
      expect(scene.card("a").attempt).toBe(attempt);
      scene.giveBack("a", { failed: true, reason: "no disk" });
    }
    expect(scene.card("a")).toMatchObject({ state: "blocked", reason: "blocked after 3 attempts: no disk" });
    expect(scene.take("Work")).toBe("NO_CARD");
    expect(scene.counts()).toEqual([0, 1, 0, 0]);
    scene.unblock("a");
    expect(scene.card("a")).toMatchObject({ state: "waiting", attempt: 0, reason: "" });
    expect(scene.take("Work")).toBe("a");
    expect(scene.card("a").attempt).toBe(1);
  });

  it("are counted anew in the next stage", () => {
    const { scene } = atWork();
    scene.giveBack("a", { failed: true });
    scene.take("Work");
    scene.finish("a");
    scene.take("Review");
    expect(scene.card("a").attempt).toBe(1);
  });
});

describe("a blocked card", () => {
  it("is pulled by no worker until it is unblocked, counts in its stage, and then waits there, done or not", () => {
    const scene = createBoardScene({
      stages: [queue("In"), work("Work", 1), queue("Out", undefined, { autoPull: false })],
    });
    scene.add("a");
    scene.add("b");
    scene.take("Work");
    scene.finish("a");
    const waiting = scene.pull("Out");
    expect(scene.got(waiting)).toEqual(["a"]);
    scene.take("Work");
    scene.finish("b");
    scene.block("b");
    scene.add("c");
    expect([scene.take("Out"), scene.take("Work")]).toEqual(["NO_CARD", "STAGE_FULL"]);
    scene.unblock("b");
    expect(scene.take("Work")).toBe("b");
  });

  it("goes at once to the puller that waits, when it is unblocked", () => {
    const scene = createBoardScene({ stages: STAGES });
    scene.add("a");
    scene.block("a");
    const waiting = scene.pull("Work");
    expect(scene.got(waiting)).toEqual([]);
    scene.unblock("a");
    expect(scene.got(waiting)).toEqual(["a"]);
  });

  it("is not to be blocked once completed, nor unblocked unless blocked", () => {
    const scene = createBoardScene({ stages: [queue("In"), queue("Out")] });
    scene.add("a");
    expect([scene.block("a"), scene.unblock("a")]).toEqual(["CARD_STATE", "CARD_STATE"]);
  });

  it("may be blocked again: the reason changes, the time runs on", () => {
    const scene = createBoardScene({ stages: STAGES });
    scene.add("a");
    scene.block("a");
    scene.pass(SECOND);
    scene.step({ kind: "block", board: "b", cardId: "a", token: 0, reason: "other" });
    scene.pass(SECOND);
    scene.unblock("a");
    expect(scene.card("a").blockedTime).toBe(2 * SECOND);
  });

  it("is blocked by its worker under the token, whose stream ends well", () => {
    const { scene, pulling, work: held } = atWork();
    scene.step({ kind: "block", board: "b", cardId: "a", token: held.token, reason: "waits for legal" });
    expect(scene.card("a")).toMatchObject({ state: "blocked", reason: "waits for legal", attempt: 1 });
    expect(scene.heardBy(pulling).map(say)).toEqual(["work-over"]);
  });
});

function vanish(scene: BoardScene, pulling: Pulling): void {
  scene.leave(pulling, "lost");
  scene.pass(SECOND);
}
