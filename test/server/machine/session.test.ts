/** Sessions: one stream and one sign of life for leases, waiters, work and pullers, each by the rules for a stream of its own. */

import { describe, expect, it } from "vitest";
import { queue, work } from "./board/boards.ts";
import { createBoardScene } from "./board/scene.ts";
import { claimOn, SECOND } from "./builders.ts";
import { createScene } from "./limiter/scene.ts";

const REQUEST = "request-id".padEnd(16, "0");
const CLAIMS = [claimOn("db")];
const STREAM = 1_000;

interface Options {
  readonly keepOnCancel?: boolean;
  readonly trustCancel?: boolean;
  readonly monitored?: boolean;
}

function limiters({ keepOnCancel = false, trustCancel = true, monitored = true }: Options = {}) {
  const scene = createScene();
  scene.create({ name: "db", maxConcurrent: 2, ttl: SECOND, trustCancel });
  const session = { id: "s", stream: STREAM };
  scene.step({ kind: "open-session", sessionId: "s", stream: STREAM, monitored, keepOnCancel });
  return {
    scene,
    session,
    leave: (how: "cancelled" | "lost", stream = STREAM) =>
      scene.step({ kind: "leave-session", sessionId: "s", stream, how }),
    resume: (stream: number, keeps = false) =>
      scene.step({ kind: "resume-session", sessionId: "s", stream, monitored, keepOnCancel: keeps }),
    renew: (stream = STREAM) => scene.step({ kind: "renew-session", session: { id: "s", stream } }),
  };
}

function boards(keepOnCancel = false, limiter = "") {
  const stages = [queue("In"), work("Work", undefined, { limiter }), queue("Out")];
  const scene = createBoardScene({ stages, ttl: SECOND });
  const session = { id: "s", stream: STREAM };
  scene.step({ kind: "open-session", sessionId: "s", stream: STREAM, monitored: true, keepOnCancel });
  return {
    scene,
    session,
    leave: (how: "cancelled" | "lost", unheard: readonly string[] = []) =>
      scene.step({ kind: "leave-session", sessionId: "s", stream: STREAM, how, unheard }),
  };
}

describe.each([
  { how: "cancelled", keepOnCancel: false, trustCancel: true, ttl: SECOND, becomes: "ends" },
  { how: "cancelled", keepOnCancel: false, trustCancel: false, ttl: SECOND, becomes: "lives" },
  { how: "cancelled", keepOnCancel: true, trustCancel: true, ttl: SECOND, becomes: "lives" },
  { how: "lost", keepOnCancel: false, trustCancel: true, ttl: SECOND, becomes: "lives" },
  { how: "cancelled", keepOnCancel: true, trustCancel: false, ttl: 0, becomes: "ends" },
  { how: "lost", keepOnCancel: true, trustCancel: true, ttl: 0, becomes: "ends" },
] as const)("a session that is $how, keep_on_cancel $keepOnCancel, trust_cancel $trustCancel, ttl $ttl", (row) => {
  const { how, ttl, becomes, ...options } = row;

  it(`${becomes === "ends" ? "ends" : "orphans"} its leases`, () => {
    const { scene, session, leave } = limiters(options);
    const ids = [scene.acquire(CLAIMS, { session, ttl }).id, scene.tryAcquire(CLAIMS, { session, ttl }).id];
    leave(how);
    expect(ids.map(scene.holds)).toEqual(ids.map(() => becomes === "lives"));
    expect(scene.state.limiters.get("db")?.orphanedLeases).toBe(becomes === "lives" ? 2 : 0);
    scene.pass(SECOND);
    expect(ids.map(scene.holds)).toEqual([false, false]);
    expect(scene.state.sessions.size).toBe(0);
  });

  it(`${becomes === "ends" ? "takes" : "keeps"} the place of a waiter that has a request id`, () => {
    const { scene, session, leave } = limiters(options);
    scene.acquire([claimOn("db", { permits: 2 })], { ttl: 100 * SECOND });
    const waiter = scene.acquire(CLAIMS, { session, ttl, requestId: REQUEST });
    scene.acquire(CLAIMS, { session, ttl });
    leave(how);
    expect([...scene.state.waiters.values()].map(({ id }) => id)).toEqual(becomes === "lives" ? [waiter.id] : []);
  });
});

describe("a session", () => {
  it("that was taken up again is not ended by a cancel, which may be that of an attempt that was given up", () => {
    const { scene, session, leave, resume } = limiters();
    const { id } = scene.acquire(CLAIMS, { session });
    leave("lost");
    resume(7);
    leave("cancelled", 7);
    expect(scene.holds(id)).toBe(true);
  });

  it("ends by a cancel what it was granted, and not what it took over from another stream", () => {
    const { scene, session, leave } = limiters();
    const taken = scene.acquire(CLAIMS, { requestId: REQUEST });
    expect(scene.acquire(CLAIMS, { session, requestId: REQUEST }).outcome).toMatchObject({ resumed: true });
    const own = scene.acquire(CLAIMS, { session });
    leave("cancelled");
    expect([taken.id, own.id].map(scene.holds)).toEqual([true, false]);
  });

  it("gives a lease that was waited for its whole ttl, though its client was silent meanwhile", () => {
    const { scene, session } = limiters({ keepOnCancel: true });
    const held = scene.acquire([claimOn("db", { permits: 2 })], { ttl: 100 * SECOND });
    const early = scene.acquire(CLAIMS, { session });
    scene.pass(10 * SECOND);
    scene.release(held.id);
    scene.pass(SECOND - 1);
    expect(scene.holds(early.id)).toBe(true);
    scene.pass(1);
    expect(scene.holds(early.id)).toBe(false);
  });

  it("lets each lease run out by its own ttl from the last sign of life, which any command of it is", () => {
    const { scene, session, renew } = limiters({ keepOnCancel: true });
    const short = scene.acquire(CLAIMS, { session });
    const long = scene.acquire(CLAIMS, { session, ttl: 3 * SECOND });
    scene.pass(SECOND - 1);
    scene.tryAcquire(CLAIMS, { session });
    scene.pass(SECOND - 1);
    expect([short.id, long.id].map(scene.holds)).toEqual([true, true]);
    expect(renew()).toEqual({ kind: "session-renewed", validFor: SECOND / 2 });
    scene.pass(SECOND);
    expect([short.id, long.id].map(scene.holds)).toEqual([false, true]);
    scene.pass(2 * SECOND);
    expect(scene.holds(long.id)).toBe(false);
  });

  it("gives a lease that is renewed by itself its whole ttl, and the others nothing of it", () => {
    const { scene, session } = limiters({ keepOnCancel: true });
    const [renewed, other] = [scene.acquire(CLAIMS, { session }), scene.acquire(CLAIMS, { session })];
    scene.pass(0.6 * SECOND);
    scene.step({ kind: "renew", leaseId: renewed.id });
    scene.pass(SECOND - 1);
    expect([renewed.id, other.id].map(scene.holds)).toEqual([true, false]);
    scene.pass(1);
    expect(scene.holds(renewed.id)).toBe(false);
  });

  it("shows no life for a lease that was asked back", () => {
    const { scene, session, renew } = limiters({ keepOnCancel: true });
    const [back, other] = [scene.acquire(CLAIMS, { session }), scene.acquire(CLAIMS, { session })];
    scene.step({ kind: "revoke", leaseId: back.id, force: false, message: "" });
    expect(scene.heardBy(STREAM)).toMatchObject([{ kind: "revoking", lease: { id: back.id } }]);
    scene.pass(0.8 * SECOND);
    // What is left of it, but for the half that its holder may be late.
    expect(renew()).toEqual({ kind: "session-renewed", validFor: 0 });
    scene.pass(0.2 * SECOND);
    expect([back.id, other.id].map(scene.holds)).toEqual([false, true]);
    expect(scene.ends).toMatchObject([{ id: back.id, end: "revoked" }]);
    expect(renew()).toMatchObject({ validFor: SECOND / 2 });
  });

  it("has the promise to renew for all that it holds from when a resume gives it", () => {
    const { scene, session, leave, resume } = limiters();
    const { id } = scene.acquire(CLAIMS, { session });
    leave("lost");
    resume(7, true);
    scene.pass(SECOND);
    expect(scene.holds(id)).toBe(false);
  });

  it("is not heard of by a server that does not probe its connection unless it renews", () => {
    const { scene, session } = limiters({ monitored: false });
    const { id } = scene.acquire(CLAIMS, { session });
    scene.pass(SECOND);
    expect(scene.holds(id)).toBe(false);
    expect(scene.heardBy(STREAM)).toMatchObject([{ kind: "ended", end: "expired" }]);
  });

  it("hears nothing of a grant that is undone before it was heard of", () => {
    const { scene, session } = limiters();
    const { id } = scene.tryAcquire(CLAIMS, { session });
    scene.step({ kind: "abandon", id, requestId: "" });
    expect(scene.holds(id)).toBe(false);
    expect(scene.heardBy(STREAM)).toEqual([]);
  });

  it("loses a lease to a call without a stream that asks for it again", () => {
    const { scene, session, leave } = limiters();
    const { id } = scene.tryAcquire(CLAIMS, { session, requestId: REQUEST });
    expect(scene.tryAcquire(CLAIMS, { requestId: REQUEST }).outcome).toMatchObject({ resumed: true });
    expect(scene.heardBy(STREAM)).toMatchObject([{ kind: "displaced", reason: "LEASE_DISPLACED" }]);
    leave("cancelled");
    expect(scene.holds(id)).toBe(true);
    scene.pass(SECOND);
    expect(scene.holds(id)).toBe(false);
  });
});

it("keeps what ends with its stream from a call without a stream that asks for it again", () => {
  const { scene, session, leave } = limiters();
  const lease = scene.tryAcquire(CLAIMS, { session, ttl: 0, requestId: REQUEST });
  expect(scene.tryAcquire(CLAIMS, { requestId: REQUEST }).outcome).toMatchObject({ resumed: true });
  const worker = boards();
  worker.scene.add("a");
  worker.scene.pull("Work", { session: worker.session, ttl: 0, requestId: REQUEST, worker: "w" });
  const again = { worker: "w", detached: true, maxWait: 0, requestId: REQUEST };
  expect(worker.scene.pull("Work", again).outcome).toMatchObject({ resumed: true });
  expect([scene.holds(lease.id), worker.scene.card("a").state]).toEqual([true, "active"]);
  leave("lost");
  worker.leave("lost");
  expect([scene.holds(lease.id), worker.scene.card("a").state]).toEqual([false, "waiting"]);
});

describe("a session of a worker", () => {
  it.each([
    { how: "cancelled", keepOnCancel: false, state: "waiting" },
    { how: "cancelled", keepOnCancel: true, state: "active" },
    { how: "lost", keepOnCancel: false, state: "active" },
  ] as const)("that is $how, keep_on_cancel $keepOnCancel, leaves its cards $state", ({ how, keepOnCancel, state }) => {
    const { scene, session, leave } = boards(keepOnCancel);
    scene.add("a");
    scene.pull("Work", { session });
    leave(how);
    expect(scene.card("a").state).toBe(state);
    scene.pass(SECOND);
    expect(scene.card("a").state).toBe("waiting");
    expect(scene.state.sessions.size).toBe(0);
  });

  it("gives work that is renewed by itself its whole ttl, and other work nothing of it", () => {
    const { scene, session } = boards(true);
    for (const id of ["a", "b"]) scene.add(id);
    for (const _ of ["a", "b"]) scene.pull("Work", { session });
    scene.pass(0.6 * SECOND);
    const token = scene.card("a").work?.token ?? 0;
    scene.step({ kind: "renew-work", board: "b", cardId: "a", token });
    const states = () => ["a", "b"].map((id) => scene.card(id).state);
    scene.pass(SECOND - 1);
    expect(states()).toEqual(["active", "waiting"]);
    scene.pass(1);
    expect(states()).toEqual(["waiting", "waiting"]);
  });

  it("has the work of a pull that it takes over at the limiter, though that was to have no stream", () => {
    const { scene, session, leave } = boards(false, "l");
    scene.add("a");
    const asked = { requestId: REQUEST, worker: "w" };
    const { id } = scene.pull("Work", { ...asked, detached: true, maxWait: 0, ttl: SECOND });
    scene.pull("Work", { ...asked, session });
    scene.settleClaim(id);
    scene.pass(2 * SECOND);
    expect(scene.card("a").state).toBe("active");
    leave("cancelled");
    expect(scene.card("a").state).toBe("waiting");
  });

  it("counts no attempt for a card of which the worker has not heard", () => {
    const { scene, session, leave } = boards();
    scene.add("a");
    scene.add("b");
    const heard = scene.pull("Work", { session });
    const unheard = scene.pull("Work", { session });
    leave("lost", [unheard.id]);
    scene.pass(SECOND);
    const attempts = ["a", "b"].map((id) => scene.card(id).attempt);
    expect([heard.id === unheard.id, attempts]).toEqual([false, [1, 0]]);
  });

  it("hears nothing of work that it has ended, and hears of work that another caller ends", () => {
    const { scene, session } = boards();
    for (const id of ["a", "b"]) scene.add(id);
    for (const _ of ["a", "b"]) scene.pull("Work", { session });
    const end = (cardId: string, own: boolean) => {
      const token = scene.card(cardId).work?.token ?? 0;
      const by = own ? session : undefined;
      scene.step({ kind: "finish", board: "b", cardId, token, words: "", failed: false, session: by });
    };
    end("a", true);
    expect(scene.heardBy({ stream: STREAM })).toEqual([]);
    end("b", false);
    expect(scene.heardBy({ stream: STREAM })).toMatchObject([{ kind: "work-over" }]);
  });
});
