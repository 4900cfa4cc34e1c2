/** A transport worker that hangs takes its own connections with it, and a second one the server: each is noticed after ten seconds. */

import { expect, test } from "vitest";
import { LeaseState } from "../../src/client/gen/ggen/backpressure/v1/lease_pb.ts";
import {
  CONNECTIONS,
  countLeases,
  crash,
  startServerWithWorkers,
  startUser,
  TIMEOUT,
} from "../e2e/support/failing-workers.ts";
import type { ContractClient } from "../support/contract-client.ts";
import { createGrpcClient } from "../support/grpc-client.ts";

test("a worker that hangs is noticed and left: what its connections hold has its ttl, others go on, and another takes its place", {
  timeout: TIMEOUT,
}, async () => {
  await using server = await startServerWithWorkers();
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
  await using server = await startServerWithWorkers();
  for (const index of [0, 1]) {
    crash(server, index, "hangs");
    await server.logged(/a transport worker hangs/);
  }
  await server.exited;
  await expect(server.logged(/never/)).rejects.toThrow(/backpressure: transport workers hang/);
});
