/** Looking at a server from outside. */

import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { Lease } from "../../src/client/gen/ggen/backpressure/v1/lease_pb.ts";
import type { Limiter, LimiterStatus, Waiter } from "../../src/client/gen/ggen/backpressure/v1/limiter_pb.ts";
import { LimiterService } from "../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { Health } from "../../src/client/gen/grpc/health/v1/health_pb.ts";
import { createSystemClock } from "../../src/server/clock.ts";
import type { ContractClient } from "./contract-client.ts";
import { WORKERS } from "./workers.ts";

export async function limiterOf(client: ContractClient, name: string): Promise<Limiter> {
  const { limiter } = await client.call(LimiterService.method.getLimiter, { name });
  return limiter as Limiter;
}

export async function statusOf(client: ContractClient, name: string): Promise<LimiterStatus> {
  return (await limiterOf(client, name)).status as LimiterStatus;
}

export async function leasesOf(client: ContractClient, limiter = ""): Promise<readonly Lease[]> {
  return (await client.call(LimiterService.method.listLeases, { limiter, pageSize: 1000 })).leases;
}

export async function waitersOf(client: ContractClient, limiter: string): Promise<readonly Waiter[]> {
  return (await client.call(LimiterService.method.listWaiters, { limiter, pageSize: 1000 })).waiters;
}

/** Resolves when a limiter's status is as wanted, as its watchers see it. */
export async function untilStatus(
  client: ContractClient,
  name: string,
  isWanted: (status: LimiterStatus) => boolean,
): Promise<void> {
  const stream = client.open(LimiterService.method.watchLimiters, { names: [name] });
  for (;;) {
    const { event } = await stream.next();
    const limiters = event.case === "snapshot" ? event.value.limiters : event.case === "changed" ? [event.value] : [];
    if (limiters.some(({ status }) => status !== undefined && isWanted(status))) break;
  }
  stream.cancel();
}

/**
 * Resolves when the server has answered one more question on this client's connection, one that decides nothing itself: by
 * then everything has come over it that was decided before, since the server writes in the order in which it decides. Where workers
 * carry the connections, health is their own, and the thread that decides has to be asked.
 */
export async function roundTrip(client: ContractClient): Promise<void> {
  if (WORKERS === 0) await client.call(Health.method.check, {});
  else await client.call(LimiterService.method.listLimiters, { pageSize: 1 });
}

/** µs since 1970. */
export function microsOf(time: Timestamp | undefined): number {
  if (time === undefined) throw new Error("there is no time");
  return Number(time.seconds) * 1e6 + Math.floor(time.nanos / 1000);
}

const clock = createSystemClock();

/** µs since 1970 by the clock of this process, which a server in it has too. */
export function nowMicros(): number {
  return Math.floor(clock.wallTime(clock.now()) * 1000);
}
