/** A server that has seen something of everything: grants, waits, refusals, ends of leases, work on a board. */

import { AdmissionService } from "../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { WorkOutcome } from "../../../src/client/gen/ggen/backpressure/v1/lease_pb.ts";
import { connect } from "../../../src/client/index.ts";
import { hold, queue } from "../../support/acquire.ts";
import { createGrpcClient } from "../../support/grpc-client.ts";
import { type ServerProcess, startServerProcess } from "../../support/server-process.ts";

/** What it is configured with, but for the listeners. */
export const YAML = `
metrics: { keys: [{ limiter: tenants, key: acme }] }
limiters:
  - { name: db, max_concurrent: 2, rate: 1000/s }
  - { name: web, max_concurrent: 10 }
  - { name: tenants, keyed: true, max_concurrent: 1, max_waiters: 0 }
  - { name: reports, max_concurrent: 1, paused: true }
boards:
  - name: pipeline
    stages:
      - { name: Backlog }
      - { name: Doing, wip_limit: 2 }
      - { name: Done }
`;

/** Starts one with a data folder; what waits and holds goes on waiting and holding until it is disposed. */
export async function startBusyServer(folder: string): Promise<ServerProcess> {
  await using cleanup = new AsyncDisposableStack();
  const server = cleanup.use(await startServerProcess(YAML, { flags: ["--data", folder] }));
  const client = cleanup.use(createGrpcClient(server.address));
  for (const outcome of [WorkOutcome.SUCCESS, WorkOutcome.OVERLOADED, WorkOutcome.IGNORED]) {
    const { leaseId, secret } = await hold(client, "db");
    await client.call(AdmissionService.method.release, { leaseId, secret, outcome });
  }
  await hold(client, { claims: [{ limiter: "db", permits: 2 }] });
  await queue(client, "db");
  await hold(client, { claims: [{ limiter: "tenants", key: "acme" }] });
  await client.call(AdmissionService.method.tryAcquire, { claims: [{ limiter: "tenants", key: "acme" }] });
  await workOnBoard(server.address);
  const own = cleanup.move();
  return { ...server, [Symbol.asyncDispose]: () => own.disposeAsync() };
}

async function workOnBoard(address: string): Promise<void> {
  await using client = connect(address);
  const board = client.board("pipeline");
  await board.add({ id: "parser", title: "Write the parser" });
  await board.add({ id: "lexer", title: "Write the lexer" });
  await using work = await board.pull("Doing", { worker: "me", maxWait: 5_000 });
  await work.finish("it parses");
}
