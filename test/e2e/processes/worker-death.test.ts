/** A transport worker that fails takes its own connections with it, and nothing else. */

import { expect, test } from "vitest";
import { LeaseState } from "../../../src/client/gen/ggen/backpressure/v1/lease_pb.ts";
import { connect } from "../../../src/client/index.ts";
import { createGrpcClient } from "../../support/grpc-client.ts";
import {
  CONNECTIONS,
  crash,
  leasesIn,
  startServerWithWorkers,
  startUser,
  TIMEOUT,
} from "../support/failing-workers.ts";

const SAID = { throws: /a bug in a worker/, "fills its memory": /of \d+ MB of its heap are in use/ };

test.each(["throws", "fills its memory"] as const)(
  "a worker that %s under load: its connections are lost, others do not notice, and another takes its place",
  async (how) => {
    await using server = await startServerWithWorkers(["--max-old-space-size=160"]);
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

test("clients of the package keep their leases through the failure of each worker", { timeout: TIMEOUT }, async () => {
  await using server = await startServerWithWorkers();
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
  await using server = await startServerWithWorkers();
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
