/** The store over its thread: how safe each change is, which answers wait for it, and what the next start finds. */

import { describe, expect, it } from "vitest";
import type { BoardChange, BoardCommand } from "../../../src/server/machine/board/command.ts";
import { createBoardMachine } from "../../../src/server/machine/board/machine.ts";
import type { Change, Command } from "../../../src/server/machine/limiter/command.ts";
import type { LimiterConfig } from "../../../src/server/machine/limiter/limiter.ts";
import { createMachine } from "../../../src/server/machine/limiter/machine.ts";
import { INCOMPLETE_KEY } from "../../../src/server/store/row.ts";
import { limiterOf, rateOf } from "../../support/limiter-config.ts";
import { boardOf, contentOf } from "../machine/board/boards.ts";
import { createFakeFolder } from "./support/fake-worker.ts";
import { EPOCH, kept, keysOf, lastOf, open, turn } from "./support/open-store.ts";

const SECOND = 1_000_000;
const MINUTE = 60 * SECOND;
/** Changes as the machine makes them. */
function createChanges(...configs: readonly LimiterConfig[]) {
  const machine = createMachine({ maxWaiters: 100, fencingEpoch: 0 });
  const step = (command: Command): readonly Change[] => machine.step(command, 0).changes;
  const changes = (kind: Change["kind"], all: readonly Change[]) => all.filter((change) => change.kind === kind);
  const tryAcquire = (id: string, about: { ttl?: number; requestId?: string; limiter?: string } = {}) => {
    const { ttl, requestId = "", limiter = "db" } = about;
    const claims = [{ limiter, key: "", permits: 1, tokens: 1, slots: false }];
    return step({ kind: "try-acquire", id, claims, holder: id, ttl, requestId, session: undefined });
  };
  const release = (leaseId: string) => step({ kind: "release", leaseId, workOutcome: "success", session: undefined });
  return { declared: step({ kind: "declare", configs, undeclared: [] }), step, changes, tryAcquire, release };
}

const concurrent = limiterOf({ maxConcurrent: 100, ttl: 10 * SECOND, maxTtl: 3_600 * SECOND });

describe("how safe a change is", () => {
  it.each([
    ["none", { awaited: false, durability: "none" }],
    ["process", { awaited: true, durability: "process" }],
    ["disk", { awaited: true, durability: "disk" }],
  ] as const)("a lease with leases kept by %s", async (leases, expected) => {
    const folder = createFakeFolder();
    const { store } = await open(folder, { leases });
    const { tryAcquire } = createChanges(concurrent);
    // The first of its ttl has to be known for longer than the lease, and before its answer leaves.
    expect(await kept(folder, store, tryAcquire("first"))).toEqual({ awaited: true, durability: "disk" });
    expect(await kept(folder, store, tryAcquire("a"))).toEqual(expected);
    expect(keysOf(folder, "lease")).toEqual(leases === "none" ? [] : ["lease:first", "lease:a"]);
    await store.close();
  });

  it.each(["none", "process", "disk"] as const)("a limiter is on disk with leases kept by %s", async (leases) => {
    const folder = createFakeFolder();
    const { store } = await open(folder, { leases });
    const { declared, step } = createChanges(concurrent);
    expect(await kept(folder, store, declared)).toEqual({ awaited: true, durability: "disk" });
    expect(keysOf(folder, "limiter")).toEqual(["limiter:db"]);
    const removed = step({ kind: "declare", configs: [], undeclared: ["db"] });
    expect(await kept(folder, store, removed)).toEqual({ awaited: true, durability: "disk" });
    expect(keysOf(folder, "limiter")).toEqual([]);
    await store.close();
  });

  it.each(["none", "process", "disk"] as const)("a card is on disk with leases kept by %s", async (leases) => {
    const folder = createFakeFolder();
    const { store } = await open(folder, { leases });
    const { added, removed } = boardChanges();
    expect(await kept(folder, store, added)).toEqual({ awaited: true, durability: "disk" });
    expect([keysOf(folder, "board"), keysOf(folder, "card")]).toEqual([["board:b"], ['card:["b","one"]']]);
    expect(await kept(folder, store, removed)).toEqual({ awaited: true, durability: "disk" });
    expect(keysOf(folder, "card")).toEqual([]);
    await store.close();
  });

  it("what only gives back may be answered before it is kept, and it is kept all the same", async () => {
    const folder = createFakeFolder();
    const { store } = await open(folder, { leases: "disk" });
    const { tryAcquire, release } = createChanges(concurrent);
    await kept(folder, store, tryAcquire("a"));
    expect(await kept(folder, store, release("a"))).toEqual({ awaited: false, durability: "process" });
    expect(keysOf(folder, "lease")).toEqual([]);
    await store.close();
  });

  it("a ttl longer than any before is on disk with the lease, however safe leases are", async () => {
    const folder = createFakeFolder();
    const { store } = await open(folder, { leases: "process" });
    const { tryAcquire } = createChanges(concurrent);
    expect((await kept(folder, store, tryAcquire("a"))).durability).toBe("disk");
    expect((await kept(folder, store, tryAcquire("b"))).durability).toBe("process");
    expect((await kept(folder, store, tryAcquire("c", { ttl: 60 * SECOND }))).durability).toBe("disk");
    expect((await kept(folder, store, tryAcquire("d", { ttl: 20 * SECOND }))).durability).toBe("process");
    expect(folder.rows.get("store:longest-ttl")).toBe(String(60 * SECOND));
    await store.close();
  });

  it("nothing of a waiter that cannot come back is kept, and no answer waits for it", async () => {
    const folder = createFakeFolder();
    const { store } = await open(folder);
    const { step } = createChanges(limiterOf({ maxConcurrent: 1, paused: true }));
    const acquire = (id: string, requestId: string) => {
      const claims = [{ limiter: "db", key: "", permits: 1, tokens: 1, slots: false }];
      const attached = { stream: 1, monitored: true, keepOnCancel: false, session: undefined };
      const waiting = { maxWait: undefined, ttl: undefined, ...attached };
      return step({ kind: "acquire", id, claims, holder: "", requestId, ...waiting });
    };
    expect(await kept(folder, store, acquire("a", ""))).toEqual({ awaited: false, durability: "none" });
    expect(await kept(folder, store, acquire("b", "again"))).toEqual({ awaited: true, durability: "process" });
    expect(keysOf(folder, "waiter")).toEqual(["waiter:b"]);
    await store.close();
  });
});

describe("the next start", () => {
  it("finds what was kept, in its own time", async () => {
    const folder = createFakeFolder();
    const { store } = await open(folder);
    const { declared, tryAcquire } = createChanges(concurrent);
    store.keep([...declared, ...tryAcquire("a", { requestId: "r" })]);
    await store.close();
    const later = await open(folder, { epoch: EPOCH + MINUTE });
    expect(later.store.found.limiters).toMatchObject({
      limiters: [{ config: concurrent, createdAt: -MINUTE }],
      leases: [{ id: "a", requestId: "r", grantedAt: -MINUTE, ttl: 10 * SECOND }],
    });
    await later.store.close();
  });

  it("makes secrets under the same key, which was on disk before the store was there", async () => {
    const folder = createFakeFolder();
    const first = await open(folder);
    expect(folder.commits.map(({ durability }) => durability)).toEqual(["disk"]);
    expect(first.store.secretKey).toHaveLength(32);
    await first.store.close();
    const second = await open(folder);
    expect(Buffer.from(second.store.secretKey ?? [])).toEqual(Buffer.from(first.store.secretKey ?? []));
    expect(folder.commits).toEqual([]);
    await second.store.close();
  });

  it("knows up to which token was reserved, which was on disk when that was said", async () => {
    const folder = createFakeFolder();
    const first = await open(folder);
    expect(first.store.reserved).toBe(0);
    await first.store.reserve(Number.MAX_SAFE_INTEGER);
    expect(lastOf(folder)?.durability).toBe("disk");
    await first.store.close();
    const second = await open(folder);
    expect(second.store.reserved).toBe(Number.MAX_SAFE_INTEGER);
    await second.store.close();
  });

  it("that keeps no leases takes up those of before this once, and all else for good", async () => {
    const folder = createFakeFolder();
    const first = await open(folder);
    const { declared, tryAcquire, release } = createChanges(concurrent);
    first.store.keep([...declared, ...tryAcquire("a"), ...tryAcquire("b", { requestId: "request b" })]);
    first.store.keep(release("b"));
    await first.store.close();
    const second = await open(folder, { leases: "none" });
    expect(second.store.found.limiters.leases.map(({ id }) => id)).toEqual(["a"]);
    expect(second.store.found.limiters.pastRequests.map(({ requestId }) => requestId)).toEqual(["request b"]);
    await second.store.close();
    const third = await open(folder, { leases: "none" });
    const { leases, pastRequests, limiters } = third.store.found.limiters;
    expect([leases, pastRequests, limiters.length]).toEqual([[], [], 1]);
    await third.store.close();
  });

  it("says which cards have lost their board", async () => {
    const folder = createFakeFolder();
    const first = await open(folder);
    first.store.keep(boardChanges().added);
    await first.store.close();
    folder.rows.delete("board:b");
    const second = await open(folder);
    expect(second.log.at("error").map(({ fields }) => fields)).toMatchObject([{ cards: ["b/one"] }]);
    await second.store.close();
  });
});

describe("what a request id has stood for", () => {
  const rates = limiterOf({ name: "rate", rate: rateOf(1_000, 1_000) });

  it("is awaited where the grant has left no lease to find, and not where only a lease has ended", async () => {
    const folder = createFakeFolder();
    const { store } = await open(folder);
    const { changes, tryAcquire, release } = createChanges(rates, concurrent);
    const spent = changes("request-past", tryAcquire("a", { limiter: "rate", requestId: "r" }));
    expect(await kept(folder, store, spent)).toEqual({ awaited: true, durability: "process" });
    tryAcquire("b", { requestId: "s" });
    const ended = changes("request-past", release("b"));
    expect(await kept(folder, store, ended)).toEqual({ awaited: false, durability: "process" });
    expect(keysOf(folder, "request")).toEqual(["request:r", "request:s"]);
    await store.close();
  });

  it("is remembered for ten minutes, from its last use or from a start, and goes with what is kept after that", async () => {
    const folder = createFakeFolder();
    const first = await open(folder);
    const { tryAcquire } = createChanges(rates);
    const use = (requestId: string) => tryAcquire(requestId, { limiter: "rate", requestId });
    first.store.keep(use("old"));
    first.clock.advance(9 * MINUTE);
    await first.store.close();
    const second = await open(folder);
    second.clock.advance(10 * MINUTE - 1);
    await kept(folder, second.store, use("new"));
    expect(keysOf(folder, "request")).toEqual(["request:old", "request:new"]);
    second.clock.advance(1);
    await kept(folder, second.store, use("newer"));
    expect(keysOf(folder, "request")).toEqual(["request:new", "request:newer"]);
    await second.store.close();
  });
});

describe("where something may be missing", () => {
  const cases: readonly [string, "by-power" | "by-damage", readonly Change[], number][] = [
    ["the longest ttl that was granted", "by-power", changesOf(concurrent, [20 * SECOND]), 20 * SECOND],
    ["the longest ttl that was granted", "by-damage", changesOf(concurrent, [20 * SECOND]), 20 * SECOND],
    ["no time: no lease was granted", "by-power", changesOf(concurrent, []), 0],
    ["what the limiters allow: the rest may be lost", "by-damage", changesOf(concurrent, []), 3_600 * SECOND],
    ["what the contract allows: nothing is left", "by-damage", [], 86_400 * SECOND],
  ];
  it.each(cases)("a holder may rely on it for %s (%s)", async (_, incomplete, changes, expected) => {
    const folder = createFakeFolder();
    const first = await open(folder);
    first.store.keep(changes);
    await first.store.close();
    folder.incomplete = incomplete;
    const second = await open(folder);
    expect(second.store.incompleteFor).toBe(expected);
    await second.store.close();
  });

  it("that is noted until no holder can rely on it, and a little longer", async () => {
    const folder = createFakeFolder();
    folder.incomplete = "by-damage";
    const { store, clock } = await open(folder);
    clock.advance(store.incompleteFor + 4 * SECOND);
    await turn();
    expect(folder.rows.has(INCOMPLETE_KEY)).toBe(true);
    clock.advance(SECOND);
    await turn();
    expect(folder.rows.has(INCOMPLETE_KEY)).toBe(false);
    await store.close();
  });

  it("a start that is closed before leaves it noted, and sets no timer for it", async () => {
    const folder = createFakeFolder();
    folder.incomplete = "by-power";
    const { store, clock } = await open(folder);
    await store.close();
    expect([folder.rows.get(INCOMPLETE_KEY), clock.scheduled]).toEqual(["by-power", 0]);
  });

  it("nothing is, where all is there", async () => {
    const { store, clock } = await open(createFakeFolder());
    expect([store.incompleteFor, clock.scheduled]).toEqual([0, 0]);
    await store.close();
  });
});

describe("a disk that does not keep", () => {
  it("is full: it says so, retries half a second later, and says when there is room; no answer leaves before", async () => {
    const folder = createFakeFolder();
    const { store, clock, log, fatal } = await open(folder);
    const health: (string | undefined)[] = [];
    store.onHealth((problem) => health.push(problem));
    const { tryAcquire } = createChanges(concurrent);
    folder.fault = "full";
    let said = false;
    store.keep(tryAcquire("a"))?.then(() => {
      said = true;
    });
    await turn();
    expect(health).toEqual(["it is full"]);
    expect(log.at("error").map(({ fields }) => fields.folder)).toEqual(["/data"]);
    folder.fault = undefined;
    clock.advance(SECOND / 2 - 1);
    await turn();
    expect([said, health.length]).toEqual([false, 1]);
    clock.advance(1);
    // What comes in the turn of the next try goes with it.
    await turn();
    await turn();
    expect([said, health, fatal]).toEqual([true, ["it is full", undefined], []]);
    expect(keysOf(folder, "lease")).toEqual(["lease:a"]);
    await store.close();
  });

  it("is broken: it says where and why, and what came after is never confirmed", async () => {
    const folder = createFakeFolder();
    const { store, fatal } = await open(folder);
    const { tryAcquire } = createChanges(concurrent);
    folder.fault = "broken";
    let said = 0;
    const note = () => {
      said += 1;
    };
    store.keep(tryAcquire("a"))?.then(note);
    await turn();
    folder.fault = undefined;
    store.keep(tryAcquire("b"))?.then(note);
    await turn();
    expect(fatal).toEqual(["the data folder /data cannot be written any more: it is broken"]);
    expect([said, keysOf(folder, "lease")]).toEqual([0, []]);
    await store.close();
  });
});

it("a log that cannot be written into the database is reported once each way; all is kept, health is untouched", async () => {
  const folder = createFakeFolder();
  const { store, log, fatal } = await open(folder);
  const health: (string | undefined)[] = [];
  store.onHealth((problem) => health.push(problem));
  const { tryAcquire } = createChanges(concurrent);
  const reports = () => [log.at("error").length, log.at("info").length];
  await kept(folder, store, tryAcquire("a"));
  expect(reports()).toEqual([0, 0]);
  folder.logGrows = "disk I/O error";
  await kept(folder, store, tryAcquire("b"));
  await kept(folder, store, tryAcquire("c"));
  expect(reports()).toEqual([1, 0]);
  expect(log.at("error")[0]?.fields).toEqual({ event: "store-log-grows", folder: "/data", err: "disk I/O error" });
  folder.logGrows = undefined;
  await kept(folder, store, tryAcquire("d"));
  await kept(folder, store, tryAcquire("e"));
  expect(reports()).toEqual([1, 1]);
  expect([keysOf(folder, "lease").length, health, fatal]).toEqual([5, [], []]);
  await store.close();
});

describe("a close", () => {
  it("leaves what was on its way kept, and the thread ended", async () => {
    const folder = createFakeFolder();
    const { store } = await open(folder);
    store.keep(createChanges(concurrent).tryAcquire("a"));
    await store.close();
    expect([keysOf(folder, "lease"), folder.open]).toEqual([["lease:a"], 0]);
  });

  it.each(["full", "broken"] as const)("of a folder that is %s says that not all may be on the disk", async (fault) => {
    const folder = createFakeFolder();
    const { store, fatal } = await open(folder);
    folder.fault = fault;
    await Promise.all([store.close(), store.close()]);
    expect(fatal).toEqual([
      expect.stringMatching(`^the data folder /data could not be closed in order: it is ${fault}. `),
    ]);
    expect(folder.open).toBe(0);
  });

  it("twice is one", async () => {
    const folder = createFakeFolder();
    const { store } = await open(folder);
    await Promise.all([store.close(), store.close()]);
    await store.close();
    expect(folder.open).toBe(0);
  });
});

/** The changes that declare a limiter, and that grant leases of these ttls. */
function changesOf(config: LimiterConfig, ttls: readonly number[]): readonly Change[] {
  const { declared, tryAcquire } = createChanges(config);
  return [...declared, ...ttls.flatMap((ttl, index) => tryAcquire(`${index}`, { ttl }))];
}

/** The changes that make a board with a card, and that remove the card. */
function boardChanges(): { readonly added: readonly BoardChange[]; readonly removed: readonly BoardChange[] } {
  const machine = createBoardMachine();
  const step = (command: BoardCommand) => machine.step(command, 0).changes;
  const added = [
    ...step({ kind: "create-board", config: boardOf({ name: "b" }) }),
    ...step({ kind: "add-card", board: "b", id: "one", content: contentOf() }),
  ];
  return { added, removed: step({ kind: "delete-card", board: "b", cardId: "one", revision: undefined }) };
}
