/** A transport worker that fails takes its own connections with it, and nothing else. */

import { expect, test } from "vitest";
import { AdmissionService } from "../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { LeaseState } from "../../../src/client/gen/ggen/backpressure/v1/lease_pb.ts";
import { LimiterService } from "../../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { connect } from "../../../src/client/index.ts";
import { hold } from "../../support/acquire.ts";
import type { ContractClient } from "../../support/contract-client.ts";
import { createGrpcClient } from "../../support/grpc-client.ts";
import { type ServerProcess, startServerProcess } from "../../support/server-process.ts";
import type { Crash } from "../support/crash-worker.ts";

const CRASH = new URL("../support/crash-worker.ts", import.meta.url).href;
/** So many that both workers have some: which has which is the kernel's choice. */
const CONNECTIONS = 12;
/** ms: a server and several threads start in each test. */
const TIMEOUT = 120_000;
const LIMITERS = "limiters: [{ name: db, max_concurrent: 1000, ttl: 30s }, { name: rate, max_rps: 1000000 }]\n";

const SAID = { throws: /a bug in a worker/, "fills its memory": /of \d+ MB of its heap are in use/ };
/** ms that a call may take: one on a connection of a worker that hangs has no other end. */
const CALL_TIMEOUT = 5_000;

function startServer(nodeArguments: readonly string[] = []): Promise<ServerProcess> {
  return startServerProcess(`workers: 2\n${LIMITERS}`, { nodeArguments: [...nodeArguments, "--import", CRASH] });
}

function crash({ process }: ServerProcess, index: number, how: Crash["how"]): void {
  process.send({ index, how } satisfies Crash);
}

interface User extends AsyncDisposable {
  readonly calls: number;
  readonly failedCalls: number;
  /** Whether the stream that held its lease has ended. */
  readonly lost: boolean;
}

/** Holds a lease by a stream, and makes one short call after the other over the same connection. */
async function startUser(client: ContractClient): Promise<User> {
  const { ending } = await hold(client, "db");
  const user = { calls: 0, failedCalls: 0, lost: false };
  let stopped = false;
  ending.then(() => {
    user.lost = true;
  });
  const callAgain = async () => {
    while (!stopped) {
      try {
        const request = { claims: [{ limiter: "rate" }] };
        await client.call(AdmissionService.method.tryAcquire, request, { timeout: CALL_TIMEOUT });
        user.calls += 1;
      } catch {
        user.failedCalls += 1;
      }
    }
  };
  const calling = callAgain();
  return Object.assign(user, {
    async [Symbol.asyncDispose]() {
      stopped = true;
      await calling;
    },
  });
}

async function leasesIn(state: LeaseState, { address }: ServerProcess): Promise<number> {
  await using operator = createGrpcClient(address);
  // Awaited here: the client is put away when this function ends.
  return await countLeases(state, operator);
}

async function countLeases(state: LeaseState, operator: ContractClient): Promise<number> {
  const { leases } = await operator.call(LimiterService.method.listLeases, { limiter: "db", pageSize: 1_000 });
  return leases.filter((lease) => lease.state === state).length;
}

test.each(["throws", "fills its memory"] as const)(
  "a worker that %s under load: its connections are lost, others do not notice, and another takes its place",
  async (how) => {
    await using server = await startServer(["--max-old-space-size=160"]);
    await using cleanup = new AsyncDisposableStack();
    const clients = Array.from({ length: CONNECTIONS }, () => cleanup.use(createGrpcClient(server.address)));
    // Put away before their clients, also if the test fails: calls over a closed client fail at once, without end.
    const calling = cleanup.use(new AsyncDisposableStack());
    const users = await Promise.all(clients.map(async (client) => calling.use(await startUser(client))));
    crash(server, 0, how);
    const failed = await server.logged(/a transport worker has failed/);
    expect(failed).toMatchObject({ level: 50, worker: 1 });
    expect(JSON.stringify(failed)).toMatch(SAID[how]);
    await server.logged(/has taken the place/);
    const before = users.map(({ calls }) => calls);
    const goOn = () => users.every(({ calls, lost }, i) => lost || calls > (before[i] ?? 0) + 10);
    await expect.poll(goOn, { timeout: 20_000 }).toBe(true);
    await calling.disposeAsync();
    const lost = users.filter((user) => user.lost);
    expect(lost.length).toBeGreaterThan(0);
    expect(lost.length).toBeLessThan(CONNECTIONS);
    expect(users.filter((user) => user.failedCalls > 0 && !user.lost)).toEqual([]);
    expect(await leasesIn(LeaseState.ORPHANED, server)).toBe(lost.length);
    expect(await leasesIn(LeaseState.ATTACHED, server)).toBe(CONNECTIONS - lost.length);
  },
  TIMEOUT,
);

test("a worker that hangs is noticed and left: what its connections hold has its ttl, others go on, and another takes its place", {
  timeout: TIMEOUT,
}, async () => {
  await using server = await startServer();
  await using cleanup = new AsyncDisposableStack();
  const clients = Array.from({ length: CONNECTIONS }, () => cleanup.use(createGrpcClient(server.address)));
  const calling = cleanup.use(new AsyncDisposableStack());
  const users = await Promise.all(clients.map(async (client) => calling.use(await startUser(client))));
  crash(server, 0, "hangs");
  const { connections, ...hang } = await server.logged(/a transport worker hangs/);
  expect(hang).toMatchObject({ level: 50, worker: 1, msg: expect.stringContaining("restart the server soon") });
  await server.logged(/has taken the place/);
  const before = users.map(({ calls }) => calls);
  const goOn = () => users.filter(({ calls }, i) => calls > (before[i] ?? 0) + 10);
  await expect.poll(() => goOn().length, { timeout: 20_000 }).toBe(CONNECTIONS - Number(connections));
  expect(goOn().filter(({ failedCalls, lost }) => failedCalls > 0 || lost)).toEqual([]);
  const operator = clients[users.indexOf(goOn()[0] as (typeof users)[number])] as ContractClient;
  expect(await countLeases(LeaseState.ORPHANED, operator)).toBe(connections);
  expect(await countLeases(LeaseState.ATTACHED, operator)).toBe(CONNECTIONS - Number(connections));
});

test("a second worker that hangs ends the server, which says why", { timeout: TIMEOUT }, async () => {
  await using server = await startServer();
  for (const index of [0, 1]) {
    crash(server, index, "hangs");
    await server.logged(/a transport worker hangs/);
  }
  await server.exited;
  await expect(server.logged(/never/)).rejects.toThrow(/backpressure: transport workers hang/);
});

test("clients of the package keep their leases through the failure of each worker", { timeout: TIMEOUT }, async () => {
  await using server = await startServer();
  await using cleanup = new AsyncDisposableStack();
  const leases = await Promise.all(
    Array.from({ length: CONNECTIONS }, () => cleanup.use(connect(server.address)).acquire("db")),
  );
  for (const index of [0, 1]) {
    crash(server, index, "throws");
    await server.logged(/has taken the place/);
  }
  await expect.poll(() => leasesIn(LeaseState.ATTACHED, server), { timeout: 20_000 }).toBe(CONNECTIONS);
  expect(leases.filter(({ signal }) => signal.aborted)).toEqual([]);
});

test("workers that fail again and again end the server, which says why", { timeout: TIMEOUT }, async () => {
  await using server = await startServer();
  for (let i = 0; i < 5; i++) {
    crash(server, 0, "throws");
    await server.logged(/has taken the place/);
  }
  crash(server, 0, "throws");
  expect(await server.exited).toMatchObject({ code: 1 });
  await expect(server.logged(/never/)).rejects.toThrow(
    /backpressure: transport workers fail again and again; the last one with: a bug in a worker/,
  );
});
