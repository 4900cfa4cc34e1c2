/** Grants over gRPC: each stream of a limiter that only has a rate ends with its grant, and the next one takes its place. */

import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { acquire } from "../../test/support/acquire.ts";
import { createGrpcClient } from "../../test/support/grpc-client.ts";

interface Grant {
  readonly fencingToken: bigint;
  readonly time: Timestamp;
}

/**
 * The instants (µs, from the first) of the grants of so many ms, and of the one after: those that the server tells, since
 * answers are delayed on their way, and not all alike.
 */
export async function grantOverSockets(
  address: string,
  limiter: string,
  { duration, waiters }: { readonly duration: number; readonly waiters: number },
): Promise<readonly number[]> {
  const grants: Grant[] = [];
  const begun = performance.now();
  let over = false;

  async function waitAgainAndAgain(client: ReturnType<typeof createGrpcClient>): Promise<void> {
    while (!over) {
      const grant = await waitOnce(client, limiter);
      if (over) return;
      grants.push(grant);
      over = performance.now() - begun >= duration;
    }
  }

  await using client = createGrpcClient(address);
  const first = Promise.race(Array.from({ length: waiters }, () => waitAgainAndAgain(client)));
  await first;
  // In the order of the grants, whichever answer came first.
  grants.sort((a, b) => Number(a.fencingToken - b.fencingToken));
  const [origin] = grants;
  return grants.map(({ time }) => (origin === undefined ? 0 : microsBetween(origin.time, time)));
}

async function waitOnce(client: ReturnType<typeof createGrpcClient>, limiter: string): Promise<Grant> {
  const { lease } = await acquire(client, limiter).next("granted");
  const [claim] = lease?.claims ?? [];
  if (lease?.grantTime === undefined || claim === undefined) throw new Error("a grant without a time or a claim");
  return { fencingToken: claim.fencingToken, time: lease.grantTime };
}

function microsBetween(from: Timestamp, to: Timestamp): number {
  return Number(to.seconds - from.seconds) * 1e6 + Math.round((to.nanos - from.nanos) / 1000);
}
