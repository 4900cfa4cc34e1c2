/** Boards: cards that are pulled, worked on, and handed on. */

import { expect } from "vitest";
import { queue, work } from "../../server/machine/board/boards.ts";
import { createScript, SECOND } from "../script.ts";
import type { Case } from "../stage.ts";

const STAGES = [queue("todo", undefined, { autoPull: false }), work("doing", 1), queue("done")];
const LIMITED = [queue("todo", undefined, { autoPull: false }), work("doing", 5, { limiter: "gpu" }), queue("done")];

export const BOARDS: readonly Case[] = [
  {
    name: "gives a card to one puller, under a token that rises with each pull",
    async play(stage) {
      const script = createScript(stage);
      await script.createBoard({ stages: STAGES });
      await script.add("one");
      const pulled = await script.pull("p", "doing");
      expect(pulled).toMatchObject({ kind: "pulled", workId: "p", card: { id: "one", stage: "doing", attempt: 1 } });
      const token = await script.tokenOf("one");
      expect(await script.pull("q", "doing", { maxWait: 0 })).toMatchObject({ reason: "STAGE_FULL" });
      expect(await script.end("finish", "one", token + 1)).toMatchObject({ reason: "STALE_FENCING_TOKEN" });
      await script.end("give-back", "one", token);
      await script.pull("r", "doing");
      expect(await script.tokenOf("one")).toBeGreaterThan(token);
    },
  },
  {
    name: "serves pullers in the order in which they came, as cards come and stages have room",
    async play(stage) {
      const script = createScript(stage);
      await script.createBoard({ stages: STAGES });
      for (const id of ["p", "q"]) await script.pull(id, "doing");
      for (const id of ["one", "two"]) await script.add(id);
      await script.calm();
      expect(script.fresh().slice(1)).toEqual([
        "p: pull-waiting",
        "q: pull-waiting",
        "add one: card",
        "p: pulled one",
        "add two: card",
      ]);
      await script.end("finish", "one", await script.tokenOf("one"));
      await script.calm();
      expect(script.fresh()).toEqual(["finish one: card", "p: work-over", "q: pulled two"]);
    },
  },
  {
    name: "gives a stage's card only with a permit of its limiter, which the end of the work frees",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ name: "gpu", maxConcurrent: 1 });
      await script.createBoard({ stages: LIMITED });
      for (const id of ["one", "two"]) await script.add(id);
      script.fresh();
      for (const id of ["p", "q"]) await script.pull(id, "doing");
      await script.calm();
      expect(script.fresh().filter((words) => !words.endsWith("pull-waiting"))).toEqual(["p: pulled one"]);
      expect(await script.permitsInUse("gpu")).toEqual([1]);
      await script.end("finish", "one", await script.tokenOf("one"));
      await script.calm();
      expect(script.fresh()).toEqual(["finish one: card", "p: work-over", "q: pulled two"]);
      await script.end("give-back", "two", await script.tokenOf("two"));
      await script.calm();
      expect(await script.permitsInUse("gpu")).toEqual([0]);
    },
  },
  {
    name: "claims a permit under a fresh id each time",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ name: "gpu", maxConcurrent: 1 });
      await script.createBoard({ stages: LIMITED });
      await script.tryAcquire("busy", [{ limiter: "gpu", key: "", permits: 1, tokens: 0, slots: false }]);
      await script.add("one");
      await script.pull("p", "doing");
      const waiting = async () => {
        await script.calm();
        const page = await script.engine.waiters({ limiter: "gpu", key: "", after: "", limit: 10 });
        return page?.items.map(({ id }) => id) ?? [];
      };
      const seen = await waiting();
      for (const id of ["two", "three"]) {
        await script.askBoards("delete", {
          kind: "delete-card",
          board: "b",
          cardId: id === "two" ? "one" : "two",
          revision: undefined,
        });
        expect(await waiting()).toEqual([]);
        await script.add(id);
        seen.push(...(await waiting()));
      }
      expect([seen.length, new Set(seen).size]).toEqual([3, 3]);
      await script.release("busy");
      await script.calm();
      expect(script.said.at(-1)).toBe("p: pulled three");
    },
  },
  {
    name: "gives a card back whose worker has vanished, once its ttl is over",
    async play(stage) {
      const script = createScript(stage);
      await script.createBoard({ stages: STAGES });
      await script.add("one");
      await script.pull("p", "doing", { ttl: SECOND });
      const token = await script.tokenOf("one");
      await script.leavePull("p", "lost");
      await script.pass(SECOND - 1);
      expect(await script.renewWork("one", token)).toMatchObject({ kind: "card", card: { work: { token } } });
      await script.pass(SECOND);
      expect(await script.boards.card("b", "one")).toMatchObject({ state: "waiting", attempt: 1 });
      expect(await script.renewWork("one", token)).toMatchObject({ reason: "STALE_FENCING_TOKEN" });
    },
  },
  {
    name: "answers a retry of a pull with its card, and says to the stream before that it has lost it",
    async play(stage) {
      const script = createScript(stage);
      await script.createBoard({ stages: STAGES });
      await script.add("one");
      const asked = { requestId: "0123456789abcdef", worker: "ann" };
      await script.pull("p", "doing", asked);
      script.fresh();
      expect(await script.pull("q", "doing", asked)).toMatchObject({ kind: "pulled", resumed: true, workId: "p" });
      await script.calm();
      expect(script.fresh()).toEqual(["q: pulled one", "p: LEASE_DISPLACED"]);
      expect(await script.boards.card("b", "one")).toMatchObject({ attempt: 1 });
    },
  },
  {
    name: "blocks, unblocks, changes and deletes cards, and refuses what is not there",
    async play(stage) {
      const script = createScript(stage);
      await script.createBoard({ stages: STAGES });
      await script.add("one");
      const at = { board: "b", cardId: "one" } as const;
      expect(await script.askBoards("block", { kind: "block", ...at, token: 0, reason: "r" })).toMatchObject({
        card: { state: "blocked", reason: "r" },
      });
      expect(await script.askBoards("unblock", { kind: "unblock", ...at })).toMatchObject({
        card: { state: "waiting" },
      });
      const removal = { kind: "delete-card", ...at, revision: undefined } as const;
      expect(await script.askBoards("delete", removal)).toMatchObject({ kind: "done" });
      expect(await script.askBoards("delete", removal)).toMatchObject({ reason: "CARD_NOT_FOUND" });
      expect(await script.pull("p", "nowhere")).toMatchObject({ reason: "STAGE_NOT_FOUND" });
    },
  },
];
