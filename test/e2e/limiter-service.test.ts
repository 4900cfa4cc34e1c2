import type { MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { AdmissionService } from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import type { Limiter, LimiterSchema } from "../../src/client/gen/ggen/backpressure/v1/limiter_pb.ts";
import { LimiterService } from "../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { Reason } from "../../src/client/gen/ggen/backpressure/v1/reason_pb.ts";
import { giveBack, hold, queue } from "../support/acquire.ts";
import { Code, failureOf } from "../support/call-failure.ts";
import type { ContractClient } from "../support/contract-client.ts";
import { limiterOf, statusOf } from "../support/look.ts";
import { startTestServer } from "../support/server.ts";

const { tryAcquire } = AdmissionService.method;
const {
  createLimiter,
  deleteLimiter,
  getLimiter,
  getLimiterHistory,
  listLeases,
  listLimiters,
  listWaiters,
  updateLimiter,
} = LimiterService.method;

/** Reads pages until there are no more. */
async function readAll<T>(
  page: (pageToken: string) => Promise<{ readonly items: readonly T[]; readonly nextPageToken: string }>,
): Promise<readonly (readonly T[])[]> {
  const pages: (readonly T[])[] = [];
  let token = "";
  do {
    const { items, nextPageToken } = await page(token);
    pages.push(items);
    token = nextPageToken;
  } while (token !== "");
  return pages;
}

async function update(
  client: ContractClient,
  limiter: MessageInitShape<typeof LimiterSchema>,
  ...paths: string[]
): Promise<Limiter> {
  const { limiter: changed } = await client.call(updateLimiter, { limiter, updateMask: { paths } });
  return changed as Limiter;
}

test("a limiter is shown with all that is in force, and made again as it stands it is the same", async () => {
  await using server = await startTestServer("limiters: []");
  const client = server.grpc();
  const limiter = { name: "team/db", description: "The database", maxRps: 500, maxConcurrent: 20 };
  const made = await client.call(createLimiter, { limiter });
  expect(made.limiter).toMatchObject({
    ...limiter,
    burstSize: 25,
    maxWaiters: 10_000,
    ttl: { seconds: 30n },
    maxTtl: { seconds: 300n },
    trustCancel: true,
    paused: false,
    declared: false,
    etag: "1",
  });
  expect((await client.call(createLimiter, { limiter })).limiter).toMatchObject({ ...limiter, etag: "1" });
  // What it is shown as makes the same limiter, too.
  const shown = (await client.call(getLimiter, { name: "team/db" })).limiter as Limiter;
  expect((await client.call(createLimiter, { limiter: shown })).limiter).toMatchObject({ etag: "1" });
});

test("limiters are listed by name, page by page, though some come and go between two pages", async () => {
  await using server = await startTestServer("limiters: []");
  const client = server.grpc();
  const names = Array.from({ length: 25 }, (_, i) => `l${String(i).padStart(2, "0")}`);
  for (const name of names.toReversed()) await client.call(createLimiter, { limiter: { name, maxConcurrent: 1 } });
  const pages = await readAll(async (pageToken) => {
    const { limiters, nextPageToken } = await client.call(listLimiters, { pageSize: 10, pageToken });
    if (pageToken === "") await client.call(deleteLimiter, { name: limiters.at(-1)?.name ?? "" });
    return { items: limiters.map(({ name }) => name), nextPageToken };
  });
  expect(pages.map(({ length }) => length)).toEqual([10, 10, 5]);
  expect(pages.flat()).toEqual(names);
});

test("an update changes what its mask names, or without one what is set, and nothing else", async () => {
  await using server = await startTestServer("limiters: []");
  const client = server.grpc();
  const limiter = { name: "db", description: "one", maxRps: 100, maxConcurrent: 5, maxWaiters: 7 };
  await client.call(createLimiter, { limiter });
  expect(await update(client, { name: "db", maxConcurrent: 6 })).toMatchObject({
    ...limiter,
    maxConcurrent: 6,
    etag: "2",
  });
  const masked = { name: "db", description: "two", maxConcurrent: 1, maxRps: 9 };
  const changed = await update(client, masked, "description", "max_waiters", "max_concurrent");
  expect(changed).toMatchObject({ description: "two", maxRps: 100, maxConcurrent: 1, maxWaiters: 10_000, etag: "3" });
  const cleared = await update(client, { name: "db" }, "max_rps", "description");
  expect(cleared).toMatchObject({ description: "", maxConcurrent: 1, etag: "4" });
  expect(cleared.maxRps).toBeUndefined();
  expect(cleared.burstSize).toBeUndefined();
});

test("of two clients that change what they have read, the later one is refused", async () => {
  await using server = await startTestServer("limiters: []");
  const [client, other] = [server.grpc(), server.connect({ protocol: "connect-json", httpVersion: "1.1" })];
  await client.call(createLimiter, { limiter: { name: "db", maxConcurrent: 1 } });
  const [mine, theirs] = [await limiterOf(client, "db"), await limiterOf(other, "db")];
  await update(other, { name: "db", etag: theirs.etag, maxConcurrent: 2 });
  const stale = { code: Code.Aborted, reason: "ETAG_MISMATCH", metadata: { limiter: "db" } };
  expect(await failureOf(update(client, { name: "db", etag: mine.etag, maxConcurrent: 3 }))).toMatchObject(stale);
  expect(await failureOf(client.call(deleteLimiter, { name: "db", etag: mine.etag }))).toMatchObject(stale);
  const { etag, maxConcurrent } = await limiterOf(client, "db");
  expect(maxConcurrent).toBe(2);
  await client.call(deleteLimiter, { name: "db", etag });
});

test("changes of many at once, each of one field, are all kept", async () => {
  await using server = await startTestServer("limiters: [{ name: db, max_concurrent: 1 }]");
  const clients = [server.grpc(), server.grpc(), server.grpc()];
  await Promise.all([
    ...clients.map((client) => update(client, { name: "db", maxRps: 77 })),
    ...clients.map((client) => update(client, { name: "db", description: "changed" })),
    ...clients.map((client) => update(client, { name: "db", maxConcurrent: 8 })),
  ]);
  expect(await limiterOf(clients[0] as ContractClient, "db")).toMatchObject({
    maxRps: 77,
    description: "changed",
    maxConcurrent: 8,
    etag: "10",
  });
});

test("deletion by force ends leases and waiters at once, also those that hold or want something else beside", async () => {
  await using server = await startTestServer("limiters: [{ name: other, max_concurrent: 2 }]");
  const client = server.grpc();
  await client.call(createLimiter, { limiter: { name: "db", maxConcurrent: 1 } });
  const both = [{ limiter: "other" }, { limiter: "db" }];
  const holder = await hold(client, { claims: both });
  const waiter = await queue(client, { claims: both });
  expect(await client.call(deleteLimiter, { name: "db", force: true })).toMatchObject({ drainingLeases: 0n });
  expect(await holder.ending).toMatchObject({ code: Code.Aborted, reason: "LIMITER_DELETED" });
  expect(await waiter.ending).toMatchObject({ code: Code.NotFound, reason: "LIMITER_NOT_FOUND" });
  expect(await statusOf(client, "other")).toMatchObject({ permitsInUse: 0n, waiters: 0n, leases: 0n });
  await client.call(createLimiter, { limiter: { name: "db", maxConcurrent: 1 } });
});

test("leases and waiters are listed in order, page by page, of one limiter or key", async () => {
  await using server = await startTestServer(`limiters:
    - { name: tenants, keyed: true, max_concurrent: 6 }
    - { name: db, max_concurrent: 5 }`);
  const client = server.grpc();
  const holders: string[] = [];
  for (let i = 0; i < 12; i += 1) {
    const claims = [{ limiter: "tenants", key: i % 2 === 0 ? "ada" : "bob" }];
    holders.push((await hold(client, { claims, holder: `h${i}` })).leaseId);
  }
  await hold(client, "db");
  for (let i = 0; i < 7; i += 1) {
    await queue(client, { claims: [{ limiter: "tenants", key: i < 5 ? "ada" : "bob" }], holder: `w${i}` });
  }

  const leases = (limiter: string, key = "") =>
    readAll(async (pageToken) => {
      const page = await client.call(listLeases, { limiter, key, pageSize: 5, pageToken });
      return { items: page.leases.map(({ id }) => id), nextPageToken: page.nextPageToken };
    });
  const waiters = (limiter: string, key = "") =>
    readAll(async (pageToken) => {
      const page = await client.call(listWaiters, { limiter, key, pageSize: 3, pageToken });
      return { items: page.waiters.map(({ holder }) => holder), nextPageToken: page.nextPageToken };
    });
  expect((await leases("")).flat()).toHaveLength(13);
  expect((await leases("tenants")).map(({ length }) => length)).toEqual([5, 5, 2]);
  expect((await leases("tenants")).flat()).toEqual(holders);
  expect((await leases("tenants", "bob")).flat()).toEqual(holders.filter((_, i) => i % 2 === 1));
  expect(await waiters("tenants")).toEqual([["w0", "w1", "w2"], ["w3", "w4", "w5"], ["w6"]]);
  expect(await waiters("tenants", "bob")).toEqual([["w5", "w6"]]);
  expect(await waiters("db")).toEqual([[]]);

  const ofKey = async (key: string) => (await client.call(getLimiter, { name: "tenants", key })).limiter?.status;
  expect(await ofKey("")).toMatchObject({ permitsInUse: 12n, permitsLimit: 12n, waiters: 7n, keys: 2n });
  expect(await ofKey("bob")).toMatchObject({ permitsInUse: 6n, permitsLimit: 6n, waiters: 2n });
  expect(await ofKey("eve")).toMatchObject({ permitsInUse: 0n, permitsLimit: 6n, waiters: 0n });
});

test("a limiter's figures say what has gone on", async () => {
  await using server = await startTestServer("limiters: [{ name: db, max_concurrent: 1, max_waiters: 1 }]");
  const client = server.grpc();
  const holder = await hold(client, "db");
  const waiter = await queue(client, "db");
  for (let i = 0; i < 3; i += 1) await client.call(tryAcquire, { claims: [{ limiter: "db" }] });
  await giveBack(client, holder);
  await waiter.next("granted");
  const status = await statusOf(client, "db");
  expect(status).toMatchObject({
    grantedCount: 2n,
    leases: 1n,
    refusals: [{ reason: Reason.WAITERS_AHEAD, count: 3n }],
  });
  expect(status.arrivalRate).toBeGreaterThan(status.admissionRate);
  expect(status.admissionRate).toBeGreaterThan(status.completionRate);
  expect(status.completionRate).toBeGreaterThan(0);
  for (const time of [status.meanHoldTime, status.waitTimeP99]) expect(time?.nanos).toBeGreaterThan(0);
});

test("the history of a limiter begins with its first quarter of a minute, and there is none of one that does not exist", async () => {
  await using server = await startTestServer("limiters: [{ name: db, max_concurrent: 1 }]");
  const client = server.grpc();
  expect(await client.call(getLimiterHistory, { name: "db" })).toMatchObject({ samples: [] });
  expect(await failureOf(client.call(getLimiterHistory, { name: "none" }))).toMatchObject({
    code: Code.NotFound,
    reason: "LIMITER_NOT_FOUND",
  });
});
