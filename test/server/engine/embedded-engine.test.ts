import { describe, expect, test } from "vitest";
import { createEmbeddedEngine } from "../../../src/server/engine/embedded/embedded-engine.ts";
import type { StreamNews } from "../../../src/server/engine/engine.ts";
import type { Acquire } from "../../../src/server/machine/limiter/command.ts";
import type { LimiterConfig } from "../../../src/server/machine/limiter/limiter.ts";
import { defaultBurst } from "../../../src/server/machine/limiter/rate.ts";
import type { ShownOutcome } from "../../../src/server/machine/limiter/show.ts";
import type { LimiterView } from "../../../src/server/machine/limiter/view.ts";
import { createMemoryStore } from "../../../src/server/store/memory-store.ts";
import type { Store } from "../../../src/server/store/store.ts";
import { alwaysThere } from "../../support/always-there.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { limiterOf, rateOf } from "../../support/limiter-config.ts";

const SECOND = 1_000_000;

function setUp(config: LimiterConfig, { store = createMemoryStore(), lateness = 0 } = {}) {
  const clock = createFakeClock({ lateness });
  const engine = createEmbeddedEngine({ clock, store, machine: { maxWaiters: 1_000_000 } });
  engine.submit({ kind: "create-limiter", config }, () => {}, alwaysThere);
  const said: string[] = [];
  /** Opens a stream that notes what it hears under its name. */
  const open = (name: string, onNews: (news: StreamNews) => void = () => {}) =>
    engine.openStream((news) => {
      said.push(`${name}: ${news.kind}`);
      onNews(news);
    }, alwaysThere);
  const acquire = (id: string, stream: number): Acquire => ({
    kind: "acquire",
    id,
    claims: [{ limiter: config.name, key: "", permits: 1, tokens: 1, slots: false }],
    holder: id,
    maxWait: undefined,
    ttl: undefined,
    requestId: "",
    stream,
    monitored: true,
    keepOnCancel: false,
    session: undefined,
  });
  const ask = (id: string, stream: number) =>
    engine.submit(acquire(id, stream), (outcome) => said.push(`${id} is ${outcome.kind}`), alwaysThere);
  return { clock, engine, said, open, acquire, ask };
}

describe("order", () => {
  test("a freed permit is granted to the head before the next command is answered", () => {
    const { engine, said, open, ask } = setUp(limiterOf({ maxConcurrent: 1 }));
    const streams = ["a", "b", "c"].map((name) => open(name)) as [number, number, number];
    ask("a", streams[0]);
    ask("b", streams[1]);
    engine.submit(
      { kind: "release", leaseId: "a", workOutcome: "success", session: undefined },
      () => said.push("released"),
      alwaysThere,
    );
    ask("c", streams[2]);
    expect(said).toEqual(["a is granted", "b is waiting", "released", "a: ended", "b: granted", "c is waiting"]);
  });

  test("what a listener decides in the middle of a delivery is said after the rest of it", () => {
    const { engine, said, open, ask } = setUp(limiterOf({ maxConcurrent: 2 }));
    const giveBack = () =>
      engine.submit(
        { kind: "release", leaseId: "c", workOutcome: "success", session: undefined },
        () => said.push("c given back"),
        alwaysThere,
      );
    const streams = [
      open("a"),
      open("b"),
      open("c", (news) => {
        if (news.kind === "granted") giveBack();
      }),
      open("d"),
      open("e"),
    ];
    for (const [index, id] of ["a", "b", "c", "d", "e"].entries()) ask(id, streams[index] as number);
    said.length = 0;
    const config = limiterOf({ maxConcurrent: 4 });
    engine.submit({ kind: "update-limiter", config, revision: undefined }, () => said.push("updated"), alwaysThere);
    expect(said).toEqual(["updated", "c: granted", "d: granted", "c given back", "c: ended", "e: granted"]);
  });

  test("nothing is said before its changes are kept, and then in the order in which it was decided", async () => {
    const keeping: (() => void)[] = [];
    const store: Store = {
      ...createMemoryStore(),
      keep: () => new Promise<void>((resolve) => keeping.push(resolve)),
    };
    const { said, open, ask } = setUp(limiterOf({ maxConcurrent: 1 }), { store });
    ask("a", open("a"));
    ask("b", open("b"));
    expect(said).toEqual([]);
    const [limiter, first, second] = keeping;
    limiter?.();
    second?.();
    await Promise.resolve();
    expect(said).toEqual([]);
    first?.();
    await Promise.resolve();
    await Promise.resolve();
    expect(said).toEqual(["a is granted", "b is waiting"]);
  });

  test("a renewal or a release is answered while a grant waits to be kept", async () => {
    let holdsUp = false;
    const store: Store = {
      ...createMemoryStore(),
      keep: () => (holdsUp ? new Promise<void>(() => {}) : undefined),
    };
    const { engine, said, open, ask } = setUp(limiterOf({ maxConcurrent: 2 }), { store });
    ask("a", open("a"));
    ask("b", open("b"));
    holdsUp = true;
    engine.submit(
      { kind: "release", leaseId: "b", workOutcome: "success", session: undefined },
      ({ kind }) => said.push(kind),
      alwaysThere,
    );
    ask("c", open("c"));
    engine.submit({ kind: "renew", leaseId: "a" }, ({ kind }) => said.push(kind), alwaysThere);
    expect(said).toEqual(["a is granted", "b is granted", "ended", "b: ended", "renewed"]);
  });
});

describe("time", () => {
  test("a waiter whose max_wait has passed is refused by the timer alone", () => {
    const { clock, engine, said, open, acquire, ask } = setUp(limiterOf({ maxConcurrent: 1 }));
    ask("a", open("a"));
    engine.submit({ ...acquire("b", open("b")), maxWait: SECOND }, () => {}, alwaysThere);
    clock.advance(SECOND - 1);
    expect(said).toEqual(["a is granted"]);
    clock.advance(1);
    expect(said).toEqual(["a is granted", "b: refused"]);
  });

  test("a detached lease is gone when its ttl has passed, and its permit at the head of the queue", () => {
    const { clock, engine, said, open, acquire, ask } = setUp(limiterOf({ maxConcurrent: 1, ttl: SECOND }));
    const { stream: _stream, monitored: _monitored, maxWait: _maxWait, ...claim } = acquire("a", 0);
    engine.submit({ ...claim, kind: "try-acquire" }, () => {}, alwaysThere);
    ask("b", open("b"));
    clock.advance(SECOND - 1);
    expect(said).toEqual(["b is waiting"]);
    clock.advance(1);
    expect(said).toEqual(["b is waiting", "b: granted"]);
  });

  test("one timer serves any number of deadlines", () => {
    const { clock, open, ask } = setUp(limiterOf({ rate: rateOf(10, 1) }));
    for (let i = 0; i < 100; i++) ask(`w${i}`, open(`w${i}`));
    // The machine's, and the one that tells those in the queue that it has moved.
    expect(clock.scheduled).toBeLessThanOrEqual(2);
  });

  test.each([10, 100, 1_000, 5_000, 20_000])(
    "with waiters always there, %i a second are delivered, though coarse timers come a millisecond late",
    (maxRps) => {
      const burstSize = defaultBurst({ kind: "per-second", maxRps });
      const config = limiterOf({ rate: rateOf(maxRps, burstSize), maxWaiters: 1_000_000 });
      const { clock, engine, acquire } = setUp(config, { lateness: 1_100 });
      const grants: number[] = [];
      const stream = engine.openStream((news) => {
        if (news.kind === "granted") grants.push(clock.now());
      }, alwaysThere);
      const answered = (outcome: ShownOutcome) => {
        if (outcome.kind === "granted") grants.push(clock.now());
      };
      const seconds = Math.min(10, 50_000 / maxRps);
      for (let i = 0; i < maxRps * seconds + burstSize; i++)
        engine.submit(acquire(`w${i}`, stream), answered, alwaysThere);
      clock.advance(seconds * SECOND);
      expect(grants.length).toBeGreaterThanOrEqual(0.995 * maxRps * seconds);
      expect(grants.length).toBeLessThanOrEqual(burstSize + maxRps * seconds);
      // Every window from one grant to a later one: so many tokens need at least so much time.
      let worst = Number.NEGATIVE_INFINITY;
      let least = Number.POSITIVE_INFINITY;
      for (const [index, at] of grants.entries()) {
        least = Math.min(least, index - (at * maxRps) / SECOND);
        worst = Math.max(worst, index + 1 - (at * maxRps) / SECOND - least);
      }
      expect(worst).toBeLessThanOrEqual(burstSize + 1e-6);
    },
  );
});

describe("news", () => {
  test("those in a queue hear that it has moved, a few times a second", () => {
    const { clock, engine, said, open, ask } = setUp(limiterOf({ maxConcurrent: 1 }));
    for (const name of ["a", "b", "c", "d"]) ask(name, open(name));
    said.length = 0;
    engine.submit({ kind: "cancel-waiter", waiterId: "b" }, () => {}, alwaysThere);
    expect(said).toEqual(["b: refused"]);
    clock.advance(250_000);
    expect(said).toEqual(["b: refused", "c: moved", "d: moved"]);
    clock.advance(10 * SECOND);
    expect(said).toHaveLength(3);
  });

  test("notifying a long queue that has moved delays no other task", () => {
    const { clock, engine, said, open, ask } = setUp(limiterOf({ maxConcurrent: 1 }));
    let saidBeforeMyTurn: number | undefined;
    const onNews = ({ kind }: StreamNews) => {
      if (kind !== "moved" || said.length > 1) return;
      clock.schedule(clock.now(), true, () => {
        saidBeforeMyTurn = said.length;
      });
    };
    for (let i = 0; i <= 100; i++) ask(`${i}`, open(`${i}`, onNews));
    for (let i = 0; i < 50; i++)
      engine.submit(
        { kind: "release", leaseId: `${i}`, workOutcome: "success", session: undefined },
        () => {},
        alwaysThere,
      );
    said.length = 0;
    clock.advance(250_000);
    expect(said).toEqual(Array.from({ length: 50 }, (_, i) => `${i + 51}: moved`));
    expect(saidBeforeMyTurn).toBeLessThan(50);
  });

  test("every waiter is notified, though the queue moves again before the last has been", () => {
    const { clock, engine, said, open, ask } = setUp(limiterOf({ maxConcurrent: 1 }), { lateness: 100_000 });
    for (let i = 0; i <= 100; i++) ask(`${i}`, open(`${i}`));
    const release = (i: number) =>
      engine.submit(
        { kind: "release", leaseId: `${i}`, workOutcome: "success", session: undefined },
        () => {},
        alwaysThere,
      );
    for (let i = 0; i < 30; i++) release(i);
    clock.advance(350_000);
    release(30);
    clock.advance(10 * SECOND);
    for (let i = 32; i <= 100; i++) expect(said).toContain(`${i}: moved`);
  });

  test("a waiter that is granted while others are notified of a move is notified of the grant alone", () => {
    const { clock, engine, said, open, ask } = setUp(limiterOf({ maxConcurrent: 1 }));
    const releaseUpTo = (first: number, last: number) => {
      for (let i = first; i <= last; i++) {
        engine.submit(
          { kind: "release", leaseId: `${i}`, workOutcome: "success", session: undefined },
          () => {},
          alwaysThere,
        );
      }
    };
    let surveyed = false;
    const onNews = ({ kind }: StreamNews) => {
      if (kind !== "moved" || surveyed) return;
      surveyed = true;
      releaseUpTo(50, 90);
    };
    for (let i = 0; i <= 100; i++) ask(`${i}`, open(`${i}`, onNews));
    releaseUpTo(0, 49);
    said.length = 0;
    clock.advance(250_000);
    expect(said.filter((words) => words.startsWith("90: "))).toEqual(["90: granted", "90: ended"]);
    expect(said.at(-1)).toBe("100: moved");
  });

  test("a watcher hears of what fades and fills by itself until that has come to its end, and then of nothing", () => {
    const { clock, engine, open, ask } = setUp(limiterOf({ maxConcurrent: 5, rate: rateOf(1, 20) }));
    engine.submit({ kind: "create-limiter", config: limiterOf({ name: "idle" }) }, () => {}, alwaysThere);
    ask("a", open("a"));
    engine.submit({ kind: "release", leaseId: "a", workOutcome: "success", session: undefined }, () => {}, alwaysThere);
    const heard: LimiterView[] = [];
    engine.watch(({ changed }) => heard.push(...changed), alwaysThere);
    clock.advance(15 * SECOND);
    expect(heard.at(-1)?.status).toMatchObject({
      arrivalRate: 0,
      admissionRate: 0,
      completionRate: 0,
      tokensAvailable: 20,
    });
    clock.advance(180 * SECOND);
    expect(heard.at(-1)?.status).toMatchObject({
      meanHoldTime: undefined,
      waitTimeP50: undefined,
      waitTimeP99: undefined,
    });
    expect(new Set(heard.map(({ config }) => config.name))).toEqual(new Set(["db"]));
    expect(heard.length).toBeLessThan(20);
    const before = heard.length;
    engine.watch(({ changed }) => heard.push(...changed), alwaysThere);
    clock.advance(600 * SECOND);
    expect(heard.length).toBe(before);
    ask("b", open("b"));
    clock.advance(SECOND);
    expect(heard.length).toBeGreaterThan(before);
  });

  test("a watcher hears of each limiter that has changed, once an interval, and of those that are gone", async () => {
    const { clock, engine, open, ask } = setUp(limiterOf({ maxConcurrent: 5 }));
    const heard: string[] = [];
    const unwatch = engine.watch(({ changed, removed }) => {
      heard.push(...changed.map(({ config, status }) => `${config.name} ${status.permitsInUse}`));
      heard.push(...removed.map((name) => `${name} removed`));
    }, alwaysThere);
    for (const name of ["a", "b", "c"]) ask(name, open(name));
    clock.advance(250_000);
    expect(heard).toEqual(["db 3"]);
    engine.submit({ kind: "delete-limiter", name: "db", revision: undefined, force: true }, () => {}, alwaysThere);
    clock.advance(250_000);
    expect(heard).toEqual(["db 3", "db removed"]);
    unwatch();
    clock.advance(SECOND);
    expect(clock.scheduled).toBeLessThanOrEqual(1);
  });
});

describe("a start that may not know every lease", () => {
  const learning = () => {
    const clock = createFakeClock();
    const learned: number[] = [];
    const engine = createEmbeddedEngine({
      clock,
      store: { ...createMemoryStore(), incompleteFor: 5 * SECOND },
      machine: { maxWaiters: 10 },
      onLearned: (state) => learned.push(state.learning ? Number.NaN : clock.now()),
    });
    return { clock, engine, learned };
  };

  test("says once that it has learnt, when it grants again", () => {
    const { clock, learned } = learning();
    clock.advance(5 * SECOND - 1);
    expect(learned).toEqual([]);
    clock.advance(600 * SECOND);
    expect(learned).toEqual([5 * SECOND]);
  });

  test.each([
    ["stops to grant", "stopGranting"],
    ["is closed", "close"],
  ] as const)("says nothing where it %s before", (_what, end) => {
    const { clock, engine, learned } = learning();
    engine[end]();
    clock.advance(600 * SECOND);
    expect(learned).toEqual([]);
  });
});

test("a start that knows every lease has nothing to learn", () => {
  const clock = createFakeClock();
  let said = 0;
  const onLearned = () => (said += 1);
  createEmbeddedEngine({ clock, store: createMemoryStore(), machine: { maxWaiters: 10 }, onLearned });
  clock.advance(600 * SECOND);
  expect(said).toBe(0);
});
