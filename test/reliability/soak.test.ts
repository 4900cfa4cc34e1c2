/** A server that has been busy for long has, once all are gone, what it had before. */

import { describe, expect, test } from "vitest";
import { withBugs } from "./support/bug.ts";
import { openRecord } from "./support/record.ts";
import { type Belongings, type Soak, startSoak } from "./support/soak.ts";
import { NEVER_EXPIRES } from "./support/soak-bug.ts";
import type { SoakReport } from "./support/soak-load.ts";
import { inTier, seedOf } from "./support/tier.ts";

const record = openRecord("soak");
const STREAMS = 2_000;
const PACE = 500;
const LAPS = inTier({ C: 1, N: 6 });
const SECONDS = inTier({ C: 20, N: 300 });
const CONTROL_SECONDS = 8;
/** What the server loads and compiles once is no leak. */
const WARM_UP_SECONDS = 5;
/** ms. */
const PATIENCE = 30_000;
/** What watches over all connections has one timer, which may go on for a minute after the last of them. */
const FEW_TIMERS = 5;
/** The same for what never comes back. */
const LITTLE_PATIENCE = 3_000;
/** Bytes by which two looks at one heap may differ. */
const NOISE = 3 << 20;
/** Bytes: what a call may leave behind for the ten minutes in which it is remembered how a lease ended, and what an id was. */
const REMEMBERED = 250;
const REMEMBERED_SECONDS = 660;

/** Bytes by which the heap may have grown after so many calls. */
function mayGrow(calls: number): number {
  return NOISE + REMEMBERED * Math.min(calls, PACE * REMEMBERED_SECONDS);
}

interface Before {
  /** What may be left. */
  readonly belongings: Belongings;
  /** Bytes. */
  readonly heap: number;
}

async function warmUp(soak: Soak, seed: number): Promise<Before> {
  const belongings = await soak.belongings();
  await soak.lap({ streams: STREAMS, pace: PACE, seconds: WARM_UP_SECONDS, seed });
  return { belongings: { ...belongings, timers: belongings.timers + FEW_TIMERS }, heap: await soak.heap() };
}

interface Lap {
  readonly seconds: number;
  readonly seed: number;
  readonly patience: number;
}

interface After {
  readonly report: SoakReport;
  readonly belongings: Belongings;
  /** Bytes of heap since before. */
  readonly grown: number;
}

async function runLap(soak: Soak, before: Before, { patience, ...size }: Lap): Promise<After> {
  const report = await soak.lap({ streams: STREAMS, pace: PACE, ...size });
  const belongings = await soak.belongingsBackTo(before.belongings, patience);
  return { report, belongings, grown: (await soak.heap()) - before.heap };
}

function leftOver(before: Belongings, after: Belongings): number {
  return after.leases + after.waiters + Math.max(0, after.descriptors - before.descriptors);
}

test(`${STREAMS} streams come and go, with up to ${PACE} calls a second, for ${LAPS * SECONDS} s: all that they took comes back`, {
  timeout: LAPS * (SECONDS * 2_000 + 60_000) + 120_000,
}, async () => {
  const seed = seedOf("soak");
  await using soak = await startSoak();
  const before = await warmUp(soak, seed);
  let calls = 0;
  let mostGrown = 0;
  let mostLeft = 0;
  for (let lap = 1; lap <= LAPS; lap += 1) {
    const after = await runLap(soak, before, { seconds: SECONDS, seed: seed + lap, patience: PATIENCE });
    calls += after.report.calls;
    mostGrown = Math.max(mostGrown, after.grown);
    mostLeft = Math.max(mostLeft, leftOver(before.belongings, after.belongings));
    expect(after.report.failures.slice(0, 10)).toEqual([]);
    for (const name of Object.keys(before.belongings) as (keyof Belongings)[]) {
      expect(after.belongings[name], `${name}, after lap ${lap}`).toBeLessThanOrEqual(before.belongings[name]);
    }
    expect(after.grown, `the heap, after lap ${lap}`).toBeLessThan(mayGrow(calls));
  }
  record({ figure: "streams open at any time", value: STREAMS, unit: "streams" });
  record({ figure: "calls", value: calls, unit: `calls in ${LAPS * SECONDS} s`, seed });
  record({ figure: "leases, waiters and descriptors left over, at most", value: mostLeft, unit: "more than before" });
  record({ figure: "heap before", value: before.heap / 2 ** 20, unit: "MB" });
  record({ figure: "the heap has grown by at most", value: mostGrown / 2 ** 20, unit: "MB" });
  expect({ alive: soak.subject.isAlive(), faults: soak.subject.faults }).toEqual({ alive: true, faults: [] });
});

describe("control", () => {
  test("4 KB a call, and a timer and a descriptor a connection, are found to leak", { timeout: 240_000 }, async () => {
    await using soak = await startSoak(["--import", new URL("support/soak-leak.ts", import.meta.url).href]);
    const before = await warmUp(soak, 1);
    const after = await runLap(soak, before, { seconds: CONTROL_SECONDS, seed: 2, patience: LITTLE_PATIENCE });
    const { belongings, grown, report } = after;
    record({
      figure: "with a leak of 4 KB a call the heap has grown by",
      value: grown / 2 ** 20,
      unit: `MB, of ${(mayGrow(report.calls) / 2 ** 20).toFixed(1)} that it may`,
    });
    expect(grown).toBeGreaterThan(mayGrow(report.calls));
    expect(belongings.descriptors).toBeGreaterThan(before.belongings.descriptors + 100);
    expect(belongings.timers).toBeGreaterThan(before.belongings.timers + 100);
    expect(belongings).toMatchObject({ waiters: 0 });
  });

  test("leases whose holders are lost, and whose time never runs out, are found", { timeout: 240_000 }, async () => {
    await using soak = await startSoak(withBugs([NEVER_EXPIRES]));
    const { belongings: before } = await warmUp(soak, 1);
    const after = await soak.belongingsBackTo(before, LITTLE_PATIENCE);
    expect(after.leases).toBeGreaterThan(0);
    expect(after.permits).toBeGreaterThan(0);
  });
});
