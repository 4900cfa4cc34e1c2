/** A server with half an hour behind it: a pool whose holders do not release, queues that move, one that is paused. */

import { AdmissionService } from "../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { acquire, type Hold, hold, queue } from "../../support/acquire.ts";
import type { ContractClient } from "../../support/contract-client.ts";
import { createJumpingClock, type JumpingClock } from "../../support/jumping-clock.ts";
import { startTestServer, type TestServer } from "../../support/server.ts";

export interface BusyServer extends AsyncDisposable {
  readonly server: TestServer;
  readonly clock: JumpingClock;
  readonly client: ContractClient;
  /** The four that hold `gpu-pool`. */
  readonly holders: readonly Hold[];
}

const LONG = "ttl: 24h, max_ttl: 24h";

const LIMITERS = `
limiters:
  - { name: gpu-pool, description: Eight cards for training, max_concurrent: 4, ${LONG} }
  - { name: thumbnails, description: Resizes what users upload, max_concurrent: 10, ${LONG} }
  - { name: payments-db, description: The primary of the payments cluster, max_concurrent: 20, ${LONG} }
  - { name: partner-api, rate: 5/s, burst_size: 5, max_concurrent: 40, ${LONG} }
  - { name: reports, description: Monthly reports, max_concurrent: 2, paused: true, ${LONG} }
  - { name: webhooks, max_concurrent: 1, max_waiters: 0, ${LONG} }
  - { name: mail, rate: 10/m }
  - { name: search, max_concurrent: 100, ${LONG} }
  - { name: tenants, keyed: true, max_concurrent: 3, ${LONG} }
  - { name: exports, max_concurrent: 5, ${LONG} }
`;

/** µs. */
const SECOND = 1_000_000;
const INTERVAL = 15 * SECOND;
const ROUNDS = 120;
/** Intervals for which `gpu-pool` has been stuck at the end. */
const STUCK_FOR = 48;

export interface BusyServerOptions {
  /** What else is configured. */
  readonly yaml?: string;
  /** What has happened before. */
  readonly before?: (client: ContractClient, clock: JumpingClock) => Promise<void>;
}

export async function startBusyServer(options: BusyServerOptions = {}): Promise<BusyServer> {
  const { yaml = "", before } = options;
  const clock = createJumpingClock();
  const server = await startTestServer(LIMITERS + yaml, { clock });
  const client = server.grpc();
  await before?.(client, clock);
  const take = async (limiter: string, holder: string) => {
    await client.call(AdmissionService.method.tryAcquire, { claims: [{ limiter }], holder });
  };
  const churn: Hold[] = [];
  const holders: Hold[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const wanted = 9 + Math.round(6 * Math.sin(round / 9) + 2 * Math.sin(round / 2.5));
    while (churn.length < wanted) {
      churn.push(await hold(client, { claims: [{ limiter: "payments-db" }], holder: `invoices@host-${churn.length}` }));
    }
    while (churn.length > wanted) {
      const one = churn.shift();
      if (one) await client.call(AdmissionService.method.release, { leaseId: one.leaseId, secret: one.secret });
    }
    for (let calls = 0; calls < 3 + (round % 5); calls++) await take("mail", "newsletter");
    if (round === ROUNDS - STUCK_FOR) {
      for (const node of ["node-3", "node-5", "node-6", "node-9"]) {
        holders.push(await hold(client, { claims: [{ limiter: "gpu-pool" }], holder: `train-7@${node}` }));
      }
    }
    if (round >= ROUNDS - STUCK_FOR && round % 8 === 0) {
      await queue(client, { claims: [{ limiter: "gpu-pool" }], holder: `train-${8 + round / 8}@node-2` });
    }
    clock.jump(INTERVAL);
    await turns();
  }
  await queue(client, { claims: [{ limiter: "thumbnails" }, { limiter: "gpu-pool" }], holder: "resize@host-1" });
  for (const holder of ["finance", "sales"]) await queue(client, { claims: [{ limiter: "reports" }], holder });
  for (const key of ["acme", "globex"]) {
    for (let count = 0; count < 3; count++)
      await hold(client, { claims: [{ limiter: "tenants", key }], holder: `web-${count}` });
  }
  await hold(client, { claims: [{ limiter: "webhooks" }], holder: "deliver@host-4" });
  clock.jump(4 * 60 * SECOND);
  await turns();
  for (let count = 0; count < 40; count++) await take("webhooks", "deliver@host-5");
  for (let count = 0; count < 30; count++)
    acquire(client, { claims: [{ limiter: "partner-api" }], holder: `sync-${count}` });
  await turns();
  return { server, clock, client, holders, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

/** What has fallen due has its turn. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}
