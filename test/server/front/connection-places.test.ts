import { expect, test } from "vitest";
import {
  createConnectionPlaces,
  createPlaceMemory,
  createSharedPlaces,
  giveBackPlaces,
} from "../../../src/server/transport/port/connection-places.ts";

test("a port has as many places as it may have connections", () => {
  const places = createConnectionPlaces(2);
  expect([places.take(), places.take(), places.take()]).toEqual([true, true, false]);
  places.leave();
  expect([places.take(), places.take()]).toEqual([true, false]);
});

test("threads that share a port share its places", () => {
  const memory = createPlaceMemory(2);
  const [first, second] = [0, 1].map((own) => createSharedPlaces(3, memory, own));
  expect([first?.take(), second?.take(), second?.take(), first?.take(), second?.take()]).toEqual([
    true,
    true,
    true,
    false,
    false,
  ]);
  second?.leave();
  expect([first?.take(), second?.take()]).toEqual([true, false]);
  expect([...memory.counts]).toEqual([2, 1]);
});

test("the places of a thread that hangs are given back once, though it comes back and leaves them itself", () => {
  const memory = createPlaceMemory(2);
  const [hanging, other] = [0, 1].map((own) => createSharedPlaces(3, memory, own));
  expect([hanging?.take(), hanging?.take(), other?.take()]).toEqual([true, true, true]);
  expect(giveBackPlaces(memory, 0)).toBe(2);
  const next = createSharedPlaces(3, memory, 0);
  expect([next.take(), next.take(), next.take()]).toEqual([true, true, false]);
  hanging?.leave();
  hanging?.leave();
  expect([next.open, next.take()]).toEqual([3, false]);
});
