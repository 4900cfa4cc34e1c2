/** Each invariant of sessions notices what it is for: a sound state with one thing wrong is refused, and for that reason. */

import { describe, expect, it } from "vitest";
import type { Term } from "../../../src/server/machine/session.ts";
import { assertSessions } from "../../../src/server/machine/session-invariants.ts";
import { claimOn, SECOND } from "./builders.ts";
import { createScene } from "./limiter/scene.ts";

const STREAM = 1_000;

/** A session whose client has promised to renew, with two leases, of which the second came later, and a waiter. */
function sound() {
  const scene = createScene();
  scene.create({ name: "db", maxConcurrent: 2, ttl: SECOND });
  scene.step({ kind: "open-session", sessionId: "s", stream: STREAM, monitored: true, keepOnCancel: true });
  const session = { id: "s", stream: STREAM };
  const first = scene.acquire([claimOn("db")], { session }).id;
  scene.pass(1);
  scene.acquire([claimOn("db")], { session });
  scene.acquire([claimOn("db")], { session });
  const { state } = scene;
  const kept = state.sessions.get("s");
  const [term] = kept?.terms.values() ?? [];
  const [waiter] = state.waiters.values();
  if (kept === undefined || term === undefined || waiter === undefined) throw new Error("nothing lives in the session");
  return {
    state,
    session: kept,
    term,
    waiter,
    first,
    check: () => assertSessions(state, state.leases, state.waiters.values()),
  };
}

type Sound = ReturnType<typeof sound>;

describe("invariants of sessions", () => {
  it("hold of a sound state", () => {
    const { check, term } = sound();
    expect(check).not.toThrow();
    expect(term.members.size).toBe(2);
  });

  it.each<[rule: string, spoil: (scene: Sound) => void]>([
    ["it is kept under its id", ({ session }) => assign(session, { id: "t" })],
    [
      "away implies something that lives",
      ({ session, waiter }) => {
        session.stream = undefined;
        session.terms.clear();
        session.waiting.delete(waiter);
      },
    ],
    [
      "away implies terms with members",
      ({ session, term }) => {
        session.stream = undefined;
        term.members.clear();
      },
    ],
    ["a term is kept under its ttl and promise", ({ term }) => assign(term, { ttl: 2 * SECOND })],
    ["a term is of its session", ({ term, session }) => assign(term, { session: { ...session } })],
    ["what waits in it knows it", ({ waiter, session }) => assign(waiter, { session: { ...session } })],
    ["what waits in it waits on its stream", ({ waiter }) => assign(waiter, { stream: STREAM + 1 })],
    ["what was asked back is held in it", ({ session }) => session.revoked.add("another")],
    ["things held in a session", ({ term, first }) => term.members.delete(first)],
    ["waiters of a session", ({ session, waiter }) => session.waiting.delete(waiter)],
    ["its time runs exactly if it must", ({ term }) => assign(term, { heapIndex: -1 })],
    ["its members know it", ({ term, first }) => rename(term, first)],
    ["its members have its ttl and promise", ({ state, first }) => assign(state.leases.get(first), { ttl: 1 })],
    ["its members stand in the order in which they joined", ({ term, first }) => term.members.set(first, Infinity)],
    [
      "a member ends when its time has run out",
      ({ session, state, term }) => {
        session.aliveAt = 0;
        assign(state, { now: state.now + SECOND });
        assign(term, { dueAt: 0 });
      },
    ],
    ["its deadline is not later than the end of a member", ({ term }) => assign(term, { dueAt: term.dueAt + SECOND })],
  ])("notice: %s", (rule, spoil) => {
    const scene = sound();
    spoil(scene);
    expect(scene.check).toThrow(rule);
  });
});

function assign<T extends object>(target: T | undefined, fields: Partial<T>): void {
  if (target === undefined) throw new Error("nothing to spoil");
  Object.assign(target, fields);
}

function rename(term: Term, id: string): void {
  const members = [...term.members];
  term.members.clear();
  for (const [member, at] of members) term.members.set(member === id ? "another" : member, at);
}
