/** What the end of a stream means: one table for leases, waiters, work and pullers. */

import { describe, expect, it, test } from "vitest";
import { queue, work } from "./board/boards.ts";
import { createBoardScene } from "./board/scene.ts";
import { claimOn, SECOND } from "./builders.ts";
import { createScene } from "./limiter/scene.ts";

const ID = "request-id-1".padEnd(16, "0");
const OTHER = "request-id-2".padEnd(16, "0");

type Row = {
  readonly how: "cancelled" | "lost";
  readonly keepOnCancel: boolean;
  readonly ttl: number;
  /** `ends`: at once. `lives`: for its ttl. */
  readonly becomes: "ends" | "lives";
};

const TABLE: readonly Row[] = [
  { how: "cancelled", keepOnCancel: false, ttl: SECOND, becomes: "ends" },
  { how: "cancelled", keepOnCancel: true, ttl: SECOND, becomes: "lives" },
  { how: "lost", keepOnCancel: false, ttl: SECOND, becomes: "lives" },
  { how: "lost", keepOnCancel: true, ttl: SECOND, becomes: "lives" },
  { how: "cancelled", keepOnCancel: true, ttl: 0, becomes: "ends" },
  { how: "lost", keepOnCancel: true, ttl: 0, becomes: "ends" },
];

function limiters(config: { readonly trustCancel?: boolean } = {}) {
  const scene = createScene();
  scene.create({ name: "db", maxConcurrent: 1, ttl: SECOND, ...config });
  const claims = [claimOn("db")];
  return { scene, ask: (about: Parameters<typeof scene.acquire>[1] = {}) => scene.acquire(claims, about) };
}

function boards() {
  return createBoardScene({ stages: [queue("In"), work("Work"), queue("Out")], ttl: SECOND });
}

describe.each(TABLE)("a stream that is $how, keep_on_cancel $keepOnCancel, ttl $ttl", (row) => {
  const { how, becomes, ...about } = row;

  it(`${becomes === "ends" ? "ends" : "leaves"} a lease`, () => {
    const { scene, ask } = limiters();
    const lease = ask({ ...about, requestId: ID });
    scene.leave(lease, how);
    expect(scene.holds(lease.id)).toBe(becomes === "lives");
    scene.pass(SECOND);
    expect(scene.holds(lease.id)).toBe(false);
  });

  it(`${becomes === "ends" ? "takes" : "keeps"} a waiter's place`, () => {
    const { scene, ask } = limiters();
    const holder = ask();
    const waiter = ask({ ...about, requestId: ID });
    const next = ask({ requestId: OTHER });
    scene.leave(waiter, how);
    const back = ask({ ...about, requestId: ID });
    scene.release(holder.id);
    // The first of the two that is granted.
    expect(scene.holds(becomes === "lives" ? waiter.id : next.id)).toBe(true);
    expect(back.outcome.kind).toBe("waiting");
  });

  it(`${becomes === "ends" ? "ends" : "leaves"} work on a card`, () => {
    const scene = boards();
    scene.add("a");
    const pulled = scene.pull("Work", { ...about, requestId: ID, worker: "w" });
    scene.leave(pulled, how);
    expect(scene.card("a").state).toBe(becomes === "lives" ? "active" : "waiting");
  });

  it(`${becomes === "ends" ? "takes" : "keeps"} a puller's place`, () => {
    const scene = boards();
    const puller = scene.pull("Work", { ...about, requestId: ID, worker: "w" });
    const next = scene.pull("Work");
    scene.leave(puller, how);
    scene.pull("Work", { ...about, requestId: ID, worker: "w" });
    scene.add("a");
    expect(scene.card("a").work?.id).toBe(becomes === "lives" ? puller.id : next.id);
  });
});

/** What the request has promised, whether its stream is monitored, and whether what it holds must then be renewed. */
const SILENCE = [
  { keepOnCancel: false, monitored: true, needsRenewals: false },
  { keepOnCancel: false, monitored: false, needsRenewals: true },
  { keepOnCancel: true, monitored: true, needsRenewals: true },
  { keepOnCancel: true, monitored: false, needsRenewals: true },
];

describe.each(SILENCE)("a request that says keep_on_cancel $keepOnCancel, monitored $monitored", (row) => {
  const { needsRenewals, ...about } = row;
  const lives = !needsRenewals;
  const title = lives ? "lives while its stream is open" : "ends a ttl after its last renewal";

  it(`has a lease that ${title}, waited for or not`, () => {
    const { scene, ask } = limiters();
    const first = ask(about);
    const second = ask(about);
    scene.pass(SECOND - 1);
    scene.step({ kind: "renew", leaseId: first.id });
    scene.pass(SECOND - 1);
    expect(scene.holds(first.id)).toBe(true);
    scene.release(first.id);
    expect(scene.holds(second.id)).toBe(true);
    scene.pass(SECOND);
    expect(scene.holds(second.id)).toBe(lives);
  });

  it(`has work that ${title}, waited for or not`, () => {
    const scene = boards();
    scene.add("a");
    scene.pull("Work", about);
    const waiting = scene.pull("Work", about);
    const token = scene.card("a").work?.token ?? 0;
    scene.pass(SECOND - 1);
    scene.step({ kind: "renew-work", board: "b", cardId: "a", token });
    scene.pass(SECOND - 1);
    scene.finish("a");
    scene.add("b");
    expect(scene.card("b").work?.id).toBe(waiting.id);
    scene.pass(SECOND);
    expect(scene.card("b").state).toBe(lives ? "active" : "waiting");
  });
});

describe("a promise to renew stays", () => {
  const taken = { stream: 99, monitored: true } as const;
  const ORDERS = [
    { first: true, later: false },
    { first: false, later: true },
  ];

  it.each(ORDERS)("with the lease: its grant says $first, its resume $later", ({ first, later }) => {
    const { scene, ask } = limiters();
    const lease = ask({ keepOnCancel: first });
    scene.step({ kind: "resume", leaseId: lease.id, ...taken, keepOnCancel: later });
    scene.pass(SECOND);
    expect(scene.holds(lease.id)).toBe(false);
  });

  it.each(ORDERS)("with the work: its pull says $first, its resume $later", ({ first, later }) => {
    const scene = boards();
    scene.add("a");
    scene.pull("Work", { keepOnCancel: first });
    const token = scene.card("a").work?.token ?? 0;
    scene.step({ kind: "resume-work", board: "b", cardId: "a", token, ...taken, keepOnCancel: later });
    scene.pass(SECOND);
    expect(scene.card("a").state).toBe("waiting");
  });

  it("with the place in a queue, as the last to ask for it has said", () => {
    const { scene, ask } = limiters();
    const holder = ask();
    ask({ requestId: ID });
    const waiter = ask({ requestId: ID, keepOnCancel: true });
    scene.release(holder.id);
    const [lease] = scene.state.leases.values();
    expect(lease).toMatchObject({ requestId: ID, attachment: { stream: waiter.stream } });
    scene.pass(SECOND);
    expect(scene.state.leases.size).toBe(0);
  });
});

test("a limiter that does not trust cancels keeps a waiter's place, too", () => {
  const { scene, ask } = limiters({ trustCancel: false });
  const holder = ask();
  const waiter = ask({ requestId: ID });
  ask();
  scene.leave(waiter, "cancelled");
  ask({ requestId: ID });
  scene.release(holder.id);
  expect(scene.holds(waiter.id)).toBe(true);
});

test("without a request id a waiter cannot come back, and leaves whatever it has promised", () => {
  const { scene, ask } = limiters();
  ask();
  const waiter = ask({ keepOnCancel: true });
  scene.leave(waiter, "cancelled");
  expect(scene.state.waiters.size).toBe(0);
});

describe("a request that is withdrawn", () => {
  const withdraw = { kind: "withdraw", requestId: ID, workOutcome: "ignored" } as const;

  it("gives its lease back at once, to the next", () => {
    const { scene, ask } = limiters();
    const lease = ask({ keepOnCancel: true, requestId: ID });
    const next = ask();
    expect(scene.step(withdraw)).toMatchObject({ kind: "ended", end: "released", already: false });
    expect([scene.holds(lease.id), scene.holds(next.id)]).toEqual([false, true]);
    expect(scene.step(withdraw)).toMatchObject({ kind: "ended", end: "released", already: true });
  });

  it("leaves the queue, and its stream is notified", () => {
    const { scene, ask } = limiters();
    ask();
    const waiter = ask({ requestId: ID });
    expect(scene.step(withdraw)).toEqual({ kind: "withdrawn" });
    expect(scene.heardBy(waiter.stream)).toMatchObject([{ kind: "refused", reason: "REQUEST_WITHDRAWN" }]);
    expect(scene.state.waiters.size).toBe(0);
  });

  it("takes nothing when it arrives later, by whatever call", () => {
    const { scene, ask } = limiters();
    expect(scene.step(withdraw)).toEqual({ kind: "withdrawn" });
    expect(ask({ requestId: ID }).outcome).toMatchObject({ kind: "refused", reason: "REQUEST_WITHDRAWN" });
    const tried = scene.tryAcquire([claimOn("db", { permits: 1 })], { requestId: ID });
    expect(tried.outcome).toMatchObject({ kind: "refused", reason: "REQUEST_WITHDRAWN" });
    expect(scene.state.leases.size).toBe(0);
  });

  it("gives its card back and counts no attempt; one that waits leaves; one that is late is refused", () => {
    const scene = boards();
    scene.add("a");
    scene.pull("Work", { keepOnCancel: true, requestId: ID, worker: "w" });
    scene.pull("Work", { requestId: OTHER });
    const back = scene.step({ kind: "withdraw-pull", requestId: ID, words: "" });
    expect(back.kind).toBe("card");
    // The other has it at once, as its first attempt.
    expect(scene.card("a")).toMatchObject({ state: "active", attempt: 1 });
    expect(scene.pull("Work", { requestId: ID, worker: "w" }).outcome).toMatchObject({
      kind: "refused",
      reason: "LEASE_ENDED",
    });
    const late = "request-id-3".padEnd(16, "0");
    scene.step({ kind: "withdraw-pull", requestId: late, words: "" });
    const no = scene.pull("Work", { requestId: late }).outcome;
    expect(no).toMatchObject({ kind: "refused", reason: "REQUEST_WITHDRAWN" });
  });
});

describe("a card whose pull was not delivered", () => {
  function undelivered() {
    const scene = boards();
    scene.add("a");
    const pulled = scene.pull("Work", { keepOnCancel: true, requestId: ID, worker: "w" });
    scene.leave(pulled, "lost", { unheard: true });
    return scene;
  }

  it("has cost no attempt when its ttl is over", () => {
    const scene = undelivered();
    scene.pass(SECOND);
    expect(scene.card("a")).toMatchObject({ state: "waiting", attempt: 0 });
  });

  it("has cost one if its worker had come back for it", () => {
    const scene = undelivered();
    const again = scene.pull("Work", { keepOnCancel: true, requestId: ID, worker: "w" });
    scene.leave({ id: scene.card("a").work?.id ?? "", stream: again.stream }, "lost");
    scene.pass(SECOND);
    expect(scene.card("a")).toMatchObject({ state: "waiting", attempt: 1 });
  });
});
