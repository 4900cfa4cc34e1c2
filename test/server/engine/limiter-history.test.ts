import { expect, test } from "vitest";
import { createLimiterHistory } from "../../../src/server/engine/embedded/limiter-history.ts";
import { createMachine } from "../../../src/server/machine/limiter/machine.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { limiterOf } from "../../support/limiter-config.ts";

const SECOND = 1_000_000;
const INTERVAL = 15 * SECOND;
const HOUR = 3_600 * SECOND;

/** A machine with limiters of these names, and their history. */
function setUp(names: readonly string[], { maxLimiters = 10 } = {}) {
  const clock = createFakeClock();
  const machine = createMachine({ maxWaiters: 100 });
  const { state } = machine;
  let ids = 0;
  const step = (command: Parameters<typeof machine.step>[0]) => machine.step(command, clock.now());
  const create = (name: string) => step({ kind: "create-limiter", config: limiterOf({ name, maxConcurrent: 2 }) });
  for (const name of names) create(name);
  const history = createLimiterHistory({ clock, state, maxLimiters, settle: () => step({ kind: "wake" }) });
  return {
    clock,
    create,
    remove: (name: string) => step({ kind: "delete-limiter", name, revision: undefined, force: true }),
    /** Takes a permit; returns its lease. */
    take(limiter: string): string {
      ids += 1;
      const claims = [{ limiter, key: "", permits: 1, tokens: 1, slots: false }];
      step({
        kind: "try-acquire",
        id: String(ids),
        claims,
        holder: "",
        ttl: HOUR * 20,
        requestId: "",
        session: undefined,
      });
      return String(ids);
    },
    giveBack: (leaseId: string) => step({ kind: "release", leaseId, workOutcome: "success", session: undefined }),
    /** Of each sample, `permitsInUse`. */
    inUse(name: string, from = 0): number[] {
      const limiter = state.limiters.get(name);
      if (limiter === undefined) throw new Error(`there is no ${name}`);
      return history.samples(limiter, from).map(({ permitsInUse }) => permitsInUse);
    },
    samples: (name: string) => history.samples(state.limiters.get(name) as never, 0),
    close: () => history.close(),
  };
}

test("an hour is kept, a sample every 15 s, and what is older is overwritten", () => {
  const { clock, take, giveBack, inUse } = setUp(["a"]);
  const lease = take("a");
  clock.advance(INTERVAL);
  expect(inUse("a")).toEqual([1]);
  giveBack(lease);
  clock.advance(INTERVAL);
  expect(inUse("a")).toEqual([1, 0]);
  clock.advance(HOUR - 2 * INTERVAL);
  expect(inUse("a")).toEqual([1, ...Array.from({ length: 239 }, () => 0)]);
  take("a");
  clock.advance(INTERVAL);
  expect(inUse("a")).toEqual([...Array.from({ length: 239 }, () => 0), 1]);
});

test("rates are means over their interval, and the limit is that of a limiter that was idle, too", () => {
  const { clock, take, samples } = setUp(["a"]);
  clock.advance(INTERVAL);
  take("a");
  take("a");
  take("a");
  clock.advance(INTERVAL);
  const idle = { permitsLimit: 2, waiters: 0, oldestWait: undefined, span: INTERVAL, completionRate: 0 };
  expect(samples("a")).toEqual([
    expect.objectContaining({ ...idle, permitsInUse: 0, arrivalRate: 0, admissionRate: 0, refusalRate: 0 }),
    expect.objectContaining({
      ...idle,
      permitsInUse: 2,
      arrivalRate: expect.closeTo(3 / 15),
      admissionRate: expect.closeTo(2 / 15),
      refusalRate: expect.closeTo(1 / 15),
    }),
  ]);
});

test("a limiter has no samples from before it was made, nor those of one that had its name", () => {
  const { clock, create, remove, take, inUse } = setUp(["a"]);
  take("a");
  clock.advance(2 * INTERVAL);
  remove("a");
  clock.advance(1);
  create("a");
  expect(inUse("a")).toEqual([]);
  clock.advance(INTERVAL);
  expect(inUse("a")).toEqual([0]);
});

test("limiters without traffic take no ring; with all rings taken another has no history, until one is free", () => {
  const { clock, take, giveBack, inUse } = setUp(["a", "b", "idle"], { maxLimiters: 1 });
  giveBack(take("a"));
  take("a");
  clock.advance(INTERVAL);
  take("b");
  clock.advance(INTERVAL);
  expect(inUse("a")).toEqual([1, 1]);
  expect(inUse("idle")).toEqual([0, 0]);
  expect(inUse("b")).toEqual([]);
});

test("a ring is free again an hour after its limiter had traffic last, or with its limiter", () => {
  const { clock, take, giveBack, inUse, remove } = setUp(["a", "b", "c"], { maxLimiters: 1 });
  giveBack(take("a"));
  clock.advance(INTERVAL);
  clock.advance(HOUR);
  take("b");
  clock.advance(INTERVAL);
  expect(inUse("b")).toEqual([...Array.from({ length: 239 }, () => 0), 1]);
  remove("b");
  take("c");
  clock.advance(INTERVAL);
  expect(inUse("c")).toEqual([...Array.from({ length: 239 }, () => 0), 1]);
});

test("nothing is scheduled any more when it is closed", () => {
  const { clock, close } = setUp(["a"]);
  expect(clock.scheduled).toBe(1);
  close();
  expect(clock.scheduled).toBe(0);
});
