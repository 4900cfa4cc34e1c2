/** A server with transport workers that can be made to fail, and users of its connections. */

import { AdmissionService } from "../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import type { LeaseState } from "../../../src/client/gen/ggen/backpressure/v1/lease_pb.ts";
import { LimiterService } from "../../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { hold } from "../../support/acquire.ts";
import type { ContractClient } from "../../support/contract-client.ts";
import { createGrpcClient } from "../../support/grpc-client.ts";
import { type ServerProcess, startServerProcess } from "../../support/server-process.ts";
import type { Crash } from "./crash-worker.ts";

const CRASH = new URL("./crash-worker.ts", import.meta.url).href;
/** So many that both workers have some: which has which is the kernel's choice. */
export const CONNECTIONS = 12;
/** ms: a server and several threads start in each test. */
export const TIMEOUT = 120_000;
const LIMITERS = "limiters: [{ name: db, max_concurrent: 1000, ttl: 30s }, { name: rate, max_rps: 1000000 }]\n";

/** ms that a call may take: one on a connection of a worker that hangs has no other end. */
const CALL_TIMEOUT = 5_000;

export function startServerWithWorkers(nodeArguments: readonly string[] = []): Promise<ServerProcess> {
  return startServerProcess(`workers: 2\n${LIMITERS}`, { nodeArguments: [...nodeArguments, "--import", CRASH] });
}

export function crash({ process }: ServerProcess, index: number, how: Crash["how"]): void {
  process.send({ index, how } satisfies Crash);
}

export interface User extends AsyncDisposable {
  readonly calls: number;
  readonly failedCalls: number;
  /** Whether the stream that held its lease has ended. */
  readonly lost: boolean;
}

/** Holds a lease by a stream, and makes one short call after the other over the same connection. */
export async function startUser(client: ContractClient): Promise<User> {
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

export async function leasesIn(state: LeaseState, { address }: ServerProcess): Promise<number> {
  await using operator = createGrpcClient(address);
  // Awaited here: the client is put away when this function ends.
  return await countLeases(state, operator);
}

export async function countLeases(state: LeaseState, operator: ContractClient): Promise<number> {
  const { leases } = await operator.call(LimiterService.method.listLeases, { limiter: "db", pageSize: 1_000 });
  return leases.filter((lease) => lease.state === state).length;
}
