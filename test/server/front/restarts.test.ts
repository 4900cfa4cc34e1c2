import { expect, test } from "vitest";
import { createRestarts } from "../../../src/server/front/workers/restarts.ts";

const SECOND = 1_000_000;

test("a thread that fails is started anew, each time later, and not for ever", () => {
  const restarts = createRestarts();
  const pauses = [0, 1, 2, 3, 4].map((at) => restarts.failed(at * SECOND));
  expect(pauses).toEqual([100_000, 200_000, 400_000, 800_000, 1_600_000]);
  expect(restarts.failed(5 * SECOND)).toBeUndefined();
});

test("failures of more than a minute ago do not count", () => {
  const restarts = createRestarts();
  for (let i = 0; i < 100; i++) expect(restarts.failed(i * 61 * SECOND)).toBe(100_000);
});
