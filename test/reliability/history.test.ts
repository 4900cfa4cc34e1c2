/** What sixteen clients have seen of a real server can have come about only if it keeps its promises. */

import { afterAll, describe, expect, test } from "vitest";
import { createGrpcClient } from "../support/grpc-client.ts";
import { untilStatus } from "../support/look.ts";
import { BUGS } from "./support/history/bugs.ts";
import { checkHistory, type Rule } from "./support/history/check-history.ts";
import type { Count } from "./support/history/counter.ts";
import { INSTANCES, LIMITERS, nameOf } from "./support/history/limiters.ts";
import { startWorld } from "./support/history/world.ts";
import { openRecord } from "./support/record.ts";
import { inTier, seedOf } from "./support/tier.ts";

const record = openRecord("history");
const CALLS = inTier({ C: 200_000, N: 5_000_000 });
/** What is kept in memory at a time. */
const CALLS_A_ROUND = inTier({ C: 40_000, N: 250_000 });
/** s after which no more rounds are begun: a machine may be slow, and the count is recorded. */
const PATIENCE = inTier({ C: 120, N: 5_000 });
const CLIENTS = { processes: 16, workers: 8 };
const CONTROL_ROUNDS = 8;
const FEW_CLIENTS = { processes: 2, workers: 24, calls: 4_000 };

/** Instances of which more were counted at work than they have permits. */
function overcrowded(counts: readonly Count[]): readonly string[] {
  return INSTANCES.flatMap(({ limiter, key }, index) => {
    const { most } = counts[index] as Count;
    const { name, maxConcurrent = Number.POSITIVE_INFINITY } = limiter;
    return most > maxConcurrent ? [`${nameOf(name, key)}: ${most} of ${maxConcurrent}`] : [];
  });
}

test(`up to ${CALLS} calls of ${CLIENTS.processes} processes: permits, slots, tokens, order, rate, one lease an id`, {
  timeout: inTier({ C: 900_000, N: 90 * 60_000 }),
  retry: 0,
}, async () => {
  const seed = seedOf("history");
  await using world = await startWorld();
  const floors = new Map<string, number>();
  let [calls, attempts, grants] = [0, 0, 0];
  let counts: readonly Count[] = [];
  const begun = performance.now();
  const passed = () => (performance.now() - begun) / 1000;
  for (let round = 0; calls < CALLS && passed() < PATIENCE; round += 1) {
    const run = await world.run({
      ...CLIENTS,
      seed: seed + 1_000 * round,
      calls: Math.min(CALLS_A_ROUND, CALLS - calls),
    });
    expect(checkHistory(run.lines, LIMITERS, floors).slice(0, 20), `RELIABILITY_SEED=${seed}`).toEqual([]);
    calls += run.calls;
    counts = run.counts;
    for (const line of run.lines) {
      attempts += 1;
      if (line.kind === "attempt" && line.outcome.kind === "granted") grants += 1;
    }
  }

  record({ figure: "calls", value: calls, unit: "calls", seed });
  record({ figure: "requests, asked again or not", value: attempts, unit: "requests" });
  record({ figure: "of which were granted", value: grants, unit: "requests" });
  record({
    figure: "holds counted in and out",
    value: counts.reduce((sum, { holds }) => sum + holds, 0),
    unit: "holds",
  });
  record({ figure: "calls a second", value: calls / passed(), unit: "/s" });
  record({ figure: "violations", value: 0, unit: "violations" });
  expect(overcrowded(counts)).toEqual([]);
  // What was refused, cancelled or abandoned has left nothing.
  await using client = createGrpcClient(world.server.address);
  for (const { name } of LIMITERS) {
    await untilStatus(client, name, ({ permitsInUse, waiters, leases }) => permitsInUse + waiters + leases === 0n);
  }
});

describe("control: a server with a bug is found out", () => {
  let found = 0;
  afterAll(() => record({ figure: "bugs put in that were found", value: found, unit: `of ${BUGS.length}` }));

  test.for(BUGS)("$name", { timeout: 120_000, retry: 0 }, async (bug) => {
    await using world = await startWorld(bug);
    const seed = seedOf("history control");
    let broken: readonly Rule[] = [];
    // What the counter can see for itself is found only when it has seen it, too.
    const shouldCrowd = bug.breaks === "permits";
    let crowded = false;
    // Some show only now and then, in a queue that happens to be long.
    for (let round = 0; round < CONTROL_ROUNDS; round += 1) {
      const { lines, counts } = await world.run({ ...FEW_CLIENTS, seed: seed + round });
      broken = [...broken, ...checkHistory(lines, LIMITERS).map(({ rule }) => rule)];
      crowded ||= overcrowded(counts).length > 0;
      if (broken.includes(bug.breaks) && crowded === shouldCrowd) break;
    }
    expect(broken).toContain(bug.breaks);
    // The counter sees what it counts, and nothing else.
    expect(crowded).toBe(shouldCrowd);
    found += 1;
  });
});
