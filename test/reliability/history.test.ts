/** What sixteen clients have seen of a real server can have come about only if it keeps its promises. */

import { afterAll, describe, expect, test } from "vitest";
import { createGrpcClient } from "../support/grpc-client.ts";
import { untilStatus } from "../support/look.ts";
import { BUGS, BUGS_OVER_SESSIONS } from "./support/history/bugs.ts";
import { checkHistory, type Rule } from "./support/history/check-history.ts";
import type { Count } from "./support/history/counter.ts";
import { INSTANCES, LIMITERS, nameOf } from "./support/history/limiters.ts";
import { startWorld } from "./support/history/world.ts";
import { openRecord } from "./support/record.ts";
import { inTier, seedOf } from "./support/tier.ts";

const record = openRecord("history");
/** What carries the calls, how many transport workers the server has, and how many calls are made of it. */
const CASES = [
  { name: "calls", carrier: "streams", workers: 0, calls: inTier({ C: 120_000, N: 3_000_000 }) },
  { name: "sessions", carrier: "sessions", workers: 0, calls: inTier({ C: 50_000, N: 1_000_000 }) },
  { name: "calls, with workers", carrier: "streams", workers: 2, calls: inTier({ C: 30_000, N: 1_000_000 }) },
  { name: "sessions, with workers", carrier: "sessions", workers: 2, calls: inTier({ C: 30_000, N: 1_000_000 }) },
] as const;
/** What is kept in memory at a time. */
const CALLS_A_ROUND = inTier({ C: 40_000, N: 250_000 });
/** s after which no more rounds are begun: a machine may be slow, and the count is recorded. */
const PATIENCE = inTier({ C: 60, N: 5_000 });
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

test.each(CASES)(
  `$name: up to $calls of ${CLIENTS.processes} processes: permits, slots, tokens, order, rate, one lease an id`,
  {
    timeout: inTier({ C: 900_000, N: 90 * 60_000 }),
    retry: 0,
  },
  async ({ name, carrier, workers, calls: most }) => {
    const seed = seedOf(`history, ${name}`);
    await using world = await startWorld(workers);
    const floors = new Map<string, number>();
    let [calls, attempts, grants] = [0, 0, 0];
    let counts: readonly Count[] = [];
    const begun = performance.now();
    const passed = () => (performance.now() - begun) / 1000;
    for (let round = 0; calls < most && passed() < PATIENCE; round += 1) {
      const run = await world.run({
        ...CLIENTS,
        carrier,
        seed: seed + 1_000 * round,
        calls: Math.min(CALLS_A_ROUND, most - calls),
      });
      expect(checkHistory(run.lines, LIMITERS, floors).slice(0, 20), `RELIABILITY_SEED=${seed}`).toEqual([]);
      calls += run.calls;
      counts = run.counts;
      for (const line of run.lines) {
        attempts += 1;
        if (line.kind === "attempt" && line.outcome.kind === "granted") grants += 1;
      }
    }

    record({ figure: `${name}: made`, value: calls, unit: "calls", seed });
    record({ figure: `${name}: requests, asked again or not`, value: attempts, unit: "requests" });
    record({ figure: `${name}: of which were granted`, value: grants, unit: "requests" });
    record({
      figure: `${name}: holds counted in and out`,
      value: counts.reduce((sum, { holds }) => sum + holds, 0),
      unit: "holds",
    });
    record({ figure: `${name}: calls a second`, value: calls / passed(), unit: "/s" });
    record({ figure: `${name}: violations`, value: 0, unit: "violations" });
    expect(overcrowded(counts)).toEqual([]);
    // What was refused, cancelled or abandoned has left nothing.
    await using client = createGrpcClient(world.server.address);
    for (const { name } of LIMITERS) {
      await untilStatus(client, name, ({ permitsInUse, waiters, leases }) => permitsInUse + waiters + leases === 0n);
    }
  },
);

describe.each([
  { name: "calls", carrier: "streams", workers: 0, bugs: BUGS },
  { name: "sessions, with workers", carrier: "sessions", workers: 2, bugs: BUGS_OVER_SESSIONS },
] as const)("control: $name: a server with a bug is found out", ({ name, carrier, workers, bugs }) => {
  let found = 0;
  afterAll(() => record({ figure: `${name}: bugs put in that were found`, value: found, unit: `of ${bugs.length}` }));

  test.for(bugs)("$name", { timeout: 120_000, retry: 0 }, async (bug) => {
    await using world = await startWorld(workers, bug);
    const seed = seedOf("history control");
    let broken: readonly Rule[] = [];
    // What the counter can see for itself is found only when it has seen it, too.
    const shouldCrowd = bug.breaks === "permits";
    let crowded = false;
    // Some show only now and then, in a queue that happens to be long.
    for (let round = 0; round < CONTROL_ROUNDS; round += 1) {
      const { lines, counts } = await world.run({ ...FEW_CLIENTS, carrier, seed: seed + round });
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
