import { expect, test } from "vitest";
import { createConnectionPlaces, createSharedPlaces } from "../../../src/server/transport/port/connection-places.ts";

test("a port has as many places as it may have connections", () => {
  const places = createConnectionPlaces(2);
  expect([places.take(), places.take(), places.take()]).toEqual([true, true, false]);
  places.leave();
  expect([places.take(), places.take()]).toEqual([true, false]);
});

test("threads that share a port share its places", () => {
  const counts = new Int32Array(new SharedArrayBuffer(8));
  const [first, second] = [0, 1].map((own) => createSharedPlaces(3, { counts, own }));
  expect([first?.take(), second?.take(), second?.take(), first?.take(), second?.take()]).toEqual([
    true,
    true,
    true,
    false,
    false,
  ]);
  second?.leave();
  expect([first?.take(), second?.take()]).toEqual([true, false]);
  expect([...counts]).toEqual([2, 1]);
});
