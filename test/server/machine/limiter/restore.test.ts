/** What a restart brings back of limiters and leases, and what it must not; the random side of it is `records.test.ts`. */

import { describe, expect, it } from "vitest";
import type { Claim } from "../../../../src/server/machine/limiter/claim.ts";
import type { Acquire, Command, OutcomeOf } from "../../../../src/server/machine/limiter/command.ts";
import { assertMachine } from "../../../../src/server/machine/limiter/invariants.ts";
import type { LimiterConfig } from "../../../../src/server/machine/limiter/limiter.ts";
import { createMachine, type Machine } from "../../../../src/server/machine/limiter/machine.ts";
import { amountOf, limiterOf, rateOf } from "../../../support/limiter-config.ts";
import { createKeptRows } from "../../store/support/kept-rows.ts";
import { claimOn, SECOND } from "../builders.ts";

const EPOCH = 1e15;

interface Life {
  readonly machine: Machine;
  /** µs since the first start; the machine's own time begins anew with each. */
  now: number;
  step<C extends Command>(command: C): OutcomeOf<C>;
  create(config: Partial<LimiterConfig> & { readonly name: string }): void;
  acquire(id: string, claims: readonly Claim[], options?: Partial<Acquire>): OutcomeOf<Acquire>;
  release(id: string): void;
  /** It becomes durable that the process has run until now. */
  mark(): void;
  /** The process is gone, and so many µs later there is another. */
  restart(downtime?: number, options?: { readonly learning?: boolean; readonly adopted?: string }): void;
  /** What is kept of a kind. */
  kept(kind: string): string[];
}

function createLife(): Life {
  const rows = createKeptRows();
  let machine = createMachine({ maxWaiters: 100, fencingEpoch: EPOCH });
  let base = 0;
  let ranBefore = 0;
  let stream = 0;
  const life: Life = {
    get machine() {
      return machine;
    },
    now: 0,
    step(command) {
      const { outcome, changes } = machine.step(command, life.now - base);
      rows.keep(changes, { epoch: EPOCH + base, ranBefore });
      assertMachine(machine.state);
      return outcome;
    },
    create: (config) => void life.step({ kind: "create-limiter", config: limiterOf(config) }),
    acquire(id, claims, options = {}) {
      stream += 1;
      const [maxWait, ttl, requestId] = [undefined, 10 * SECOND, ""];
      const attached = { stream, monitored: true, keepOnCancel: false, session: undefined };
      const rest = { maxWait, ttl, requestId, ...attached, ...options };
      return life.step({ kind: "acquire", id, claims, holder: "h", ...rest });
    },
    release: (leaseId) => void life.step({ kind: "release", leaseId, workOutcome: "success", session: undefined }),
    mark: () => rows.mark(ranBefore + life.now - base),
    restart(downtime = 0, { learning = false, adopted } = {}) {
      life.now += downtime;
      base = life.now;
      const { limiters, ranBefore: ran } = rows.find(EPOCH + base);
      ranBefore = ran;
      machine = createMachine({ maxWaiters: 100, fencingEpoch: EPOCH + base + SECOND, learning });
      const records = adopted === undefined ? limiters : { ...limiters, adopted: new Set([adopted]) };
      rows.keep(machine.restore(records, 0), { epoch: EPOCH + base, ranBefore });
      life.step({ kind: "wake" });
    },
    kept: (kind) => rows.names(kind).sort(),
  };
  return life;
}

const wake = { kind: "wake" } as const;
const kindOf = ({ kind }: { readonly kind: string }) => kind;

describe("leases", () => {
  it("hold on to what they held, and the rest is free at once", () => {
    const life = createLife();
    life.create({ name: "db", maxConcurrent: 5 });
    life.acquire("a", [claimOn("db", { permits: 3 })]);
    life.restart(SECOND);
    expect(kindOf(life.acquire("b", [claimOn("db", { permits: 3 })], { maxWait: 0 }))).toBe("refused");
    expect(kindOf(life.acquire("c", [claimOn("db", { permits: 2 })], { maxWait: 0 }))).toBe("granted");
    expect(life.step({ kind: "resume", leaseId: "a", stream: 99, monitored: true, keepOnCancel: false })).toMatchObject(
      { resumed: true },
    );
    life.release("a");
    expect(kindOf(life.acquire("d", [claimOn("db", { permits: 3 })], { maxWait: 0 }))).toBe("granted");
  });

  it("of sessions, and waiters, are taken up again with their session, which is away", () => {
    const life = createLife();
    life.create({ name: "db", maxConcurrent: 2 });
    const open = { monitored: true, keepOnCancel: true };
    for (const stream of [71, 72]) {
      life.step({ kind: "open-session", sessionId: `session ${stream}`, stream, ...open });
    }
    const of = (stream: number) => ({ stream, session: { id: `session ${stream}`, stream } });
    life.acquire("a", [claimOn("db")], of(71));
    life.acquire("b", [claimOn("db")], of(72));
    life.acquire("w", [claimOn("db")], { ...of(72), requestId: "request-of-w" });
    life.restart(SECOND);
    const resume = (sessionId: string) =>
      life.step({ kind: "resume-session", sessionId, stream: 80, monitored: true, keepOnCancel: false });
    expect(resume("session 72")).toEqual({ kind: "session-resumed", leaseIds: ["b"] });
    const again = { stream: 80, session: { id: "session 72", stream: 80 }, requestId: "request-of-w" };
    expect(life.acquire("x", [claimOn("db")], again)).toMatchObject({ kind: "waiting", waiterId: "w" });
    life.now += 9 * SECOND;
    life.step({ kind: "renew-session", session: again.session });
    life.now += 5 * SECOND;
    life.step(wake);
    // The promise to renew is kept, and the other session has not come back.
    expect([...life.machine.state.leases.keys()]).toEqual(["b", "w"]);
    expect(resume("session 71")).toMatchObject({ reason: "SESSION_NOT_FOUND" });
  });

  it("that must be renewed must be so again, whatever the resume says, and so must those of waiters", () => {
    const life = createLife();
    life.create({ name: "db", maxConcurrent: 2 });
    const resume = (leaseId: string, keepOnCancel: boolean) =>
      life.step({ kind: "resume", leaseId, stream: 99, monitored: true, keepOnCancel });
    life.acquire("a", [claimOn("db")], { keepOnCancel: true });
    life.acquire("b", [claimOn("db")]);
    resume("b", true);
    life.restart();
    for (const id of ["a", "b"]) resume(id, false);
    life.now += 20 * SECOND;
    life.step(wake);
    expect(life.machine.state.leases.size).toBe(0);
    life.acquire("e", [claimOn("db", { permits: 2 })]);
    const waiting = { requestId: "request-of-f", keepOnCancel: true };
    life.acquire("f", [claimOn("db")], waiting);
    life.restart();
    const { waiters } = life.machine.state;
    expect([...waiters.values()]).toMatchObject([{ id: "f", keepsOnCancel: true }]);
  });

  it("end between a ttl and a fifth more from the start, none in the same step as another", () => {
    const life = createLife();
    life.create({ name: "db", maxConcurrent: 100 });
    for (let n = 0; n < 100; n += 1) life.acquire(`${n}`, [claimOn("db")]);
    life.restart(60 * SECOND);
    const left = () => life.machine.state.leases.size;
    const start = life.now;
    life.now = start + 10 * SECOND - 1;
    life.step(wake);
    expect(left()).toBe(100);
    let most = 0;
    for (let at = 10 * SECOND; at <= 12 * SECOND; at += SECOND / 50) {
      const before = left();
      life.now = start + at;
      life.step(wake);
      most = Math.max(most, before - left());
    }
    expect(left()).toBe(0);
    expect(most).toBeLessThanOrEqual(2);
  });

  it("without a ttl ended with their streams, unless they are resumed here within ten seconds", () => {
    const life = createLife();
    life.create({ name: "db", maxConcurrent: 2 });
    life.acquire("a", [claimOn("db")], { ttl: 0 });
    life.acquire("b", [claimOn("db")], { ttl: 0 });
    life.restart(0, { adopted: "b" });
    expect([...life.machine.state.leases.keys()]).toEqual(["b"]);
    expect(life.kept("lease")).toEqual(["b"]);
    life.restart(0, { adopted: "b" });
    life.step({ kind: "resume", leaseId: "b", stream: 99, monitored: true, keepOnCancel: false });
    life.now += 60 * SECOND;
    life.step(wake);
    expect([...life.machine.state.leases.keys()]).toEqual(["b"]);
    life.restart(0, { adopted: "b" });
    life.now += 10 * SECOND;
    life.step(wake);
    expect(life.machine.state.leases.size).toBe(0);
  });

  it("that were revoked stay so: no renewal lengthens them, and they end as revoked", () => {
    const life = createLife();
    life.create({ name: "db", maxConcurrent: 1 });
    life.acquire("a", [claimOn("db")], { requestId: "r" });
    life.step({ kind: "revoke", leaseId: "a", force: false, message: "" });
    life.restart();
    for (let n = 0; n < 14; n += 1) {
      life.step({ kind: "renew", leaseId: "a" });
      life.now += SECOND;
    }
    expect(life.step({ kind: "renew", leaseId: "a" })).toMatchObject({ kind: "ended", end: "revoked" });
    life.restart();
    expect(life.acquire("b", [claimOn("db")], { requestId: "r" })).toMatchObject({ reason: "LEASE_REVOKED" });
  });

  it("outlive a limiter of which they had but tokens", () => {
    const life = createLife();
    life.create({ name: "db", maxConcurrent: 1 });
    life.create({ name: "rate", rate: rateOf(1, 5) });
    life.acquire("a", [claimOn("db"), claimOn("rate")]);
    life.step({ kind: "delete-limiter", name: "rate", revision: undefined, force: false });
    life.restart();
    expect(kindOf(life.acquire("b", [claimOn("db")], { maxWait: 0 }))).toBe("refused");
    const lease = life.machine.state.leases.get("a");
    expect(lease?.claims.map(({ instance }) => instance.limiter.config.name)).toEqual(["db", "rate"]);
    life.create({ name: "rate", keyed: true, rate: rateOf(1, 5) });
    life.restart();
    life.release("a");
    expect(life.machine.state.limiters.get("rate")?.instances.size).toBe(0);
  });

  it("keep their slots, and the next gets the lowest that is free", () => {
    const life = createLife();
    life.create({ name: "db", maxConcurrent: 6 });
    for (const id of ["a", "b", "c", "d"]) life.acquire(id, [claimOn("db", { slots: true })]);
    life.release("a");
    life.release("c");
    life.restart();
    const slotsOf = (id: string) => life.machine.state.leases.get(id)?.claims[0]?.slots;
    expect([slotsOf("b"), slotsOf("d")]).toEqual([[1], [3]]);
    life.acquire("e", [claimOn("db", { permits: 3, slots: true })]);
    expect(slotsOf("e")).toEqual([0, 2, 4]);
  });
});

describe("limiters", () => {
  it("that were being deleted go if nothing is left that they wait for", () => {
    const life = createLife();
    life.create({ name: "db", maxConcurrent: 1 });
    life.acquire("a", [claimOn("db")], { ttl: 0 });
    life.step({ kind: "delete-limiter", name: "db", revision: undefined, force: false });
    life.restart();
    expect([life.machine.state.limiters.size, life.kept("limiter"), life.kept("lease")]).toEqual([0, [], []]);
  });

  it("that were being deleted wait for what is left", () => {
    const life = createLife();
    life.create({ name: "db", maxConcurrent: 1 });
    life.acquire("a", [claimOn("db")]);
    life.step({ kind: "delete-limiter", name: "db", revision: undefined, force: false });
    life.restart();
    expect(life.acquire("b", [claimOn("db")])).toMatchObject({ reason: "LIMITER_NOT_FOUND" });
    expect(life.step({ kind: "create-limiter", config: limiterOf({ name: "db" }) })).toMatchObject({ kind: "refused" });
    life.release("a");
    expect(life.kept("limiter")).toEqual([]);
  });

  it("give the tokens that came in while they ran, in however many runs, and those alone", () => {
    const life = createLife();
    life.create({ name: "slow", rate: rateOf(1 / 20, 1) });
    const ask = (id: string) => kindOf(life.acquire(id, [claimOn("slow", { permits: 0 })], { maxWait: 0 }));
    expect(ask("a")).toBe("granted");
    // 12 s and 7 s of running, with an hour between: a token takes 20 s.
    life.now += 12 * SECOND;
    life.mark();
    life.restart(3_600 * SECOND);
    life.now += 7 * SECOND;
    expect(ask("b")).toBe("refused");
    life.mark();
    life.restart(3_600 * SECOND);
    life.now += SECOND - 1;
    expect(ask("c")).toBe("refused");
    life.now += 1;
    expect(ask("d")).toBe("granted");
    expect(ask("e")).toBe("refused");
  });

  it("keep what came in until the last durable sign, which may be the grant of another bucket", () => {
    const life = createLife();
    life.create({ name: "slow", rate: rateOf(1 / 20, 1), keyed: true });
    const ask = (key: string) =>
      kindOf(life.acquire(`${key} ${life.now}`, [claimOn("slow", { permits: 0, key })], { maxWait: 0 }));
    expect(ask("a")).toBe("granted");
    life.now += 15 * SECOND;
    expect(ask("b")).toBe("granted");
    // What came in after that is lost with the process, since nothing says that it ran.
    life.now += 4 * SECOND;
    life.restart(SECOND);
    life.now += 5 * SECOND - 1;
    expect(ask("a")).toBe("refused");
    life.now += 1;
    expect(ask("a")).toBe("granted");
    expect(ask("b")).toBe("refused");
  });

  it("keep what came in of a paused limiter, and through a start that learns", () => {
    const life = createLife();
    life.create({ name: "slow", rate: rateOf(1 / 20, 1), paused: true });
    life.step({
      kind: "update-limiter",
      config: limiterOf({ name: "slow", rate: rateOf(1 / 20, 1) }),
      revision: undefined,
    });
    expect(kindOf(life.acquire("a", [claimOn("slow", { permits: 0 })]))).toBe("granted");
    const paused = limiterOf({ name: "slow", rate: rateOf(1 / 20, 1), paused: true });
    life.step({ kind: "update-limiter", config: paused, revision: undefined });
    life.now += 12 * SECOND;
    life.mark();
    life.restart(SECOND, { learning: true });
    life.now += 7 * SECOND;
    life.mark();
    life.restart(SECOND);
    life.step({ kind: "update-limiter", config: { ...paused, paused: false }, revision: undefined });
    life.now += SECOND - 1;
    expect(kindOf(life.acquire("b", [claimOn("slow", { permits: 0 })], { maxWait: 0 }))).toBe("refused");
    life.now += 1;
    expect(kindOf(life.acquire("c", [claimOn("slow", { permits: 0 })], { maxWait: 0 }))).toBe("granted");
  });

  it("are full where they were full when their rate changed, and have what was left where they were not", () => {
    const life = createLife();
    life.create({ name: "rate", rate: rateOf(1_000, 10) });
    const ask = (tokens: number) =>
      kindOf(life.acquire(`${life.now} ${tokens}`, [claimOn("rate", { permits: 0, tokens })], { maxWait: 0 }));
    expect(ask(10)).toBe("granted");
    life.now += SECOND;
    // It is full, and from now on it would take ten months to be so.
    life.step({
      kind: "update-limiter",
      config: limiterOf({ name: "rate", rate: amountOf(1, 2_592_000 * SECOND, 10) }),
      revision: undefined,
    });
    life.restart(SECOND);
    expect(ask(7)).toBe("granted");
    life.restart(SECOND);
    expect(ask(4)).toBe("refused");
    expect(ask(3)).toBe("granted");
  });

  it("give no tokens for the time that they were away, nor those that a smaller burst had taken", () => {
    const life = createLife();
    life.create({ name: "rate", rate: rateOf(1, 10) });
    life.acquire("a", [claimOn("rate", { permits: 0, tokens: 9 })]);
    life.restart(60 * SECOND);
    expect(kindOf(life.acquire("b", [claimOn("rate", { permits: 0, tokens: 2 })], { maxWait: 0 }))).toBe("refused");
    life.now += 60 * SECOND;
    const config = life.machine.state.limiters.get("rate")?.config as LimiterConfig;
    for (const burst of [2, 10]) {
      life.step({ kind: "update-limiter", config: { ...config, rate: rateOf(1, burst) }, revision: undefined });
    }
    life.restart(60 * SECOND);
    expect(kindOf(life.acquire("c", [claimOn("rate", { permits: 0, tokens: 3 })], { maxWait: 0 }))).toBe("refused");
    expect(kindOf(life.acquire("d", [claimOn("rate", { permits: 0, tokens: 2 })], { maxWait: 0 }))).toBe("granted");
  });

  it("have no keys but those of which something is held, asked or owed", () => {
    const life = createLife();
    life.create({ name: "keyed", keyed: true, maxKeys: 2, maxConcurrent: 1, rate: rateOf(1_000, 1) });
    const spent = (key: string) =>
      life.acquire(key, [claimOn("keyed", { key, permits: 0 })], { requestId: `request ${key}` });
    for (let n = 0; n < 20; n += 1) {
      expect(kindOf(spent(`k${n}`))).toBe("granted");
      life.now += 10 * SECOND;
      life.step(wake);
    }
    expect(life.kept("bucket")).toEqual([]);
    life.restart();
    expect(life.machine.state.limiters.get("keyed")?.instances.size).toBe(0);
    expect(spent("k3")).toMatchObject({ kind: "granted", resumed: true, held: false });
    life.acquire("held", [claimOn("keyed", { key: "x" })]);
    life.restart();
    for (let n = 0; n < 2; n += 1) {
      life.now += 60 * SECOND;
      life.step(wake);
    }
    expect([life.machine.state.limiters.get("keyed")?.instances.size, life.kept("bucket")]).toEqual([0, []]);
  });

  it("give tokens above all that are held, whatever the clock says", () => {
    const life = createLife();
    life.create({ name: "db", maxConcurrent: 2 });
    life.acquire("a", [claimOn("db")]);
    const token = (id: string) => life.machine.state.leases.get(id)?.claims[0]?.fencingToken ?? 0;
    const before = token("a");
    life.now -= 3_600 * SECOND;
    life.restart();
    life.acquire("b", [claimOn("db")]);
    expect([token("a"), token("b") > before]).toEqual([before, true]);
  });
});

describe("waiters", () => {
  it("that come back within their ttl are served in their order, and the others lose their place", () => {
    const life = createLife();
    life.create({ name: "db", maxConcurrent: 1 });
    life.acquire("a", [claimOn("db")]);
    const wait = (id: string, requestId = `request ${id}`) => life.acquire(id, [claimOn("db")], { requestId });
    for (const id of ["b", "c", "d"]) wait(id);
    wait("e", "");
    life.restart(SECOND);
    expect(life.kept("waiter")).toEqual(["b", "c", "d"]);
    life.restart(SECOND);
    wait("late");
    for (const id of ["d", "b"]) expect(wait(`again ${id}`, `request ${id}`)).toMatchObject({ waiterId: id });
    const order: string[] = [];
    for (let held = "a"; held !== ""; ) {
      life.release(held);
      held = [...life.machine.state.leases.keys()][0] ?? "";
      if (held !== "") order.push(held);
    }
    expect(order).toEqual(["b", "d", "late"]);
    life.now += 10 * SECOND;
    life.step(wake);
    expect([life.machine.state.waiters.size, life.kept("waiter")]).toEqual([0, []]);
  });

  it("whose time was lengthened when they came back have that time", () => {
    const life = createLife();
    life.create({ name: "db", maxConcurrent: 1 });
    life.acquire("a", [claimOn("db")]);
    life.acquire("b", [claimOn("db")], { requestId: "r", maxWait: SECOND });
    life.acquire("c", [claimOn("db")], { requestId: "r", maxWait: 60 * SECOND });
    life.restart(5 * SECOND);
    expect(life.acquire("d", [claimOn("db")], { requestId: "r" })).toMatchObject({ waiterId: "b" });
  });
});

it("while not all is known nothing is granted, and then all that can be, in order", () => {
  const life = createLife();
  life.create({ name: "db", maxConcurrent: 2 });
  life.acquire("a", [claimOn("db")]);
  life.restart(0, { learning: true });
  expect(life.acquire("b", [claimOn("db")], { maxWait: 0 })).toMatchObject({ reason: "LEARNING" });
  expect(life.step({ kind: "resume", leaseId: "a", stream: 9, monitored: true, keepOnCancel: false })).toMatchObject({
    kind: "granted",
  });
  for (const id of ["c", "d"]) expect(kindOf(life.acquire(id, [claimOn("db")]))).toBe("waiting");
  life.step({ kind: "end-learning" });
  expect([...life.machine.state.leases.keys()]).toEqual(["a", "c"]);
});
