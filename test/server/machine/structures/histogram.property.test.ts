import fc from "fast-check";
import { expect, test } from "vitest";
import { boundsInSeconds, Histogram } from "../../../../src/server/machine/structures/histogram.ts";

const BOUNDS = boundsInSeconds(0.001, 0.01, 1, 60);
const durations = fc.array(
  fc.oneof(fc.integer({ min: 0, max: 100_000_000 }), fc.constantFrom(...BOUNDS, ...BOUNDS.map((bound) => bound + 1))),
);

function recorded(micros: readonly number[]): Histogram {
  const histogram = new Histogram(BOUNDS);
  for (const one of micros) histogram.record(one);
  return histogram;
}

test("each duration is counted in the first bucket whose bound it does not exceed", () => {
  fc.assert(
    fc.property(durations, (micros) => {
      const edges = [-1, ...BOUNDS, Number.POSITIVE_INFINITY];
      const expected = edges.slice(1).map((to, index) => {
        return micros.filter((one) => one > (edges[index] as number) && one <= to).length;
      });
      const { counts, sum } = recorded(micros);
      expect(counts).toEqual(expected);
      expect(sum).toBe(micros.reduce((a, b) => a + b, 0));
    }),
  );
});

test("added up they count what one would have that had recorded all", () => {
  fc.assert(
    fc.property(durations, durations, (some, others) => {
      const sum = recorded(some);
      sum.add(recorded(others).copy());
      expect(sum.copy()).toEqual(recorded([...some, ...others]).copy());
    }),
  );
});

test("a copy does not go on counting", () => {
  const histogram = recorded([1]);
  const copy = histogram.copy();
  histogram.record(1);
  expect(copy).toMatchObject({ counts: [1, 0, 0, 0, 0], sum: 1 });
});
