/** What a client holds and waits for over one stream, with one sign of life for all of it. */

import { expect } from "vitest";
import { queue, work } from "../../server/machine/board/boards.ts";
import { claimOn, createScript, SECOND } from "../script.ts";
import type { Case } from "../stage.ts";

const SHORT = { ttl: 2 * SECOND } as const;
const LONG = { ttl: 4 * SECOND } as const;
const PROMISED = { keepOnCancel: true } as const;

export const SESSIONS: readonly Case[] = [
  {
    name: "renews all that a session holds by one command, each for its own ttl",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 2 });
      const session = await script.openSession("s", PROMISED);
      await script.acquire("a", [claimOn()], { ...SHORT, ...session });
      await script.tryAcquire("b", [claimOn()], { ...LONG, ...session });
      await script.pass(2 * SECOND - 1);
      expect(await script.renewSession(session)).toMatchObject({ kind: "session-renewed", validFor: SECOND });
      script.fresh();
      await script.pass(2 * SECOND - 1);
      expect(await script.held()).toEqual(["a", "b"]);
      await script.pass(1);
      expect(script.fresh()).toEqual(["a: expired"]);
      expect(await script.renewSession(session)).toMatchObject({ validFor: 2 * SECOND });
      await script.pass(4 * SECOND);
      expect(script.fresh()).toEqual(["renew s: session-renewed", "b: expired"]);
    },
  },
  {
    name: "takes up again all leases of a session at once, and gives its waiters their places",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 2, ttl: 4 * SECOND });
      const session = await script.openSession("s");
      for (const id of ["a", "b"]) await script.acquire(id, [claimOn()], session);
      await script.acquire("c", [claimOn()], { ...session, requestId: "0123456789abcdef" });
      await script.acquire("d");
      await script.leaveSession(session, "lost");
      await script.pass(4 * SECOND - 1);
      expect(await script.engine.leases({ limiter: "", key: "", after: "", limit: 10 })).toMatchObject({
        items: [
          { id: "a", attachment: "orphaned" },
          { id: "b", attachment: "orphaned" },
        ],
      });
      const { session: again, answer } = await script.resumeSession("s");
      expect(answer).toEqual({ kind: "session-resumed", leaseIds: ["a", "b"] });
      const asked = { ...again, requestId: "0123456789abcdef" };
      expect(await script.acquire("e", [claimOn()], asked)).toMatchObject({ kind: "waiting", waiterId: "c" });
      await script.pass(10 * SECOND);
      expect(await script.held()).toEqual(["a", "b"]);
      script.fresh();
      await script.releaseIn(again, "a");
      await script.calm();
      expect(script.fresh()).toEqual(["release a: released", "c: granted"]);
    },
  },
  {
    name: "says to the older stream of a session that it has lost it, and takes nothing from that stream any more",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 2 });
      const session = await script.openSession("s");
      await script.acquire("a", [claimOn()], session);
      script.fresh();
      expect((await script.resumeSession("s")).answer).toMatchObject({ leaseIds: ["a"] });
      await script.calm();
      expect(script.fresh()).toEqual(["resume s: session-resumed", "s: SESSION_DISPLACED"]);
      expect(await script.tryAcquire("b", [claimOn()], session)).toMatchObject({ reason: "SESSION_DISPLACED" });
      await script.leaveSession(session, "cancelled");
      expect(await script.held()).toEqual(["a"]);
    },
  },
  {
    name: "knows no session of which nothing is left",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 1 });
      const session = await script.openSession("s");
      await script.acquire("a", [claimOn()], session);
      await script.leaveSession(session, "cancelled");
      expect(await script.held()).toEqual([]);
      expect((await script.resumeSession("s")).answer).toMatchObject({ reason: "SESSION_NOT_FOUND" });
      expect((await script.resumeSession("none")).answer).toMatchObject({ reason: "SESSION_NOT_FOUND" });
    },
  },
  {
    name: "keeps for its ttl what a cancelled session has promised to release",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 1 });
      const session = await script.openSession("s", PROMISED);
      await script.acquire("a", [claimOn()], { ...SHORT, ...session });
      await script.leaveSession(session, "cancelled");
      await script.pass(2 * SECOND - 1);
      expect(await script.held()).toEqual(["a"]);
      await script.pass(1);
      expect(await script.held()).toEqual([]);
    },
  },
  {
    name: "releases for a session what it holds, and nothing else",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 2 });
      const session = await script.openSession("s");
      await script.acquire("a", [claimOn()], session);
      await script.acquire("b");
      script.fresh();
      expect(await script.releaseIn(session, "b")).toMatchObject({ reason: "LEASE_NOT_FOUND" });
      await script.releaseIn(session, "a");
      await script.calm();
      // Its stream has the answer, and hears nothing more.
      expect(script.fresh()).toEqual(["release b: LEASE_NOT_FOUND", "release a: released"]);
      expect(await script.held()).toEqual(["b"]);
    },
  },
  {
    name: "passes a request on from a stream to a session, and from a session to a stream",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 1, ttl: 2 * SECOND });
      const session = await script.openSession("s");
      const asked = { requestId: "0123456789abcdef" };
      await script.acquire("held");
      await script.acquire("a", [claimOn()], asked);
      script.fresh();
      expect(await script.acquire("b", [claimOn()], { ...asked, ...session })).toMatchObject({ waiterId: "a" });
      await script.calm();
      expect(script.fresh()).toEqual(["b: waiting", "a: WAITER_DISPLACED"]);
      await script.release("held");
      await script.calm();
      expect(script.fresh()).toEqual(["release held: released", "held: released", "a: granted"]);
      await script.acquire("c", [claimOn()], asked);
      await script.calm();
      expect(script.fresh()).toEqual(["c: granted again", "a: LEASE_DISPLACED"]);
      await script.leaveSession(session, "cancelled");
      expect(await script.held()).toEqual(["a"]);
    },
  },
  {
    name: "lists no lease of a session before it is kept",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 1 });
      const session = await script.openSession("s");
      script.fresh();
      await script.hold();
      void script.tryAcquire("a", [claimOn()], session);
      void script.renewSession(session);
      void script.resumeSession("s");
      await script.calm();
      expect(script.fresh()).toEqual(["renew s: session-renewed"]);
      await script.letGo();
      expect(script.fresh()).toEqual(["a: granted", "resume s: session-resumed", "s: SESSION_DISPLACED"]);
    },
  },
  {
    name: "keeps to the same on boards: cards of a session are renewed and taken up again together",
    async play(stage) {
      const script = createScript(stage);
      const stages = [queue("todo", undefined, { autoPull: false }), work("doing", 3), queue("done")];
      await script.createBoard({ stages });
      for (const id of ["one", "two"]) await script.add(id);
      const session = await script.openBoardSession("s", PROMISED);
      for (const id of ["p", "q"]) await script.pull(id, "doing", { ...SHORT, ...session });
      await script.pass(2 * SECOND - 1);
      expect(await script.renewBoardSession(session)).toMatchObject({ validFor: SECOND });
      await script.leaveBoardSession(session, "lost");
      const [one, two] = [await script.tokenOf("one"), await script.tokenOf("two")];
      const { session: again, answer } = await script.resumeBoardSession("s");
      expect(answer).toEqual({
        kind: "session-resumed",
        cards: [
          { workId: "p", board: "b", cardId: "one", token: one },
          { workId: "q", board: "b", cardId: "two", token: two },
        ],
      });
      script.fresh();
      await script.end("finish", "one", one, again.session);
      await script.pass(2 * SECOND);
      expect(script.fresh()).toEqual(["finish one: card", "q: LEASE_EXPIRED"]);
    },
  },
];
