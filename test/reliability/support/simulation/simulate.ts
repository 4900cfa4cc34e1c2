/** A seeded world of one server, many holders and an operator, in virtual time: what is promised is looked at after each step. */

import type { LimiterConfig } from "../../../../src/server/machine/limiter/limiter.ts";
import { createDice } from "../../../server/machine/dice.ts";
import { limiterOf, rateOf } from "../../../support/limiter-config.ts";
import { createDisk } from "./disk.ts";
import { createHolder, TTL, type World } from "./holder.ts";
import { createLedger } from "./ledger.ts";
import { createOperator } from "./operator.ts";
import { createSimulatedServer } from "./server.ts";
import { createTimeline } from "./timeline.ts";

export interface Simulated {
  readonly steps: number;
  readonly works: number;
  readonly crashes: number;
  /** What was broken; empty: nothing. */
  readonly violations: readonly string[];
}

const HOLDERS = 8;
const MS = 1_000;
const LIMITERS: readonly LimiterConfig[] = [
  limiterOf({ name: "db", maxConcurrent: 4, rate: rateOf(60, 3), ttl: TTL }),
  limiterOf({ name: "gpu", maxConcurrent: 3, ttl: TTL }),
];

export async function simulate(seed: number, steps: number, { forgetful = false } = {}): Promise<Simulated> {
  const dice = createDice(seed);
  const timeline = createTimeline();
  const disk = createDisk(timeline, dice, { forgetful });
  const ledger = createLedger(LIMITERS);
  const server = createSimulatedServer({ timeline, dice, disk, ledger, limiters: LIMITERS });
  let faults = true;
  const world: World = { timeline, dice, server, ledger, limiters: LIMITERS, faulty: () => faults };
  server.start();
  const operator = createOperator(world);
  const holders = Array.from({ length: HOLDERS }, (_, index) => createHolder(world, `holder-${index}`));
  let crashes = 0;

  function crashNowAndThen(): void {
    timeline.after(50 * MS + dice.roll(4 * TTL), () => {
      if (!faults) return;
      crashes += 1;
      server.crash();
      timeline.after(dice.roll(TTL / 4), () => {
        if (!server.isUp) server.start();
        crashNowAndThen();
      });
    });
  }
  crashNowAndThen();

  /** The holders' tier, by their own clocks. */
  function look(): void {
    const atWork = new Map<string, number>();
    for (const holder of holders) {
      for (const { limiter, permits } of holder.atWork()) atWork.set(limiter, (atWork.get(limiter) ?? 0) + permits);
    }
    for (const [name, permits] of atWork) {
      const bound = ledger.bound(name);
      if (permits > bound) ledger.violate(`${name}: ${permits} permits at work of ${bound}, at ${timeline.now} µs`);
    }
  }

  let done = 0;
  for (; done < steps && timeline.step(); done += 1) {
    // What was decided is handed out, whichever promise it waits for.
    await undefined;
    look();
  }
  faults = false;
  if (!server.isUp) server.start();
  operator.finish();
  const before = holders.map(({ works }) => works);
  const until = timeline.now + 100 * TTL;
  while (timeline.now < until && timeline.step()) {
    await undefined;
    look();
  }
  for (const [index, holder] of holders.entries()) {
    if (holder.works === before[index]) ledger.violate(`holder-${index} is served no more when nothing fails`);
  }
  return {
    steps: done,
    works: holders.reduce((sum, { works }) => sum + works, 0),
    crashes,
    violations: [...ledger.violations],
  };
}
