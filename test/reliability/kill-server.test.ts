/** The server is killed again and again, under load: no grant is forgotten, and no permit is granted twice. */

import { expect, test } from "vitest";
import { startRestartingServer } from "../support/restarting-server.ts";
import { startHolders } from "./support/holders.ts";
import { openRecord } from "./support/record.ts";
import { inTier } from "./support/tier.ts";

const record = openRecord("kill-server");
const CASES = [
  { name: "sessions", carrier: "sessions", workers: 0, kills: inTier({ C: 20, N: 500 }) },
  { name: "streams", carrier: "streams", workers: 0, kills: inTier({ C: 10, N: 300 }) },
  { name: "sessions, with workers", carrier: "sessions", workers: 2, kills: inTier({ C: 10, N: 300 }) },
] as const;
const PERMITS = 5;
const HOLDERS = { limiter: "db", processes: 4, holders: 5 };

/** ms, longer than a restart takes on a slow machine: a lease that nobody holds any more is lost by nobody. */
const OUTLASTS_RESTART = 15_000;

function yaml(workers: number, ttl = "20s"): string {
  return `workers: ${workers}\nlimiters: [{ name: db, max_concurrent: ${PERMITS}, ttl: ${ttl} }]\n`;
}

test.each(CASES)(
  "$name: $kills kills: never more at work than permits, no lease lost, no token twice",
  {
    timeout: CASES[0].kills * 6_000,
    retry: 0,
  },
  async ({ name, carrier, workers, kills }) => {
    await using server = await startRestartingServer(yaml(workers));
    await using holders = startHolders({ ...HOLDERS, address: server.address, client: carrier });
    const firsts: number[] = [];
    await holders.more(50);
    for (let kill = 0; kill < kills; kill += 1) {
      await holders.more(Math.ceil(Math.random() * 10));
      await server.crash();
      await server.start();
      const serves = performance.now();
      await holders.more(1);
      firsts.push(performance.now() - serves);
    }
    await holders.more(50);
    await holders.finish();

    record({ figure: `${name}: most at work at once`, value: holders.most, unit: `of ${PERMITS} permits` });
    record({ figure: `${name}: holds`, value: holders.holds, unit: "holds" });
    record({ figure: `${name}: kills`, value: kills, unit: "kills" });
    record({
      figure: `${name}: longest to the first hold after it served again`,
      value: Math.max(...firsts),
      unit: "ms",
    });
    expect(holders.losses).toEqual([]);
    expect(holders.failures).toEqual([]);
    expect(holders.most).toBeLessThanOrEqual(PERMITS);
    expect(new Set(holders.fencingTokens).size).toBe(holders.holds);
  },
);

test.each([
  { name: "streams", carrier: "streams", workers: 0 },
  { name: "sessions, with workers", carrier: "sessions", workers: 2 },
] as const)(
  "control: $name: a server that forgets at each start is found",
  { timeout: 120_000 },
  async ({ carrier, workers }) => {
    await using server = await startRestartingServer(yaml(workers));
    const longestWork = OUTLASTS_RESTART;
    await using holders = startHolders({ ...HOLDERS, address: server.address, client: carrier, longestWork });
    await holders.more(10);
    // A session that is not found any more says at once that its leases are lost, mostly before others have their permits.
    const isFound = () => holders.most > PERMITS || holders.losses.length > 0;
    for (let kill = 0; kill < 10 && !isFound(); kill += 1) {
      await holders.more(10);
      await server.crash();
      await server.start({ env: { BACKPRESSURE_STORE_FOLDER: `${server.folder}/${kill}` } });
      await holders.more(2 * PERMITS);
    }
    expect(isFound()).toBe(true);
  },
);

test("control: a client that does not take its session up again loses its leases", { timeout: 120_000 }, async () => {
  await using server = await startRestartingServer(yaml(0, "4s"));
  const client = "forgets its session";
  const longestWork = OUTLASTS_RESTART;
  await using holders = startHolders({ ...HOLDERS, address: server.address, client, longestWork });
  for (let kill = 0; kill < 20 && holders.losses.length === 0; kill += 1) {
    await holders.more(20);
    await server.crash();
    await server.start();
  }
  expect(holders.losses.length).toBeGreaterThan(0);
});
