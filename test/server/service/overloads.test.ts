import { expect, test } from "vitest";
import { refusal } from "../../../src/server/machine/reasons.ts";
import { createOverloads } from "../../../src/server/service/overloads.ts";
import { refusalError, tooManyStreams } from "../../../src/server/wire/error-wire.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { createMemoryLog } from "../transport/support/memory-log.ts";

const MINUTE = 60_000_000;

test("bounds that make the server refuse are told once a minute, with how often each did", () => {
  const [clock, log] = [createFakeClock(), createMemoryLog()];
  const { refused } = createOverloads(clock, log);
  const full = refusalError(refusal("QUEUE_FULL", { limiter: "db" }));
  refused(full);
  for (let at = 0; at < 5; at += 1) refused(full);
  refused(tooManyStreams(1_000));
  clock.advance(MINUTE - 1);
  refused(full);
  expect(log.lines.map(({ level, fields }) => [level, fields])).toEqual([
    ["warn", { event: "overload", refused: { QUEUE_FULL: 1 } }],
  ]);
  clock.advance(1);
  refused(full);
  expect(log.lines[1]?.fields).toEqual({ event: "overload", refused: { QUEUE_FULL: 7, TOO_MANY_STREAMS: 1 } });
});

test("what a limiter refuses by its rate or its permits is its task, and no overload", () => {
  const log = createMemoryLog();
  const { refused } = createOverloads(createFakeClock(), log);
  for (const reason of ["RATE_EXHAUSTED", "CONCURRENCY_EXHAUSTED", "LIMITER_NOT_FOUND", "WAIT_TIMEOUT"] as const) {
    refused(refusalError(refusal(reason, { limiter: "db" })));
  }
  expect(log.lines).toEqual([]);
});
