/** What a server that is killed, or stopped, and started again on its data folder still knows. */

import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { AdmissionService } from "../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { BoardService } from "../../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { CardState } from "../../../src/client/gen/ggen/backpressure/v1/card_pb.ts";
import { LeaseEnd, LeaseState } from "../../../src/client/gen/ggen/backpressure/v1/lease_pb.ts";
import { LimiterService } from "../../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { Reason } from "../../../src/client/gen/ggen/backpressure/v1/reason_pb.ts";
import {
  Health,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "../../../src/client/gen/grpc/health/v1/health_pb.ts";
import { acquire, giveBack, hold, queue } from "../../support/acquire.ts";
import { finish, work } from "../../support/board.ts";
import type { ContractClient } from "../../support/contract-client.ts";
import { createGrpcClient } from "../../support/grpc-client.ts";
import { type RestartingServer, startRestartingServer } from "../../support/restarting-server.ts";
import { startServerProcess } from "../../support/server-process.ts";

const { tryAcquire, release, renew } = AdmissionService.method;
const { createLimiter, getLimiter, listLeases, listLimiters } = LimiterService.method;

/** The line of a server that grants nothing yet. */
const LEARNED = /new leases are granted$/;
const LEARNS = /no new ones are granted until the longest ttl has passed/;

const requestId = (name: string) => name.padEnd(22, "-");

async function tryOne(client: ContractClient, limiter: string) {
  const { result } = await client.call(tryAcquire, { claims: [{ limiter }] });
  if (result.case === "refused") return result.value.reason;
  return result.value;
}

test("leases outlive a kill: they keep their permits, are resumed with their secret, and tokens go on rising", async () => {
  await using server = await startRestartingServer("limiters: [{ name: db, max_concurrent: 3, ttl: 30s }]\n");
  await using before = createGrpcClient(server.address);
  const lease = await hold(before, { claims: [{ limiter: "db", slots: true }], holder: "one" });
  const detached = await before.call(tryAcquire, { claims: [{ limiter: "db", slots: true }], holder: "two" });
  const [claim] = lease.granted.lease?.claims ?? [];
  await server.crash();
  await server.start();

  await using after = createGrpcClient(server.address);
  const { leases } = await after.call(listLeases, { limiter: "db" });
  expect(leases.map(({ holder, state }) => [holder, state])).toEqual([
    ["one", LeaseState.ORPHANED],
    ["two", LeaseState.DETACHED],
  ]);
  // What is free is granted at once, the rest is not.
  const third = await hold(after, { claims: [{ limiter: "db", slots: true }] });
  const [newest] = third.granted.lease?.claims ?? [];
  expect(newest?.fencingToken).toBeGreaterThan(claim?.fencingToken ?? 0n);
  expect(newest?.slots).toEqual([2]);
  expect(await tryOne(after, "db")).toBe(Reason.CONCURRENCY_EXHAUSTED);

  const resumed = await hold(after, { resume: { leaseId: lease.leaseId, secret: lease.secret } });
  expect(resumed.granted).toMatchObject({ resumed: true, secret: lease.secret });
  expect(resumed.granted.lease?.claims).toEqual(lease.granted.lease?.claims);
  await giveBack(after, resumed);
  const granted = detached.result.value as { lease?: { id: string }; secret: string };
  const credential = { leaseId: granted.lease?.id ?? "", secret: granted.secret };
  const renewed = await after.call(renew, { leases: [credential] });
  expect(renewed.results[0]?.result.case).toBe("renewed");
  expect(await after.call(release, credential)).toMatchObject({ end: LeaseEnd.RELEASED });
});

test("a lease that is not resumed ends when its ttl has run out, and its permit is the next one's", async () => {
  await using server = await startRestartingServer("limiters: [{ name: db, max_concurrent: 1, ttl: 1s }]\n");
  await using before = createGrpcClient(server.address);
  await hold(before, "db");
  await server.crash();
  const begun = performance.now();
  await server.start();
  await using after = createGrpcClient(server.address);
  await hold(after, "db");
  expect(performance.now() - begun).toBeGreaterThan(1_000);
});

test("SIGTERM does not wait for leases that are kept, frees none of them, and exits with 0", async () => {
  await using server = await startRestartingServer(
    "limiters: [{ name: db, max_concurrent: 1, ttl: 60s }]\ndrain: { timeout: 60s }\n",
  );
  await using before = createGrpcClient(server.address);
  const lease = await hold(before, "db");
  const waiting = await queue(before, { claims: [{ limiter: "db" }] });
  expect(await server.stop()).toMatchObject({ code: 0 });
  expect((await waiting.ending)?.reason).toBe("DRAINING");
  await server.start();
  await using after = createGrpcClient(server.address);
  expect(await tryOne(after, "db")).toBe(Reason.CONCURRENCY_EXHAUSTED);
  const resumed = await hold(after, { resume: { leaseId: lease.leaseId, secret: lease.secret } });
  await giveBack(after, resumed);
  expect(await tryOne(after, "db")).toMatchObject({ resumed: false });
});

test("a retry finds its grant, and the refusal of one that has ended, after a restart", async () => {
  await using server = await startRestartingServer(
    "limiters: [{ name: db, max_concurrent: 2 }, { name: rate, max_rps: 0.001, burst_size: 2 }]\n",
  );
  await using before = createGrpcClient(server.address);
  const ask = (name: string, limiter = "db") => ({ claims: [{ limiter }], requestId: requestId(name) });
  const lives = await before.call(tryAcquire, ask("lives"));
  const ended = await before.call(tryAcquire, ask("ended"));
  const { lease, secret } = ended.result.value as { lease?: { id: string }; secret: string };
  await before.call(release, { leaseId: lease?.id ?? "", secret });
  // A release waits for nothing to be kept; a grant does, and for all that came before it.
  const spent = await before.call(tryAcquire, ask("spent", "rate"));
  await server.crash();
  await server.start();

  await using after = createGrpcClient(server.address);
  const idOf = ({ result }: typeof lives) => (result.case === "granted" ? result.value.lease?.id : undefined);
  expect(idOf(await after.call(tryAcquire, ask("lives")))).toBe(idOf(lives));
  await expect(after.call(tryAcquire, ask("ended"))).rejects.toMatchObject({ reason: "LEASE_ENDED" });
  expect(idOf(await after.call(tryAcquire, ask("spent", "rate")))).toBe(idOf(spent));
  // One token was taken, not two; and nothing came in meanwhile.
  expect(await tryOne(after, "rate")).toMatchObject({ resumed: false });
  expect(await tryOne(after, "rate")).toBe(Reason.RATE_EXHAUSTED);
});

test("waiters that come back with their request ids keep their order, whichever comes first", async () => {
  await using server = await startRestartingServer("limiters: [{ name: db, max_concurrent: 1, ttl: 30s }]\n");
  await using before = createGrpcClient(server.address);
  const lease = await hold(before, "db");
  const ask = (name: string) => ({ claims: [{ limiter: "db" }], requestId: requestId(name) });
  for (const name of ["a", "b", "c"]) await queue(before, ask(name));
  await server.crash();
  await server.start();

  await using after = createGrpcClient(server.address);
  const newcomer = await queue(after, "db");
  const c = await queue(after, ask("c"));
  const a = await queue(after, ask("a"));
  const resumed = await hold(after, { resume: { leaseId: lease.leaseId, secret: lease.secret } });
  const order: string[] = [];
  const note = async (name: string, call: ReturnType<typeof acquire>) => {
    const { lease: granted, secret } = await call.next("granted");
    order.push(name);
    await after.call(release, { leaseId: granted?.id ?? "", secret });
  };
  const all = [note("newcomer", newcomer), note("c", c), note("a", a)];
  await giveBack(after, resumed);
  await Promise.all(all);
  expect(order).toEqual(["a", "c", "newcomer"]);
});

test("a limiter made by RPC is there again, one that the file declares is as it was, and a bucket has gained nothing", async () => {
  await using server = await startRestartingServer("limiters: [{ name: declared, max_concurrent: 1 }]\n");
  await using before = createGrpcClient(server.address);
  await before.call(createLimiter, { limiter: { name: "made", maxRps: 1, burstSize: 5 } });
  for (let i = 0; i < 5; i += 1) await tryOne(before, "made");
  const { limiters } = await before.call(listLimiters, {});
  await server.crash();
  // Downtime is real time: what it would bring has to be more than what comes in while the server is asked.
  await sleep(1_500);
  const begun = performance.now();
  await server.start();

  await using after = createGrpcClient(server.address);
  const again = await after.call(listLimiters, {});
  expect(again.limiters.map(({ name, etag, maxRps, createTime }) => ({ name, etag, maxRps, createTime }))).toEqual(
    limiters.map(({ name, etag, maxRps, createTime }) => ({
      name,
      etag,
      maxRps,
      createTime: expect.objectContaining({ seconds: createTime?.seconds }),
    })),
  );
  const { limiter } = await after.call(getLimiter, { name: "made" });
  expect(limiter?.status?.tokensAvailable).toBeLessThan(0.1 + (performance.now() - begun) / 1_000);
});

test("cards stand where they stood, a worker goes on, and a stage's limiter still counts it", async () => {
  await using server = await startRestartingServer(`
limiters: [{ name: builders, max_concurrent: 1 }]
boards: [{ name: release, ttl: 30s, stages: [{ name: In }, { name: Build, wip_limit: 2, limiter: builders }, { name: Out }] }]
`);
  await using before = createGrpcClient(server.address);
  for (const id of ["one", "two", "three"])
    await before.call(BoardService.method.addCard, { board: "release", card: { id } });
  const card = await work(before, { stage: "Build", worker: "w" });
  await server.crash();
  await server.start();

  await using after = createGrpcClient(server.address);
  const { cards } = await after.call(BoardService.method.listCards, { board: "release" });
  expect(cards.map(({ id, state }) => [id, state]).sort()).toEqual([
    ["one", CardState.ACTIVE],
    ["three", CardState.WAITING],
    ["two", CardState.WAITING],
  ]);
  expect(await tryOne(after, "builders")).toBe(Reason.CONCURRENCY_EXHAUSTED);
  await finish(after, card, "done");
  expect(await tryOne(after, "builders")).toMatchObject({ resumed: false });
});

test("a second server on the same folder says which process has it, and ends", async () => {
  await using server = await startRestartingServer("");
  const second = startServerProcess(`store: { folder: ${server.folder} }\n`);
  await expect(second).rejects.toThrow(
    new RegExp(`the data folder ${server.folder} is in use by process ${server.process.process.pid} on .*, since 20`),
  );
});

/** A server that has been killed, and does not keep leases: it held one of `ttl`. */
async function startForgetful(ttl: string): Promise<RestartingServer> {
  const limiters = `limiters: [{ name: db, max_concurrent: 5, ttl: ${ttl} }]\n`;
  const server = await startRestartingServer(limiters, "leases: none");
  await using client = createGrpcClient(server.address);
  await hold(client, "db");
  await server.crash();
  return server;
}

test("where leases are not kept, a start grants nothing until those of before have run out", async () => {
  await using server = await startForgetful("8s");
  const begun = performance.now();
  await server.start();
  await using client = createGrpcClient(server.address);
  const { result } = await client.call(tryAcquire, { claims: [{ limiter: "db" }] });
  expect(result.value).toMatchObject({ reason: Reason.LEARNING });
  await hold(client, "db");
  expect(performance.now() - begun).toBeGreaterThan(8_000);
  // Said once: the one before the grant that was waited for, and no other.
  expect(await server.process.logged(LEARNED)).toMatchObject({ level: 30, event: "learned" });
});

test("so does one after a run that was stopped in order and one that was not, with leases of the same ttl", async () => {
  await using server = await startForgetful("3s");
  await server.start();
  {
    await using client = createGrpcClient(server.address);
    await giveBack(client, await hold(client, "db"));
  }
  expect(await server.stop()).toMatchObject({ code: 0 });
  await server.start();
  {
    await using client = createGrpcClient(server.address);
    await hold(client, "db");
  }
  await server.crash();
  await server.start();
  // Asked by a call, a server that was slow to start may have learnt all by then.
  expect(await server.process.logged(LEARNS)).toMatchObject({ event: "learning" });
});

test("a server that learns is stopped as any other, and does not stay to the end of that", async () => {
  await using server = await startForgetful("300s");
  await server.start();
  expect(await server.stop()).toMatchObject({ code: 0 });
});

test("with the folder full nothing is granted and health says so; what is held is given back all the same", async () => {
  await using server = await startRestartingServer(
    "limiters: [{ name: db, max_concurrent: 100 }]\nboards: [{ name: b, max_cards: 100000, stages: [{ name: In }, { name: Out, kind: QUEUE, auto_pull: false }] }]\n",
    "max_megabytes: 1",
  );
  await using client = createGrpcClient(server.address);
  const lease = await hold(client, "db");
  const description = "x".repeat(8_000);
  const full = server.process.logged(/the data folder is full/);
  let over = false;
  full.then(() => {
    over = true;
  });
  const adding: Promise<unknown>[] = [];
  for (let i = 0; i < 400 && !over; i += 1) {
    const added = client.call(BoardService.method.addCard, { board: "b", card: { id: `c${i}`, description } });
    adding.push(added.catch(() => {}));
    await Promise.race([added, full]);
  }
  await full;
  expect(await client.call(Health.method.check, {})).toMatchObject({ status: ServingStatus.NOT_SERVING });
  const granted = acquire(client, "db");
  await giveBack(client, lease);
  expect(granted.kinds).toEqual([]);
});
