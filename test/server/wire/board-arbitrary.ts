/** Any board that keeps the contract's rules, near the bounds and defaults more often than chance would have it. */

import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import {
  type Board,
  BoardSchema,
  StageKind,
  StageSchema,
} from "../../../src/server/gen/ggen/backpressure/v1/board_pb.ts";
import { microsToDuration } from "../../../src/server/wire/time-wire.ts";

const DAY = 86_400_000_000;

const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const often = (values: readonly number[], max: number, min = 0) =>
  fc.oneof(fc.constantFrom(...values), fc.integer({ min, max }));

/** µs. Fractions of a second are read from a file to the ns below 24 days, where a double has room for them. */
const wholeSeconds = fc.integer({ min: 1, max: 315_360_000 }).map((seconds) => seconds * 1_000_000);

const stage = fc.record({
  name: fc.stringMatching(/^[A-Za-z0-9]([A-Za-z0-9 ._-]{0,20}[A-Za-z0-9])?$/),
  isQueue: fc.boolean(),
  wipLimit: maybe(often([1, 100_000], 100_000, 1)),
  autoPull: maybe(fc.boolean()),
  limiter: fc.constantFrom("", "db"),
});

const stages = fc
  .uniqueArray(stage, { minLength: 0, maxLength: 32, selector: ({ name }) => name })
  .filter(({ length }) => length !== 1)
  .map((all) =>
    all.map(({ isQueue, autoPull, limiter, ...rest }, index) => {
      const atEnd = index === 0 || index === all.length - 1;
      const queue = atEnd || isQueue;
      return create(StageSchema, {
        ...rest,
        kind: queue ? (atEnd ? StageKind.UNSPECIFIED : StageKind.QUEUE) : StageKind.WORK,
        // Completed cards would fill the last one for ever.
        wipLimit: index === all.length - 1 ? undefined : rest.wipLimit,
        autoPull: queue && index > 0 ? autoPull : undefined,
        limiter: queue ? "" : limiter,
      });
    }),
  );

export const validBoard: fc.Arbitrary<Board> = fc
  .record({
    name: fc.stringMatching(/^[A-Za-z0-9]([A-Za-z0-9._/-]{0,20}[A-Za-z0-9])?$/),
    description: fc.string({ maxLength: 100 }),
    stages,
    maxAttempts: maybe(often([1, 5, 1_000], 1_000, 1)),
    ttl: maybe(often([0, 100_000, 10_000_000, DAY], DAY, 100_000)),
    maxCards: maybe(often([1, 1_000_000], 1_000_000, 1)),
    keepCompleted: maybe(often([0, 1_000, 1_000_000], 1_000_000)),
    keepCompletedFor: maybe(fc.oneof(often([1_000_000], 24 * DAY, 1_000_000), wholeSeconds)),
    maxPullers: maybe(often([0, 100_000], 100_000)),
  })
  .map(({ ttl, keepCompletedFor, ...rest }) =>
    create(BoardSchema, {
      ...rest,
      ttl: ttl === undefined ? undefined : microsToDuration(ttl),
      keepCompletedFor: keepCompletedFor === undefined ? undefined : microsToDuration(keepCompletedFor),
    }),
  );
