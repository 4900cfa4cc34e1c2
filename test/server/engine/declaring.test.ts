/** A file of thousands of limiters is taken up in slices, and no caller ever sees less of it than both files have. */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { createDeclaring, DECLARED_AT_ONCE, type Declaration } from "../../../src/server/engine/embedded/declaring.ts";
import { createEmbeddedEngine } from "../../../src/server/engine/embedded/embedded-engine.ts";
import { assertMachine } from "../../../src/server/machine/limiter/invariants.ts";
import type { LimiterConfig } from "../../../src/server/machine/limiter/limiter.ts";
import { createMachine, type State } from "../../../src/server/machine/limiter/machine.ts";
import { createMemoryStore } from "../../../src/server/store/memory-store.ts";
import type { Store } from "../../../src/server/store/store.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { limiterOf } from "../../support/limiter-config.ts";

const COUNT = 2_000;

/** Half of each file's limiters are in the other, and of those half have changed. */
const before = Array.from({ length: COUNT }, (_, i) => limiterOf({ name: `l${i}`, maxConcurrent: 1 }));
const after = Array.from({ length: COUNT }, (_, i) =>
  limiterOf({ name: `l${i + COUNT / 2}`, maxConcurrent: 1 + (i % 2) }),
);
const inBoth = before.slice(COUNT / 2).map(({ name }) => name);

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

function setUp({ onKept = async () => {} } = {}) {
  const clock = createFakeClock();
  /** Changes of each step that had some. */
  const steps: number[] = [];
  let state: State | undefined;
  let look = (_state: State) => {};
  const store: Store = {
    ...createMemoryStore(),
    keep(changes) {
      steps.push(changes.length);
      return onKept();
    },
  };
  const engine = createEmbeddedEngine({
    clock,
    store,
    machine: { maxWaiters: 10 },
    inspect(now) {
      state = now;
      look(now);
    },
  });
  /** Lets turns pass until it is done. */
  async function finish(declaration: Promise<Declaration>): Promise<Declaration> {
    let done = false;
    void declaration.then(() => {
      done = true;
    });
    while (!done) {
      await turn();
      clock.advance(0);
    }
    return declaration;
  }
  return {
    engine,
    steps,
    clock,
    finish,
    get limiters() {
      return (state as State).limiters;
    },
    lookWith(with_: (state: State) => void) {
      look = with_;
    },
  };
}

const byName = (one: LimiterConfig, other: LimiterConfig) => (one.name < other.name ? -1 : 1);
const declarations = (limiters: State["limiters"]) =>
  [...limiters.values()].flatMap(({ declaration }) => (declaration === undefined ? [] : [declaration]));

describe("a file of 2,000 limiters that takes the place of another", () => {
  test("is taken up in steps of a hundred at most, whole, and what is in both files is there all the time", async () => {
    const scene = setUp();
    const { engine, steps, finish } = scene;
    await finish(engine.declareAtOnce(before, () => {}));
    // The control: this is what one step comes to.
    expect(steps).toEqual([COUNT]);
    steps.length = 0;
    let looks = 0;
    scene.lookWith((state) => {
      looks += 1;
      assertMachine(state);
      for (const name of inBoth) expect(state.limiters.get(name)?.deleting).toBe(false);
      // Deletions last.
      if (state.limiters.size < COUNT) throw new Error("some of the old file went before all of the new one was there");
      const old = [...state.limiters.keys()].filter((name) => Number(name.slice(1)) < COUNT / 2).length;
      if (old < COUNT / 2) expect(declarations(state.limiters).slice(-COUNT)).toHaveLength(COUNT);
    });
    let decided = 0;
    const outcome = await finish(
      engine.declare(after, () => {
        decided += 1;
      }),
    );
    expect(outcome).toMatchObject({ applied: COUNT, whole: true, refused: [] });
    expect([outcome.created.length, outcome.changed.length, outcome.deleted.length]).toEqual([
      COUNT / 2,
      COUNT / 4,
      COUNT / 2,
    ]);
    expect(declarations(scene.limiters).toSorted(byName)).toEqual(after.toSorted(byName));
    expect(scene.limiters.size).toBe(COUNT);
    expect(decided).toBe(1);
    // A limiter that goes takes its bucket along.
    expect(Math.max(...steps)).toBeLessThanOrEqual(2 * DECLARED_AT_ONCE);
    expect(looks).toBe((COUNT + COUNT / 2) / DECLARED_AT_ONCE);
  });

  test("has each slice kept before the next is decided", async () => {
    const waiting: (() => void)[] = [];
    const { engine, steps, clock } = setUp({ onKept: () => new Promise((resolve) => waiting.push(resolve)) });
    void engine.declare(before, () => {});
    for (let slices = 1; slices < 4; slices++) {
      for (let i = 0; i < 3; i++) {
        await turn();
        clock.advance(0);
      }
      expect(steps).toHaveLength(slices);
      waiting.shift()?.();
    }
  });

  test("says how far it came when the engine is closed meanwhile, and what is there is whole limiters", async () => {
    const scene = setUp();
    const { engine, steps, finish } = scene;
    await finish(engine.declareAtOnce(before, () => {}));
    const begun = steps.length;
    const declaration = engine.declare(after, () => {
      throw new Error("not all of it is decided");
    });
    scene.lookWith(() => {
      if (steps.length === begun + 3) void engine.close();
    });
    const { applied, whole, deleted } = await finish(declaration);
    expect([whole, deleted]).toEqual([false, []]);
    expect(applied).toBeGreaterThan(0);
    expect(applied).toBeLessThan(COUNT);
    const said = ({ name, maxConcurrent }: LimiterConfig) => `${name} ${maxConcurrent}`;
    const files = new Set([...before, ...after.slice(0, applied + DECLARED_AT_ONCE)].map(said));
    for (const { config } of scene.limiters.values()) expect(files).toContain(said(config));
    for (const { name } of [...before, ...after.slice(0, applied)]) expect(scene.limiters.has(name)).toBe(true);
  });
});

test("nothing is left of a step once it is kept", async () => {
  const clock = createFakeClock();
  const outcomes: WeakRef<object>[] = [];
  const { state } = createMachine({ maxWaiters: 10 });
  const { declare, close } = createDeclaring({
    clock,
    state,
    run({ configs }, answer) {
      const created = configs.map(({ name }) => name);
      outcomes.push(new WeakRef(created));
      answer({ kind: "declared", created, changed: [], deleted: [], refused: [] });
    },
  });
  let whole: boolean | undefined;
  void declare(before, () => {}).then((declaration) => {
    whole = declaration.whole;
  });
  while (whole === undefined) {
    await turn();
    clock.advance(0);
  }
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  collect();
  await turn();
  collect();
  expect(outcomes).toHaveLength(COUNT / DECLARED_AT_ONCE);
  expect(outcomes.filter((outcome) => outcome.deref() !== undefined)).toEqual([]);
  // Until here it could have been closed.
  close();
});

test("a small file is in force before the call returns", () => {
  const scene = setUp();
  let decided = false;
  void scene.engine.declare([limiterOf({ name: "a", maxConcurrent: 1 })], () => {
    decided = true;
  });
  expect([[...scene.limiters.keys()], decided]).toEqual([["a"], true]);
});
