import { describe, expect, test } from "vitest";
import type { AuditLog } from "../../../src/server/audit/audit-log.ts";
import { auditEngines } from "../../../src/server/audit/audited-engines.ts";
import type { AuditEvent } from "../../../src/server/audit/line.ts";
import { createEmbeddedBoardEngine } from "../../../src/server/engine/embedded/embedded-board-engine.ts";
import { createEmbeddedEngine } from "../../../src/server/engine/embedded/embedded-engine.ts";
import type { Ask } from "../../../src/server/engine/engine.ts";
import { ask, askBoards } from "../../../src/server/service/ask.ts";
import { createMemoryStore } from "../../../src/server/store/memory-store.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { limiterOf } from "../../support/limiter-config.ts";
import { boardOf, contentOf, queue, work } from "../machine/board/boards.ts";
import { claimOn } from "../machine/builders.ts";

const BY = { caller: "token:sre" };

function setUp() {
  const clock = createFakeClock();
  const store = createMemoryStore();
  const limiters = createEmbeddedEngine({ clock, store, machine: { maxWaiters: 100 } });
  const boards = createEmbeddedBoardEngine({ clock, store, limiters });
  const lines: AuditEvent[] = [];
  const disk = { full: false };
  const audit: AuditLog = {
    async write(event) {
      if (disk.full) throw new Error("ENOSPC");
      lines.push(event);
      return lines.length;
    },
    note: (event) => void lines.push(event),
    close: async () => {},
  };
  const engines = auditEngines({ limiters, boards }, audit);
  return { limiters, boards, lines, disk, engines };
}

const tryAcquire: Ask = {
  kind: "try-acquire",
  id: "lease",
  claims: [claimOn("db")],
  holder: "h",
  ttl: undefined,
  requestId: "",
  session: undefined,
};

test("what an operator changes is written down with what was and what is to be", async () => {
  const { engines, lines } = setUp();
  const { limiters } = engines;
  await ask(limiters, { kind: "create-limiter", config: limiterOf({ name: "db", maxConcurrent: 2 }), ...BY });
  await ask(limiters, tryAcquire);
  const config = limiterOf({ name: "db", maxConcurrent: 5, paused: true });
  await ask(limiters, { kind: "update-limiter", config, revision: undefined, ...BY });
  await ask(limiters, { kind: "revoke", leaseId: "lease", force: true, message: "stuck", ...BY });
  await ask(limiters, { kind: "delete-limiter", name: "db", revision: undefined, force: true, ...BY });
  expect(lines).toMatchObject([
    {
      event: "operate",
      caller: "token:sre",
      what: "create-limiter",
      of: "limiter/db",
      old: null,
      new: { max_concurrent: 2 },
    },
    {
      what: "update-limiter",
      of: "limiter/db",
      old: { max_concurrent: 2, paused: null },
      new: { max_concurrent: 5, paused: true },
    },
    { what: "revoke", of: "lease/lease", force: true, message: "stuck", old: { holder: "h", caller: "anonymous" } },
    { what: "delete-limiter", of: "limiter/db", force: true, old: { max_concurrent: 5 }, new: null },
  ]);
});

test("so is what they do to boards and cards", async () => {
  const { engines, lines } = setUp();
  const { boards } = engines;
  const stages = [queue("todo"), work("doing"), queue("done")];
  await askBoards(boards, { kind: "create-board", config: boardOf({ stages }), ...BY });
  await askBoards(boards, { kind: "add-card", board: "b", id: "x", content: contentOf({ title: "t" }) });
  await askBoards(boards, { kind: "delete-card", board: "b", cardId: "x", revision: undefined, ...BY });
  await askBoards(boards, { kind: "delete-board", name: "b", revision: undefined, force: false, ...BY });
  expect(lines).toMatchObject([
    { what: "create-board", of: "board/b", old: null },
    { what: "delete-card", of: "card/b/x", old: { title: "t", state: "waiting" } },
    { what: "delete-board", of: "board/b", force: false, new: null },
  ]);
});

test("one that is refused has a line more, which says why", async () => {
  const { engines, lines } = setUp();
  const gone = await ask(engines.limiters, {
    kind: "delete-limiter",
    name: "x",
    revision: undefined,
    force: false,
    ...BY,
  });
  expect(gone).toMatchObject({ reason: "LIMITER_NOT_FOUND" });
  expect(lines).toMatchObject([
    { of: "limiter/x", old: null },
    { event: "refused", line: 1, reason: "LIMITER_NOT_FOUND" },
  ]);
});

test("each has its line before it is decided, in the order in which they came", async () => {
  const { engines, limiters, lines } = setUp();
  const created = ["a", "b", "c"].map((name) =>
    ask(engines.limiters, { kind: "create-limiter", config: limiterOf({ name, maxConcurrent: 1 }), ...BY }),
  );
  expect(await limiters.limiter("a", "")).toBeUndefined();
  await Promise.all(created);
  expect(lines.map(({ of }) => of)).toEqual(["limiter/a", "limiter/b", "limiter/c"]);
});

describe("a full disk", () => {
  test("refuses what operators ask, which is not done, and nothing else", async () => {
    const { engines, limiters, disk, lines } = setUp();
    await ask(engines.limiters, { kind: "create-limiter", config: limiterOf({ name: "db", maxConcurrent: 2 }), ...BY });
    disk.full = true;
    const config = limiterOf({ name: "db", maxConcurrent: 9 });
    const refused = await ask(engines.limiters, { kind: "update-limiter", config, revision: undefined, ...BY });
    expect(refused).toMatchObject({ kind: "refused", reason: "NOT_AUDITED" });
    expect((await limiters.limiter("db", ""))?.config.maxConcurrent).toBe(2);
    expect(await ask(engines.limiters, tryAcquire)).toMatchObject({ kind: "granted" });
    expect(await ask(engines.limiters, { kind: "renew", leaseId: "lease" })).toMatchObject({ kind: "renewed" });
    disk.full = false;
    const done = await ask(engines.limiters, { kind: "update-limiter", config, revision: undefined, ...BY });
    expect(done).toMatchObject({ kind: "limiter" });
    expect(lines).toHaveLength(2);
  });
});

test("an engine that is closed fails what operators ask", async () => {
  const { engines, limiters } = setUp();
  await limiters.close();
  const command = { kind: "cancel-waiter", waiterId: "w", ...BY } as const;
  await expect(ask(engines.limiters, command)).rejects.toThrow(/cannot be reached/);
});
