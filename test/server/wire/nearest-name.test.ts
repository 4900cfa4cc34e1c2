import { expect, it } from "vitest";
import { nearestName } from "../../../src/server/wire/nearest-name.ts";

const NAMES = ["name", "max_rps", "max_wait", "max_waiters", "ttl", "keyed"];

it.each([
  ["max-rps", "max_rps"],
  ["MAXRPS", "max_rps"],
  ["max_rsp", "max_rps"],
  ["maxWaits", "max_wait"],
  ["max_waitres", "max_waiters"],
  ["nmae", "name"],
  ["tll", "ttl"],
  ["tt", "ttl"],
  ["key", undefined],
  ["quota", undefined],
  ["", undefined],
  ["x".repeat(100_000), undefined],
])("the name nearest to %s is %s", (given, meant) => {
  expect(nearestName(given, NAMES)).toBe(meant);
});
