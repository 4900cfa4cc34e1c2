/** What is said before it is kept, and what may overtake what is not. */

import { expect } from "vitest";
import { queue, work } from "../../server/machine/board/boards.ts";
import { claimOn, createScript, SECOND } from "../script.ts";
import type { Case } from "../stage.ts";

const STAGES = [queue("todo", undefined, { autoPull: false }), work("doing", 2), queue("done")];

export const DURABILITY: readonly Case[] = [
  {
    name: "says of nothing that takes capacity before it is kept, and then all of it in order",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 1 });
      script.fresh();
      await script.hold();
      void script.acquire("a");
      void script.acquire("b");
      void script.create({ name: "other" });
      await script.calm();
      expect(script.fresh()).toEqual([]);
      await script.letGo();
      expect(script.fresh()).toEqual(["a: granted", "b: waiting", "created: limiter"]);
    },
  },
  {
    name: "refuses at once, as an answer and as news, though grants before it wait to be kept",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 1 });
      await script.tryAcquire("held");
      await script.acquire("waiter", [claimOn()], { maxWait: SECOND });
      await script.create({ name: "free", maxConcurrent: 1 });
      script.fresh();
      await script.hold();
      void script.tryAcquire("unkept", [claimOn("free")]);
      void script.tryAcquire("late", [claimOn("free")]);
      await script.pass(SECOND);
      expect(script.fresh()).toEqual(["late: CONCURRENCY_EXHAUSTED", "waiter: WAIT_TIMEOUT"]);
      await script.letGo();
      expect(script.fresh()).toEqual(["unkept: granted"]);
    },
  },
  {
    name: "answers what gives back or shows life at once, and holds back the grants that come of it",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 2 });
      for (const id of ["a", "b", "c"]) await script.acquire(id);
      script.fresh();
      await script.hold();
      void script.release("a");
      void script.renew("b");
      void script.ask("withdraw", { kind: "withdraw", requestId: "unknown", workOutcome: "ignored" });
      void script.ask("abandon", { kind: "abandon", id: "unknown", requestId: "" });
      await script.calm();
      expect(script.fresh()).toEqual([
        "release a: released",
        "a: released",
        "renew b: renewed",
        "withdraw: withdrawn",
        "abandon: done",
      ]);
      await script.letGo();
      expect(script.fresh()).toEqual(["c: granted"]);
    },
  },
  {
    name: "confirms nothing of a lease before its grant",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 2 });
      await script.tryAcquire("other");
      script.fresh();
      await script.hold();
      void script.tryAcquire("a");
      void script.renew("a");
      void script.renew("other");
      await script.calm();
      expect(script.fresh()).toEqual(["renew other: renewed"]);
      await script.letGo();
      expect(script.fresh()).toEqual(["a: granted", "renew a: renewed"]);
    },
  },
  {
    name: "takes back a grant of which its caller has not heard",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 1 });
      await script.hold();
      void script.tryAcquire("a");
      void script.ask("abandon", { kind: "abandon", id: "a", requestId: "" });
      await script.letGo();
      expect(await script.held()).toEqual([]);
      expect(await script.tryAcquire("b")).toMatchObject({ kind: "granted" });
    },
  },
  {
    name: "keeps to the same on boards: pulls wait, refusals and renewals do not, and ends of work are never said before",
    async play(stage) {
      const script = createScript(stage);
      await script.createBoard({ stages: STAGES });
      for (const id of ["one", "two"]) await script.add(id);
      await script.pull("p", "doing");
      const token = await script.tokenOf("one");
      script.fresh();
      await script.hold();
      void script.pull("q", "doing", { maxWait: 0 });
      void script.pull("r", "doing", { maxWait: 0 });
      void script.renewWork("one", token);
      void script.end("finish", "one", token);
      await script.calm();
      expect(script.fresh()).toEqual(["r: STAGE_FULL", "renew one: card"]);
      await script.letGo();
      expect(script.fresh()).toEqual(["q: pulled two", "finish one: card", "p: work-over"]);
    },
  },
  {
    name: "does not confirm work before its pull, and lets a withdrawal of other work overtake",
    async play(stage) {
      const script = createScript(stage);
      await script.createBoard({ stages: STAGES });
      for (const id of ["one", "two"]) await script.add(id);
      await script.pull("p", "doing", { requestId: "first" });
      script.fresh();
      await script.hold();
      void script.pull("q", "doing");
      void script.renewWork("two", await script.tokenOf("two"));
      void script.askBoards("withdraw", { kind: "withdraw-pull", requestId: "first", words: "" });
      await script.calm();
      expect(script.fresh()).toEqual(["withdraw: card", "p: work-over"]);
      await script.letGo();
      expect(script.fresh()).toEqual(["q: pulled two", "renew two: card"]);
    },
  },
];
