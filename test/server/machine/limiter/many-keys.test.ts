/**
 * Changes of a limiter with many keys: no step goes through all of them, and each key is as if it had changed at the instant
 * of the change.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Change } from "../../../../src/server/machine/limiter/command.ts";
import { caughtUp } from "../../../../src/server/machine/limiter/earlier-rates.ts";
import { assertMachine } from "../../../../src/server/machine/limiter/invariants.ts";
import type { LimiterConfig } from "../../../../src/server/machine/limiter/limiter.ts";
import { createMachine, type Machine } from "../../../../src/server/machine/limiter/machine.ts";
import type { Rate } from "../../../../src/server/machine/limiter/rate.ts";
import { levelOf, refill } from "../../../../src/server/machine/limiter/token-bucket.ts";
import { amountOf, limiterOf, rateOf } from "../../../support/limiter-config.ts";
import { createKeptRows, type KeptRows } from "../../store/support/kept-rows.ts";
import { claimOn, MINUTE, SECOND } from "../builders.ts";

const KEYS = 5_000;
/** What one step may go through: a sixteenth of that at once, and so many later. */
const AT_MOST = 32 * 16;

const EPOCH = 1e15;

const keyed = (rate: Rate | undefined, about: Partial<LimiterConfig> = {}) =>
  limiterOf({ name: "api", keyed: true, maxKeys: 10 * KEYS, rate, ...about });

function createLife({ keysAtOnce, rows }: { readonly keysAtOnce?: number; readonly rows?: KeptRows } = {}) {
  const machine = createMachine({ maxWaiters: 10, ...(keysAtOnce === undefined ? {} : { keysAtOnce }) });
  let now = 0;
  let serial = 0;
  const steps: (readonly Change[])[] = [];
  const step: Machine["step"] = (command, at) => {
    const taken = machine.step(command, at);
    steps.push(taken.changes);
    rows?.keep(taken.changes, { epoch: EPOCH, ranBefore: 0 });
    return taken;
  };
  const life = {
    machine,
    /** What each step has changed. */
    steps,
    get now() {
      return now;
    },
    pass(micros: number) {
      now += micros;
    },
    ask(key: string, tokens = 1, limiter = "api") {
      serial += 1;
      const claims = [claimOn(limiter, { key, tokens, permits: 1 })];
      const common = { id: `${serial}`, claims, holder: "h", ttl: undefined, requestId: "", session: undefined };
      return step({ kind: "try-acquire", ...common }, now).outcome;
    },
    create: (config: LimiterConfig) => step({ kind: "create-limiter", config }, now),
    update: (config: LimiterConfig) => step({ kind: "update-limiter", config, revision: undefined }, now),
    delete: () => step({ kind: "delete-limiter", name: "api", revision: undefined, force: false }, now).outcome,
    wake: () => step({ kind: "wake" }, now),
    /** Wakes it as it asks to be woken, until there is nothing left to do at once. */
    doChores() {
      while (machine.state.chores.left.length > 0) {
        now += 1;
        step({ kind: "wake" }, now);
      }
    },
    level(key: string) {
      const instance = machine.state.limiters.get("api")?.instances.get(key);
      const rate = instance?.limiter.config.rate;
      if (instance === undefined || rate === undefined) return undefined;
      const bucket = { ...caughtUp(instance) };
      refill(bucket, rate, now);
      return levelOf(bucket, rate);
    },
    largestStep: () => Math.max(...steps.map((changes) => changes.length)),
  };
  return life;
}

/** Each of many keys has spent what there was. */
function spend(life: ReturnType<typeof createLife>, tokens = 10): void {
  for (let i = 0; i < KEYS; i++) life.ask(`k${i}`, tokens);
  life.steps.length = 0;
}

describe("a limiter with 5,000 keys", () => {
  const slow = amountOf(1, MINUTE, 10);
  const slower = amountOf(1, 10 * MINUTE, 10);

  it("changes its rate in steps of 512 keys, and the control goes through all of them in one", () => {
    for (const [keysAtOnce, isBounded] of [
      [undefined, true],
      [KEYS, false],
    ] as const) {
      const life = createLife(keysAtOnce === undefined ? {} : { keysAtOnce });
      life.create(keyed(slow));
      spend(life);
      life.update(keyed(slower));
      life.doChores();
      expect(life.largestStep() <= AT_MOST + 1).toBe(isBounded);
      // Every bucket is kept under the new rate, and no rate of before is remembered.
      expect(life.steps.flat().filter(({ kind }) => kind === "tokens-spent")).toHaveLength(KEYS);
      expect(life.machine.state.limiters.get("api")?.earlierRates).toEqual([]);
      assertMachine(life.machine.state);
    }
  });

  it("is deleted, and its name made again, in such steps, and its keys begin full", () => {
    const life = createLife();
    life.create(keyed(slow));
    spend(life);
    life.update(keyed(slower));
    expect(life.delete()).toMatchObject({ kind: "limiter-deleted", drainingLeases: 0 });
    expect(life.machine.state.limiters.has("api")).toBe(false);
    life.create(keyed(slow));
    expect(life.ask("k7", 10)).toMatchObject({ kind: "granted" });
    life.doChores();
    expect(life.largestStep()).toBeLessThanOrEqual(AT_MOST + 1);
    const dropped = life.steps.flat().flatMap((change) => (change.kind === "bucket-dropped" ? [change.key] : []));
    // All but the one that belongs to another limiter by now, whose record is its own.
    expect([new Set(dropped).size, dropped.includes("k7")]).toEqual([KEYS - 1, false]);
    expect(life.level("k7")).toBeCloseTo(0, 5);
    assertMachine(life.machine.state);
  });

  it("has its permits changed without looking at keys, and refuses only waiters that could wait for ever", () => {
    const life = createLife();
    life.create(keyed(undefined, { maxConcurrent: 5 }));
    for (let i = 0; i < KEYS; i++) life.ask(`k${i}`);
    const { instances, queued } = life.machine.state.limiters.get("api") as NonNullable<
      ReturnType<typeof life.machine.state.limiters.get>
    >;
    const walk = instances.values.bind(instances);
    let walked = 0;
    instances.values = () => {
      walked += 1;
      return walk();
    };
    life.update(keyed(undefined, { maxConcurrent: 3 }));
    expect([walked, queued.size]).toEqual([0, 0]);
  });

  it("forgets no key before it is full under a rate that has become slower", () => {
    const life = createLife();
    life.create(keyed(slow));
    spend(life);
    life.update(keyed(slower));
    // Under the old rate all are full by then; the keys have yet to catch up.
    life.pass(10 * MINUTE + 2 * SECOND);
    life.wake();
    life.doChores();
    expect(life.machine.state.limiters.get("api")?.instances.size).toBe(KEYS);
    expect(life.level("k0")).toBeCloseTo(1, 1);
    life.pass(90 * MINUTE + 2 * SECOND);
    for (let i = 0; i < 20; i++) {
      life.pass(2 * SECOND);
      life.wake();
    }
    expect(life.machine.state.limiters.get("api")?.instances.size).toBe(0);
  });

  it("finds room for a new key among those that a smaller burst has filled, at the latest when they have caught up", () => {
    const life = createLife();
    life.create(keyed(slow, { maxKeys: KEYS }));
    spend(life, 7);
    // The control: none is full.
    expect(life.ask("new")).toMatchObject({ reason: "KEYS_EXHAUSTED", retryAfter: 7 * MINUTE });
    life.update(keyed(amountOf(1, MINUTE, 2), { maxKeys: KEYS }));
    expect(life.ask("new")).toMatchObject({ reason: "KEYS_EXHAUSTED", retryAfter: 100_000 });
    life.pass(100_000);
    expect(life.ask("new")).toMatchObject({ kind: "granted" });
    life.doChores();
    assertMachine(life.machine.state);
  });
});

describe("a key", () => {
  const rates = fc.constantFrom(
    undefined,
    amountOf(1, SECOND, 3),
    amountOf(7, SECOND, 5),
    rateOf(333.333, 4),
    amountOf(1, MINUTE, 2),
  );
  const acts = fc.array(
    fc.oneof(
      fc.record({ what: fc.constant("change" as const), rate: rates }),
      fc.record({
        what: fc.constant("ask" as const),
        key: fc.constantFrom("a", "b", "c", "d"),
        tokens: fc.integer({ min: 1, max: 3 }),
      }),
      fc.record({ what: fc.constant("pass" as const), micros: fc.constantFrom(1, 2, 1_000, 400_000, SECOND, MINUTE) }),
      fc.record({ what: fc.constant("wake" as const) }),
    ),
    { maxLength: 40 },
  );

  it("that catches up late has, at each use, what it would have had if it had changed at once", () => {
    fc.assert(
      fc.property(acts, (script) => {
        const [late, atOnce] = [createLife({ keysAtOnce: 0 }), createLife({ keysAtOnce: 100 })];
        // No key is forgotten, so that a rate which is raised finds the same keys.
        for (const life of [late, atOnce]) life.create(keyed(amountOf(1, MINUTE, 2)));
        for (const act of script) {
          const answers = [late, atOnce].map((life) => {
            if (act.what === "pass") return life.pass(act.micros);
            if (act.what === "wake") return life.wake() && undefined;
            if (act.what === "change") return life.update(keyed(act.rate)) && undefined;
            const { kind } = life.ask(act.key, act.tokens);
            return kind;
          });
          expect(answers[0]).toEqual(answers[1]);
          for (const life of [late, atOnce]) assertMachine(life.machine.state);
          for (const key of ["a", "b", "c", "d"]) {
            const [one, other] = [late.level(key), atOnce.level(key)];
            // One of them may have forgotten a key that was full before the rate was raised.
            if (one !== undefined && other !== undefined) expect(one).toBe(other);
          }
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("a crash while the keys catch up", () => {
  it("leaves each key with what it had, under the rates that it has been through", () => {
    const rows = createKeptRows();
    const first = createLife({ rows });
    first.create(keyed(amountOf(1, SECOND, 100)));
    for (let i = 0; i < KEYS; i++) first.ask(`k${i}`, 100);
    first.pass(10 * SECOND);
    first.update(keyed(amountOf(1, MINUTE, 100)));
    first.pass(MINUTE);
    first.update(keyed(amountOf(2, MINUTE, 50)));
    first.pass(1);
    // Two slices of ten: the others are kept as they were two rates ago.
    for (let i = 0; i < 2; i++) {
      first.wake();
      first.pass(1);
    }
    const levels = Array.from({ length: KEYS }, (_, i) => first.level(`k${i}`) as number);
    expect(new Set(levels.map((level) => Math.floor(level)))).toEqual(new Set([11]));

    const found = rows.find(EPOCH, 0);
    const again = createLife();
    const forgotten = again.machine.restore(found.limiters, 0);
    expect(forgotten).toEqual([]);
    assertMachine(again.machine.state);
    for (const [i, level] of levels.entries()) {
      const now = again.level(`k${i}`) as number;
      expect(now).toBeLessThanOrEqual(level);
      expect(now).toBeGreaterThan(level - 0.001);
    }
    // The rest of the work is done as before, and then no record says an earlier rate.
    again.doChores();
    expect(again.largestStep()).toBeLessThanOrEqual(AT_MOST + 1);
    expect(again.machine.state.limiters.get("api")?.earlierRates).toEqual([]);
  });

  it("finds a bucket that was taken from in the very step in which its rate changed as it was under the new rate", () => {
    const rows = createKeptRows();
    const machine = createMachine({ maxWaiters: 10, keysAtOnce: 0 });
    const config = keyed(amountOf(1, SECOND, 4));
    const claims = [claimOn("api", { key: "a", tokens: 2 })];
    const kept = [
      machine.step({ kind: "create-limiter", config }, 0),
      machine.step(
        { kind: "try-acquire", id: "1", claims, holder: "h", ttl: undefined, requestId: "", session: undefined },
        0,
      ),
      machine.step({ kind: "update-limiter", config: keyed(amountOf(1, SECOND, 1)), revision: undefined }, 0),
    ].flatMap(({ changes }) => changes);
    // As an engine keeps several commands that it was asked for at once.
    rows.keep(kept, { epoch: EPOCH, ranBefore: 0 });
    const [bucket] = rows.find(EPOCH, 0).limiters.buckets;
    expect(bucket).toMatchObject({ tokens: 1, parts: 0, rate: [1, SECOND, 1] });
  });

  it("after its limiter was deleted and made again leaves the new one's keys full", () => {
    const rows = createKeptRows();
    const first = createLife({ rows });
    const config = keyed(amountOf(1, MINUTE, 10));
    first.create(config);
    for (let i = 0; i < KEYS; i++) first.ask(`k${i}`, 10);
    first.delete();
    first.pass(1);
    first.create(config);
    first.ask("k3", 4);
    expect(rows.names("bucket").length).toBeGreaterThan(KEYS / 2);
    const again = createLife();
    const forgotten = again.machine.restore(rows.find(EPOCH, 0).limiters, 0);
    expect(forgotten.length).toBeGreaterThan(KEYS / 2);
    expect([again.ask("k4", 10), again.ask("k3", 7)]).toMatchObject([
      { kind: "granted" },
      { reason: "RATE_EXHAUSTED" },
    ]);
  });
});
