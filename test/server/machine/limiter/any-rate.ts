/** Any rate of the contract: from a token in 30 days to 10 million a second, in both notations, of few digits and of many. */

import fc from "fast-check";
import {
  createRate,
  MAX_PERIOD,
  MAX_TOKENS,
  type Rate,
  type StatedRate,
} from "../../../../src/server/machine/limiter/rate.ts";

const DAY = 86_400_000_000;

/** As providers write them. */
const PERIODS = [1, 1_000, 1_000_000, 60_000_000, 3_600_000_000, DAY, 30 * DAY];

const amount = fc
  .record({
    tokens: fc.oneof(...[10, 1_000, MAX_TOKENS].map((max) => fc.integer({ min: 1, max }))),
    per: fc.oneof(fc.constantFrom(...PERIODS), fc.integer({ min: 1, max: MAX_PERIOD })),
  })
  .map((it): StatedRate => ({ kind: "amount", ...it }));

const perSecond = fc
  .oneof(
    ...[1_000, 1e6, 1e9].map((max) => fc.integer({ min: 1, max }).map((milli) => milli / 1000)),
    fc.double({ min: 1 / 2_592_000, max: 10_000_000, noNaN: true }),
  )
  .map((maxRps): StatedRate => ({ kind: "per-second", maxRps }));

export const anyStatedRate: fc.Arbitrary<StatedRate> = fc
  .oneof(amount, perSecond)
  .filter((stated) => createRate(stated, 1) !== undefined);

const anyBurst: fc.Arbitrary<number> = fc.oneof(...[1, 3, 100, MAX_TOKENS].map((max) => fc.integer({ min: 1, max })));

export const anyRate: fc.Arbitrary<Rate> = fc
  .tuple(anyStatedRate, anyBurst)
  .map(([stated, burst]) => createRate(stated, burst) as Rate);
