/** The server is killed again and again, under load: no grant is forgotten, and no permit is granted twice. */

import { expect, test } from "vitest";
import { startRestartingServer } from "../support/restarting-server.ts";
import { startHolders } from "./support/holders.ts";
import { openRecord } from "./support/record.ts";
import { inTier } from "./support/tier.ts";

const KILLS = inTier({ C: 50, N: 1_000 });
const PERMITS = 5;
const LIMITERS = `limiters: [{ name: db, max_concurrent: ${PERMITS}, ttl: 20s }]\n`;

test(`${KILLS} kills: never more at work than permits, no lease lost, no token twice`, {
  timeout: KILLS * 6_000,
  retry: 0,
}, async () => {
  const record = openRecord("kill-server");
  await using server = await startRestartingServer(LIMITERS);
  await using holders = startHolders({ address: server.address, limiter: "db", processes: 4, holders: 5 });
  const firsts: number[] = [];
  await holders.more(50);
  for (let kill = 0; kill < KILLS; kill += 1) {
    await holders.more(Math.ceil(Math.random() * 10));
    await server.crash();
    await server.start();
    const serves = performance.now();
    await holders.more(1);
    firsts.push(performance.now() - serves);
  }
  await holders.more(50);
  await holders.finish();

  record({ figure: "most at work at once", value: holders.most, unit: `of ${PERMITS} permits` });
  record({ figure: "holds", value: holders.holds, unit: "holds" });
  record({ figure: "kills", value: KILLS, unit: "kills" });
  record({ figure: "longest to the first hold after it served again", value: Math.max(...firsts), unit: "ms" });
  expect(holders.losses).toEqual([]);
  expect(holders.failures).toEqual([]);
  expect(holders.most).toBeLessThanOrEqual(PERMITS);
  expect(new Set(holders.fencingTokens).size).toBe(holders.holds);
});

test("control: a server that forgets at each start admits too many", { timeout: 120_000 }, async () => {
  await using server = await startRestartingServer(LIMITERS);
  await using holders = startHolders({ address: server.address, limiter: "db", processes: 4, holders: 5 });
  await holders.more(50);
  for (let kill = 0; kill < 10 && holders.most <= PERMITS; kill += 1) {
    await holders.more(10);
    await server.crash();
    await server.start({ env: { BACKPRESSURE_STORE_FOLDER: `${server.folder}/${kill}` } });
    await holders.more(2 * PERMITS);
  }
  expect(holders.most).toBeGreaterThan(PERMITS);
});
