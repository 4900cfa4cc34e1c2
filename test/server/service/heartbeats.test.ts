/** One timer calls back any number of streams, and looks at those only that are due. */

import { expect, onTestFinished, test } from "vitest";
import { createHeartbeats, type Heart } from "../../../src/server/service/heartbeats.ts";
import { createFakeClock } from "../../support/fake-clock.ts";

const INTERVAL = 10_000_000;

/** Counts the entries of maps that are looked at from here on. */
function countLooks(): () => number {
  const iterator = Object.getPrototypeOf(new Map()[Symbol.iterator]()) as { next: () => unknown };
  const { next } = iterator;
  let looks = 0;
  iterator.next = function count(this: unknown) {
    looks += 1;
    return next.call(this);
  };
  onTestFinished(() => {
    iterator.next = next;
  });
  return () => looks;
}

test("each stream is called back an interval after the last that was said of it", () => {
  const clock = createFakeClock();
  const hearts = createHeartbeats(clock, () => INTERVAL);
  const beats: string[] = [];
  const busy = hearts.add(() => beats.push("busy"));
  hearts.add(() => beats.push("silent"));
  clock.advance(INTERVAL - 1);
  busy.touch();
  clock.advance(INTERVAL / 10 + 1);
  expect(beats).toEqual(["silent"]);
  clock.advance(INTERVAL);
  expect(beats).toEqual(["silent", "busy"]);
});

test("a stream that ends by the beat of another is not called back", () => {
  const clock = createFakeClock();
  const hearts = createHeartbeats(clock, () => INTERVAL);
  const beats: string[] = [];
  let second: Heart | undefined;
  hearts.add(() => {
    beats.push("first");
    second?.stop();
  });
  second = hearts.add(() => beats.push("second"));
  clock.advance(2 * INTERVAL);
  expect(beats).toEqual(["first"]);
});

test("a beat looks at no more streams than are due, however many are open", () => {
  const clock = createFakeClock();
  const hearts = createHeartbeats(clock, () => INTERVAL);
  const OPEN = 10_000;
  let beats = 0;
  for (let i = 0; i < OPEN; i += 1) {
    hearts.add(() => {
      beats += 1;
    });
    clock.advance(INTERVAL / OPEN);
  }
  const looks = countLooks();
  clock.advance(INTERVAL);
  // A timer may be late by a tenth of the interval: then a thousand are due at once.
  expect(beats).toBeGreaterThanOrEqual(0.9 * OPEN);
  expect(looks()).toBeLessThan(2 * OPEN);
});
