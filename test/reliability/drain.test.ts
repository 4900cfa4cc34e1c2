/** SIGTERM under load, and data folders of other versions: no lease is freed by it. */

import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { AdmissionService } from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { connect, type Lease } from "../../src/client/index.ts";
import { FORMAT } from "../../src/server/store/sqlite/migrations.ts";
import { acquire, giveBack, hold, queue } from "../support/acquire.ts";
import { finish } from "../support/board.ts";
import { Code } from "../support/call-failure.ts";
import type { ContractClient } from "../support/contract-client.ts";
import { createGrpcClient } from "../support/grpc-client.ts";
import { leasesOf } from "../support/look.ts";
import { startRestartingServer } from "../support/restarting-server.ts";
import { startServerProcess } from "../support/server-process.ts";
import { viewFolder } from "./support/drain/folder-view.ts";
import { startWorkThrough } from "./support/drain/work-through.ts";
import { type Expected, writeFolder } from "./support/drain/write-format.ts";
import { startHolders } from "./support/holders.ts";
import { openRecord } from "./support/record.ts";
import { inTier } from "./support/tier.ts";

const DRAINS = inTier({ C: 10, N: 100 });
const PERMITS = 5;
const CARDS_A_DRAIN = 5;
// Nothing of it is waited for: leases live through a restart.
const LIMITERS = `
drain: { timeout: 1h }
limiters:
  - { name: db, max_concurrent: ${PERMITS}, ttl: 20s }
  - { name: detached, max_concurrent: 3, ttl: 60s }
  - { name: full, max_concurrent: 1, ttl: 60s }
boards: [{ name: b, ttl: 20s, max_attempts: 50, stages: [{ name: In }, { name: Build, wip_limit: 4 }, { name: Out }] }]
`;
/** ms */
const HOUR = 3_600_000;
/** ms for a server with a lot to do, on a machine that has a lot to do. */
const STOPS_WITHIN = 10_000;

/** By the id of each lease that is held, its fencing token. */
async function tokensOf(client: ContractClient): Promise<ReadonlyMap<string, bigint | undefined>> {
  return new Map((await leasesOf(client)).map(({ id, claims }) => [id, claims[0]?.fencingToken]));
}

function granted(lease: Lease | { readonly granted: false }): Lease {
  if (!lease.granted) throw new Error("it was refused");
  return lease;
}

test(`${DRAINS} SIGTERMs under load: leases live through it with their tokens, waiters come back, cards are done once`, {
  timeout: DRAINS * 20_000 + 60_000,
  retry: 0,
}, async () => {
  const record = openRecord("drain");
  await using server = await startRestartingServer(LIMITERS);
  const { address } = server;
  await using holders = startHolders({ address, limiter: "db", processes: 3, holders: 4 });
  await using work = startWorkThrough({ address, board: "b", stage: "Build" });
  await using client = connect(address, { answerWithin: 30_000 });
  const detached = [1, 2, 3].map(async () => granted(await client.tryAcquire("detached")));
  const kept = [await client.acquire("full"), ...(await Promise.all(detached))];
  const waiting = client.acquire("full", { maxWait: HOUR });
  const stops: number[] = [];
  let lived = 0;
  await holders.more(10);
  for (let drain = 0; drain < DRAINS; drain += 1) {
    await work.add(CARDS_A_DRAIN);
    await holders.more(5);
    await using caller = createGrpcClient(address);
    const requestId = `waits-through-drain-${drain}`;
    const waiter = await queue(caller, { claims: [{ limiter: "full" }], requestId });
    const before = await tokensOf(caller);
    const signalled = performance.now();
    const { code } = await server.stop();
    stops.push(performance.now() - signalled);
    expect(code).toBe(0);
    expect(await waiter.ending).toMatchObject({ code: Code.Unavailable, reason: "DRAINING", retryDelay: 1000 });

    await server.start();
    await using again = createGrpcClient(address);
    const back = await queue(again, { claims: [{ limiter: "full" }], requestId });
    const after = await tokensOf(again);
    for (const [id, token] of before) {
      if (!after.has(id)) continue;
      lived += 1;
      expect(after.get(id)).toBe(token);
    }
    for (const { id, claims, signal } of kept) {
      expect(signal.aborted).toBe(false);
      expect(after.get(id)).toBe(claims[0]?.fencingToken);
    }
    back.cancel();
    await back.ending;
  }
  await holders.more(10);
  await holders.finish();
  const done = await work.finish();
  await kept[0]?.release();
  await (await waiting).release();

  record({ figure: "SIGTERMs", value: DRAINS, unit: "SIGTERMs" });
  record({ figure: "most at work at once", value: holders.most, unit: `of ${PERMITS} permits` });
  record({ figure: "holds", value: holders.holds, unit: "holds" });
  record({
    figure: "leases that were held on after a restart, each with its fencing token",
    value: lived,
    unit: "leases",
  });
  record({ figure: "longest from SIGTERM to the end of the process", value: Math.max(...stops), unit: "ms" });
  record({ figure: "cards done", value: done.size, unit: "cards" });
  expect(holders.losses).toEqual([]);
  expect(holders.failures).toEqual([]);
  expect(holders.most).toBeLessThanOrEqual(PERMITS);
  expect(new Set(holders.fencingTokens).size).toBe(holders.holds);
  expect(Math.max(...stops)).toBeLessThan(STOPS_WITHIN);
  expect(done.size).toBe(DRAINS * CARDS_A_DRAIN);
  expect(new Set(done.values())).toEqual(new Set([1]));
});

test.concurrent("control: a server that starts without what it kept gives a permit that is held to another", {
  timeout: 120_000,
}, async () => {
  await using server = await startRestartingServer(LIMITERS);
  await using client = connect(server.address, { answerWithin: 30_000 });
  const kept = await client.acquire("full");
  await server.stop();
  await server.start({ env: { BACKPRESSURE_STORE_FOLDER: `${server.folder}/another` } });
  await using another = createGrpcClient(server.address);
  expect((await tokensOf(another)).has(kept.id)).toBe(false);
  await hold(another, "full");
});

/** A folder for one test, with what is found in `from`. */
function createScratch(from?: string): Disposable & { readonly folder: string } {
  const parent = mkdtempSync(join(tmpdir(), "backpressure-format-"));
  const folder = join(parent, "data");
  if (from !== undefined) cpSync(from, folder, { recursive: true });
  return { folder, [Symbol.dispose]: () => rmSync(parent, { recursive: true }) };
}

/** Starts this version on the folder, and finds everything in it. */
async function expectTakenUp(folder: string, expected: Expected): Promise<void> {
  await using server = await startServerProcess("", { env: { BACKPRESSURE_STORE_FOLDER: folder } });
  expect(await viewFolder(server.address)).toEqual(expected.view);

  await using client = createGrpcClient(server.address);
  const { renew, release, tryAcquire } = AdmissionService.method;
  const { results } = await client.call(renew, { leases: [...expected.leases] });
  expect(results.map(({ result }) => result.case)).toEqual(["renewed", "renewed"]);
  const [detached, lost] = expected.leases;
  const resumed = await hold(client, { resume: lost });
  expect(resumed.granted.resumed).toBe(true);
  const past = acquire(client, { claims: [{ limiter: "tenants", key: "red" }], requestId: expected.past });
  expect(await past.ending).toMatchObject({ reason: "LEASE_ENDED" });
  // The old waiter is before a newcomer, and is granted as soon as there is room, under a token that was never used.
  const newcomer = await queue(client, { claims: [{ limiter: "db", slots: true }] });
  const waiter = await queue(client, { claims: [{ limiter: "db", slots: true }], requestId: expected.waiting });
  await giveBack(client, resumed);
  const granted = await waiter.next("granted");
  const tokens = [granted, resumed.granted].map(({ lease }) => lease?.claims[0]?.fencingToken ?? 0n);
  expect(tokens[0]).toBeGreaterThan(tokens[1] ?? 0n);
  expect(newcomer.kinds).toEqual(["waiting"]);
  await client.call(release, detached ?? {});
  await newcomer.next("granted");
  // Of a folder that was closed in order nothing is missing, however old it is.
  const blue = await client.call(tryAcquire, { claims: [{ limiter: "tenants", key: "blue" }] });
  expect(blue.result.case).toBe("granted");
  const { cardId, fencingToken } = expected.card;
  expect(await finish(client, { cardId, fencingToken: BigInt(fencingToken) }, "at last")).toMatchObject({
    result: "at last",
  });
}

const FORMATS = Array.from({ length: FORMAT }, (_, index) => index + 1);

test.concurrent.each(FORMATS)("a data folder of format %d is taken up whole", { timeout: 60_000 }, async (format) => {
  const fixture = fileURLToPath(new URL(`support/drain/format-${format}/`, import.meta.url));
  expect(existsSync(fixture), `write it: support/drain/write-format.ts`).toBe(true);
  const expected: Expected = JSON.parse(readFileSync(join(fixture, "expected.json"), "utf8"));
  using scratch = createScratch(join(fixture, "data"));
  await expectTakenUp(scratch.folder, expected);
});

test.concurrent("so is one that this version has written", { timeout: 60_000 }, async () => {
  using scratch = createScratch();
  const { folder } = scratch;
  const expected = await writeFolder(folder);
  await expectTakenUp(folder, expected);
});

test.concurrent("control: a folder in which a lease is missing is not", { timeout: 60_000 }, async () => {
  using scratch = createScratch();
  const { folder } = scratch;
  const expected = await writeFolder(folder);
  {
    await using server = await startServerProcess("", { env: { BACKPRESSURE_STORE_FOLDER: folder } });
    await using client = createGrpcClient(server.address);
    await client.call(AdmissionService.method.release, expected.leases[0] ?? {});
    server.signal("SIGTERM");
    await server.exited;
  }
  await expect(expectTakenUp(folder, expected)).rejects.toThrow(/deeply equal/);
});
