import { expect, test } from "vitest";
import type { Leak } from "../../src/client/hold/leak-guard.ts";
import { createYoungLeases } from "../../src/in-process/young-leases.ts";
import { createFakeClock } from "../support/fake-clock.ts";

const MS = 1_000;

function setUp() {
  const clock = createFakeClock();
  const watched: Leak[] = [];
  const guard = {
    watch: (_: WeakKey, leak: Leak) => void watched.push(leak),
    forget(leak: Leak) {
      watched.splice(watched.indexOf(leak), 1);
    },
  };
  const young = createYoungLeases(guard, clock);
  const observe = () => {
    const leak = { message: "", giveBack() {} };
    return young.observe({}, { leak: () => leak }, "");
  };
  return { clock, watched, young, observe };
}

test("the guard hears nothing of a lease that is released within 100 ms, and of any other then", () => {
  const { clock, watched, young, observe } = setUp();
  const quick = observe();
  observe();
  clock.advance(50 * MS);
  young.forget(quick);
  expect(watched).toHaveLength(0);
  clock.advance(50 * MS);
  expect(watched).toHaveLength(1);
});

test("the guard forgets a lease that is released later", () => {
  const { clock, watched, young, observe } = setUp();
  const slow = observe();
  observe();
  clock.advance(100 * MS);
  expect(watched).toHaveLength(2);
  young.forget(slow);
  expect(watched).toHaveLength(1);
});

test("of more than a thousand at once the oldest grow up early, and each is watched once", () => {
  const { clock, watched, observe } = setUp();
  for (let i = 0; i < 1_001; i++) observe();
  expect(watched).toHaveLength(1_000);
  clock.advance(100 * MS);
  expect(watched).toHaveLength(1_001);
  clock.advance(1_000 * MS);
  expect(watched).toHaveLength(1_001);
});

test("there is a timer only while there is a lease that it is for", () => {
  const { clock, observe } = setUp();
  observe();
  clock.advance(100 * MS);
  observe();
  clock.advance(99 * MS);
  expect(clock.scheduled).toBe(1);
  clock.advance(1 * MS);
  expect(clock.scheduled).toBe(0);
});
