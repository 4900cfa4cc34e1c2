/** Processes that are stopped and go on (SIGSTOP, SIGCONT): holders, and the server. */

import { setTimeout as sleep } from "node:timers/promises";
import { test } from "vitest";
import { connect } from "../../src/client/index.ts";
import { createDice } from "../server/machine/dice.ts";
import { startServerProcess } from "../support/server-process.ts";
import { startHolders } from "./support/holders.ts";
import { startPausedHolders } from "./support/pauses.ts";
import { watchBooks } from "./support/pauses-books.ts";
import { createResource, staleOf } from "./support/pauses-resource.ts";
import { openRecord } from "./support/record.ts";
import { inTier, seedOf } from "./support/tier.ts";

const record = openRecord("pauses");
const seed = seedOf("pauses");

const PAUSES = inTier({ C: 8, N: 80 });
const SERVER_PAUSES = inTier({ C: 4, N: 40 });
/** ms */
const LONGEST = inTier({ C: 4_000, N: 60_000 });
const PERMITS = 2;
/** A frozen holder is found and its lease over: keepalive, its timeout, and the ttl. */
const KEEPALIVE = 200 + 300;
const LIVENESS = "liveness: { keepalive_time: 200ms, keepalive_timeout: 300ms }\n";

test.concurrent(`${PAUSES} pauses of holders that do not look: the resource takes nothing of one whose slot another has had since`, {
  timeout: PAUSES * LONGEST + 60_000,
  retry: 0,
}, async ({ expect }) => {
  const ttl = 2_000;
  const dice = createDice(seed);
  await using server = await startServerProcess(
    `${LIVENESS}limiters: [{ name: db, max_concurrent: ${PERMITS}, ttl: ${ttl}ms }]`,
  );
  const resource = createResource({ checks: true });
  const unguarded = createResource({ checks: false });
  {
    await using books = watchBooks(server.address, [{ name: "db", permits: PERMITS }]);
    await using holders = startPausedHolders({
      address: server.address,
      limiter: "db",
      manners: "naive",
      processes: 4,
      onWrite(write) {
        resource.write(write);
        unguarded.write(write);
      },
    });
    for (let pause = 0; pause < PAUSES; pause += 1) {
      const past = KEEPALIVE + ttl + 500;
      await holders.pause(pause % 2 === 0 ? 1_000 + dice.roll(ttl - 1_000) : past + dice.roll(LONGEST - past));
    }
    record({ figure: "holders at work at once that do not look", value: holders.most, unit: `of ${PERMITS} permits` });
    record({ figure: "looks at the books", value: books.looks, unit: "looks" });
    expect(holders.failures).toEqual([]);
    expect(books.complaints).toEqual([]);
  }
  record({ figure: "pauses of holders that do not look", value: PAUSES, unit: "pauses", seed });
  record({ figure: "stale writes refused", value: resource.refused.length, unit: `of ${unguarded.accepted.length}` });
  record({
    figure: "stale writes taken",
    value: staleOf(resource.accepted).length,
    unit: "writes",
    control: `a resource beside it that does not look at the token took ${staleOf(unguarded.accepted).length}`,
  });
  expect(staleOf(resource.accepted)).toEqual([]);
  // Otherwise nothing was shown; and it is the control, too.
  expect(staleOf(unguarded.accepted).length).toBeGreaterThan(0);
  // No holder that may rely on its lease is refused.
  expect(resource.refused.filter(({ valid }) => valid)).toEqual([]);
});

test.concurrent(`${PAUSES} short pauses of holders that look: never more at work than permits`, {
  timeout: PAUSES * 3_000 + 60_000,
}, async ({ expect }) => {
  const ttl = 4_000;
  /** ms that a stop may take longer than it should. */
  const margin = 800;
  const dice = createDice(seed + 1);
  await using server = await startServerProcess(
    `${LIVENESS}limiters: [{ name: db, max_concurrent: ${PERMITS}, ttl: ${ttl}ms }]`,
  );
  await using books = watchBooks(server.address, [{ name: "db", permits: PERMITS }]);
  await using holders = startPausedHolders({
    address: server.address,
    limiter: "db",
    manners: "careful",
    processes: 4,
  });
  for (let pause = 0; pause < PAUSES; pause += 1) await holders.pause(100 + dice.roll(ttl / 2 - margin - 100));
  record({ figure: "short pauses of holders that look", value: PAUSES, unit: "pauses", seed });
  record({
    figure: "holders at work at once that look",
    value: holders.most,
    unit: `of ${PERMITS} permits`,
    control: "holders that do not look, stopped for longer, are more than the permits",
  });
  expect(holders.most).toBeLessThanOrEqual(PERMITS);
  expect(holders.failures).toEqual([]);
  expect(books.complaints).toEqual([]);
});

test.concurrent(`${SERVER_PAUSES} pauses of the server, longer than its keepalive: no lease is lost, no permit granted twice`, {
  timeout: SERVER_PAUSES * LONGEST + 120_000,
  retry: 0,
}, async ({ expect }) => {
  const dice = createDice(seed + 2);
  const longTtl = 15 * LONGEST;
  const limiters = [
    { name: "long", permits: 3, ttl: longTtl },
    { name: "short", permits: 3, ttl: 1_000 },
    { name: "kept", permits: 3, ttl: longTtl },
  ] as const;
  await using server = await startServerProcess(
    `${LIVENESS}limiters: ${JSON.stringify(
      limiters.map(({ name, permits, ttl }) => ({ name, max_concurrent: permits, ttl: `${ttl}ms` })),
    )}`,
  );
  // It finds the connection dead while the server is stopped.
  await using quick = connect(server.address, { answerWithin: 30_000, pingInterval: 300, pingTimeout: 1_000 });
  const kept = [await quick.acquire("kept"), await quick.acquire("kept"), await quick.acquire("kept")];
  const { address } = server;
  await using long = startHolders({ address, limiter: "long", processes: 2, holders: 3 });
  await using short = startHolders({ address, limiter: "short", processes: 2, holders: 3 });
  {
    await using books = watchBooks(address, limiters);
    for (let pause = 0; pause < SERVER_PAUSES; pause += 1) {
      await Promise.all([long.more(3), short.more(3)]);
      server.signal("SIGSTOP");
      await sleep(2_000 + dice.roll(LONGEST - 2_000));
      server.signal("SIGCONT");
    }
    await Promise.all([long.more(5), short.more(5)]);
    expect(books.complaints).toEqual([]);
  }
  await Promise.all([long.finish(), short.finish()]);

  record({ figure: "pauses of the server", value: SERVER_PAUSES, unit: "pauses", seed });
  record({ figure: "most at work at once over those", value: Math.max(long.most, short.most), unit: "of 3 permits" });
  record({ figure: "leases lost that were good for longer", value: long.losses.length, unit: `of ${long.holds}` });
  expect(long.losses).toEqual([]);
  expect(long.failures).toEqual([]);
  // What was granted before the pause may have run out before its holder could hear of it.
  expect(short.failures.filter((failure) => !/had ended \(expired\)/.test(failure))).toEqual([]);
  for (const { most, fencingTokens, holds } of [long, short]) {
    expect(most).toBeLessThanOrEqual(3);
    expect(new Set(fencingTokens).size).toBe(holds);
  }
  expect(kept.flatMap(({ signal }) => (signal.aborted ? String(signal.reason) : []))).toEqual([]);
  const held = [];
  for await (const { id } of quick.limiters.leases({ limiter: "kept" })) held.push(id);
  expect(new Set(held)).toEqual(new Set(kept.map(({ id }) => id)));
});
