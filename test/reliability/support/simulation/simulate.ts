/** A seeded world of one server and many holders, in virtual time: what is promised is looked at after each thing that happens. */

import { createDice } from "../../../server/machine/dice.ts";
import { limiterOf, rateOf } from "../../../support/limiter-config.ts";
import { createDisk } from "./disk.ts";
import { createHolder, TTL, type World } from "./holder.ts";
import { createSimulatedServer } from "./server.ts";
import { createTimeline } from "./timeline.ts";

export interface Simulated {
  readonly steps: number;
  readonly works: number;
  readonly crashes: number;
  /** What was broken; empty: nothing. */
  readonly violations: readonly string[];
}

const PERMITS = 3;
const HOLDERS = 8;
const MS = 1_000;

export async function simulate(seed: number, steps: number, { forgetful = false } = {}): Promise<Simulated> {
  const dice = createDice(seed);
  const timeline = createTimeline();
  const disk = createDisk(timeline, dice, { forgetful });
  const limiter = limiterOf({ maxConcurrent: PERMITS, rate: rateOf(1_000, 20), ttl: TTL });
  const server = createSimulatedServer({ timeline, dice, disk, limiter });
  server.start();
  let faults = true;
  const world: World = { timeline, dice, server, faulty: () => faults };
  const holders = Array.from({ length: HOLDERS }, (_, index) => createHolder(world, `holder-${index}`));
  const violations = new Set<string>();
  let crashes = 0;

  function crashNowAndThen(): void {
    timeline.after(50 * MS + dice.roll(4 * TTL), () => {
      if (!faults) return;
      crashes += 1;
      server.crash();
      timeline.after(dice.roll(TTL / 4), () => {
        server.start();
        crashNowAndThen();
      });
    });
  }
  crashNowAndThen();

  async function look(): Promise<void> {
    const atWork = holders.filter((holder) => holder.isAtWork()).length;
    if (atWork > PERMITS) violations.add(`${atWork} at work, at ${timeline.now} µs`);
    if (server.isUp && (await server.permitsInUse()) > PERMITS)
      violations.add(`the books are over, at ${timeline.now} µs`);
  }

  let done = 0;
  for (; done < steps && timeline.step(); done += 1) {
    // What was decided is handed out, whichever promise it waits for.
    await undefined;
    await look();
  }
  faults = false;
  if (!server.isUp) server.start();
  const before = holders.map(({ works }) => works);
  const until = timeline.now + 100 * TTL;
  while (timeline.now < until && timeline.step()) {
    await undefined;
    await look();
  }
  for (const [index, holder] of holders.entries()) {
    if (holder.works === before[index]) violations.add(`holder-${index} is served no more when nothing fails`);
    for (const lost of holder.forgotten) violations.add(`a valid lease was gone: ${lost}`);
  }
  const tokens = holders.flatMap(({ fencingTokens }) => fencingTokens);
  const distinct = new Set(tokens);
  if (distinct.size !== tokens.length) violations.add("a fencing token was granted twice");
  return {
    steps: done,
    works: holders.reduce((sum, { works }) => sum + works, 0),
    crashes,
    violations: [...violations],
  };
}
