/** Callers: what one has does not exist for another, and one has no more than its bounds. */

import { expect } from "vitest";
import { queue, work } from "../../server/machine/board/boards.ts";
import { claimOn, createScript } from "../script.ts";
import type { Case } from "../stage.ts";

const requestId = "0123456789abcdef";
const OURS = { caller: "token:ours" };
const THEIRS = { caller: "token:theirs" };
const STAGES = [queue("todo", undefined, { autoPull: false }), work("doing", 5), queue("done")];
const LIMITED = [queue("todo", undefined, { autoPull: false }), work("doing", 5, { limiter: "db" }), queue("done")];

export const CALLERS: readonly Case[] = [
  {
    name: "keeps request ids of two callers apart, the anonymous one's included",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 5 });
      const first = await script.acquire("a", [claimOn()], { requestId, ...OURS });
      expect(first).toMatchObject({ kind: "granted", resumed: false, lease: { id: "a", caller: "token:ours" } });
      const second = await script.acquire("b", [claimOn()], { requestId, ...THEIRS });
      expect(second).toMatchObject({ kind: "granted", resumed: false, lease: { id: "b", caller: "token:theirs" } });
      const third = await script.acquire("c", [claimOn()], { requestId });
      expect(third).toMatchObject({ kind: "granted", resumed: false, lease: { id: "c", caller: "anonymous" } });
      const forged = await script.acquire("d", [claimOn()], { requestId: `10\ntoken:ours${requestId}` });
      expect(forged).toMatchObject({ kind: "granted", resumed: false, lease: { id: "d" } });
      const again = await script.acquire("e", [claimOn()], { requestId, ...OURS });
      expect(again).toMatchObject({ kind: "granted", resumed: true, lease: { id: "a" } });
      expect(await script.permitsInUse("db")).toEqual([4]);
    },
  },
  {
    name: "withdraws no request of another caller",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 1 });
      await script.acquire("a", [claimOn()], { requestId, ...OURS });
      const withdraw = (by: object) =>
        script.ask("withdraw", { kind: "withdraw", requestId, workOutcome: "ignored", ...by });
      expect(await withdraw(THEIRS)).toMatchObject({ kind: "withdrawn" });
      expect(await withdraw({})).toMatchObject({ kind: "withdrawn" });
      expect(await script.held()).toEqual(["a"]);
      expect(await withdraw(OURS)).toMatchObject({ kind: "ended", leaseId: "a" });
    },
  },
  {
    name: "answers another caller's renewal, release and resume as if there were no such lease, living or ended",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 1 });
      await script.tryAcquire("a", [claimOn()], OURS);
      const outcomes = async (by: object) => {
        const attached = { stream: script.open("other"), monitored: true, keepOnCancel: false };
        return [
          await script.ask("renew", { kind: "renew", leaseId: "a", ...by }),
          await script.ask("resume", { kind: "resume", leaseId: "a", ...attached, ...by }),
          await script.ask("release", {
            kind: "release",
            leaseId: "a",
            workOutcome: "success",
            session: undefined,
            ...by,
          }),
        ];
      };
      const notFound = expect.objectContaining({ kind: "refused", reason: "LEASE_NOT_FOUND" });
      for (const by of [THEIRS, {}]) {
        expect(await outcomes(by)).toEqual([notFound, notFound, notFound]);
        expect(await script.engine.knowsLease("a", "token:theirs")).toBe(false);
      }
      expect(await script.held()).toEqual(["a"]);
      expect(await outcomes(OURS)).toMatchObject([{ kind: "renewed" }, { kind: "granted" }, { end: "released" }]);
      for (const by of [THEIRS, {}]) expect(await outcomes(by)).toEqual([notFound, notFound, notFound]);
      expect(await script.engine.knowsLease("a", "token:theirs")).toBe(false);
      expect(await script.engine.knowsLease("a", "token:ours")).toBe(true);
      // An operator looks whoever had it.
      const revoked = await script.ask("revoke", { kind: "revoke", leaseId: "a", force: false, message: "" });
      expect(revoked).toMatchObject({ kind: "ended", end: "released", already: true });
    },
  },
  {
    name: "lets no other caller into a session",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 2 });
      const stream = script.open("s");
      const attached = { stream, monitored: true, keepOnCancel: false };
      await script.ask("open", { kind: "open-session", sessionId: "s", ...attached, ...OURS });
      const session = { id: "s", stream };
      await script.tryAcquire("a", [claimOn()], { session, ...OURS });
      const foreign = { stream: script.open("foreign"), monitored: true, keepOnCancel: false };
      const resumed = await script.ask("resume", { kind: "resume-session", sessionId: "s", ...foreign, ...THEIRS });
      expect(resumed).toMatchObject({ reason: "SESSION_NOT_FOUND" });
      const renewed = await script.ask("renew", { kind: "renew-session", session, ...THEIRS });
      expect(renewed).toMatchObject({ reason: "SESSION_NOT_FOUND" });
      expect(await script.tryAcquire("b", [claimOn()], { session, ...THEIRS })).toMatchObject({
        reason: "SESSION_NOT_FOUND",
      });
      const own = await script.ask("renew", { kind: "renew-session", session, ...OURS });
      expect(own).toMatchObject({ kind: "session-renewed" });
      expect(await script.held()).toEqual(["a"]);
    },
  },
  {
    name: "refuses what is beyond the bounds of its caller, and of no other",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 2 });
      const within = { ...OURS, bounds: { maxWaiters: 1, maxLeases: 3 } };
      await script.acquire("a", [claimOn()], within);
      await script.acquire("b", [claimOn()], within);
      expect(await script.acquire("c", [claimOn()], within)).toMatchObject({ kind: "waiting" });
      expect(await script.acquire("d", [claimOn()], within)).toMatchObject({
        reason: "CALLER_QUOTA",
        numbers: { waiters: 1, maxWaiters: 1 },
      });
      expect(await script.acquire("e", [claimOn()], { ...within, ...THEIRS })).toMatchObject({ kind: "waiting" });
      // What waits will be a lease.
      await script.create({ name: "free", maxConcurrent: 9 });
      expect(await script.tryAcquire("f", [claimOn("free")], within)).toMatchObject({
        reason: "CALLER_QUOTA",
        numbers: { leases: 2, waiters: 1, maxLeases: 3 },
      });
      await script.ask("release", {
        kind: "release",
        leaseId: "a",
        workOutcome: "success",
        session: undefined,
        ...OURS,
      });
      expect(await script.tryAcquire("g", [claimOn("free")], within)).toMatchObject({ kind: "granted" });
      expect(await script.tryAcquire("h", [claimOn("free")], within)).toMatchObject({ reason: "CALLER_QUOTA" });
    },
  },
  {
    name: "lets a caller's work on a card be renewed, ended and taken up by none but itself",
    async play(stage) {
      const script = createScript(stage);
      await script.createBoard({ stages: STAGES });
      await script.add("x");
      const pulled = await script.pull("p", "doing", { maxWait: 0, requestId, ...OURS });
      expect(pulled).toMatchObject({ kind: "pulled", card: { work: { caller: "token:ours" } } });
      const token = await script.tokenOf("x");
      const at = { board: "b", cardId: "x", token } as const;
      const end = { words: "", failed: false, session: undefined };
      const stale = expect.objectContaining({ reason: "STALE_FENCING_TOKEN" });
      for (const by of [THEIRS, {}]) {
        const attached = { stream: script.openPull("other"), monitored: true, keepOnCancel: false };
        expect(await script.askBoards("renew", { kind: "renew-work", ...at, ...by })).toEqual(stale);
        expect(await script.askBoards("resume", { kind: "resume-work", ...at, ...attached, ...by })).toEqual(stale);
        expect(await script.askBoards("block", { kind: "block", ...at, reason: "", ...by })).toEqual(stale);
        for (const kind of ["finish", "give-back", "send-back"] as const) {
          expect(await script.askBoards(kind, { kind, ...at, ...end, ...by })).toEqual(stale);
        }
        await script.askBoards("withdraw", { kind: "withdraw-pull", requestId, words: "", ...by });
      }
      expect(await script.boards.card("b", "x")).toMatchObject({ state: "active" });
      expect(await script.askBoards("finish", { kind: "finish", ...at, ...end, ...OURS })).toMatchObject({
        kind: "card",
      });
      expect(await script.askBoards("finish", { kind: "finish", ...at, ...end, ...THEIRS })).toEqual(stale);
    },
  },
  {
    name: "counts the lease of a card's work with its caller, whose bounds the board has kept",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 5 });
      await script.createBoard({ stages: LIMITED });
      await script.add("x");
      await script.add("y");
      const within = { ...OURS, bounds: { maxWaiters: 9, maxLeases: 1 } };
      await script.pull("p", "doing", within);
      await script.calm();
      expect((await script.engine.leases({ limiter: "", key: "", after: "", limit: 9 })).items).toMatchObject([
        { caller: "token:ours" },
      ]);
      expect(await script.pull("q", "doing", within)).toMatchObject({ reason: "CALLER_QUOTA" });
      expect(await script.tryAcquire("a", [claimOn()], within)).toMatchObject({ reason: "CALLER_QUOTA" });
      const end = { words: "", failed: false, session: undefined, ...OURS };
      const token = await script.tokenOf("x");
      await script.askBoards("finish", { kind: "finish", board: "b", cardId: "x", token, ...end });
      await script.calm();
      expect(await script.tryAcquire("a", [claimOn()], within)).toMatchObject({ kind: "granted" });
    },
  },
];
