/** Leases and waiters as tables. */

import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import {
  type Claim,
  type GrantedClaim,
  type Lease,
  LeaseState,
} from "../../client/gen/ggen/backpressure/v1/lease_pb.ts";
import type { Waiter } from "../../client/gen/ggen/backpressure/v1/limiter_pb.ts";
import { durationToMs } from "../../client/wire/time.ts";
import { formatRoughly } from "../../text/duration.ts";
import { type Column, formatTable } from "../text/table.ts";

export interface TableOptions {
  /** ms since 1970, by the wall clock. */
  readonly now: number;
  /** Columns of the terminal; undefined: as many as it takes. */
  readonly width: number | undefined;
}

export function leaseTable(leases: readonly Lease[], { now, width }: TableOptions): string[] {
  const columns: readonly Column<Lease>[] = [
    { heading: "LEASE", cell: ({ id }) => id },
    { heading: "HOLDER", cell: ({ holder }) => holder || "-", cut: true },
    ...callerColumn(leases),
    { heading: "HOLDS", cell: ({ claims }) => claims.map(grantedWords).join(", "), cut: true },
    { heading: "TOKEN", cell: ({ claims }) => claims.map(tokenWords).join(", "), align: "right", leaveOut: 2 },
    { heading: "STATE", cell: stateWords, leaveOut: 0 },
    { heading: "HELD", cell: ({ grantTime }) => since(grantTime, now), align: "right", leaveOut: 1 },
    { heading: "ENDS IN", cell: ({ expireTime }) => until(expireTime, now), align: "right", leaveOut: 1 },
  ];
  return formatTable(columns, leases, width);
}

export function waiterTable(waiters: readonly Waiter[], { now, width }: TableOptions): string[] {
  const columns: readonly Column<Waiter>[] = [
    // One that has lost its connection blocks no other.
    { heading: "AHEAD", cell: ({ waitersAhead, away }) => (away ? "away" : `${waitersAhead}`), align: "right" },
    { heading: "WAITER", cell: ({ id }) => id },
    { heading: "HOLDER", cell: ({ holder }) => holder || "-", cut: true },
    ...callerColumn(waiters),
    { heading: "WANTS", cell: ({ claims }) => claims.map(wantedWords).join(", "), cut: true },
    { heading: "WAITED", cell: ({ arriveTime }) => since(arriveTime, now), align: "right", leaveOut: 0 },
    {
      heading: "ESTIMATE",
      cell: ({ estimatedWait }) => (estimatedWait === undefined ? "-" : formatRoughly(durationToMs(estimatedWait))),
      align: "right",
      leaveOut: 1,
    },
    { heading: "GIVES UP IN", cell: ({ deadline }) => until(deadline, now), align: "right", leaveOut: 2 },
  ];
  return formatTable(columns, waiters, width);
}

/** None while no client has shown a credential. */
export function callerColumn<T extends { readonly caller: string }>(items: readonly T[]): readonly Column<T>[] {
  if (items.every(({ caller }) => caller === "")) return [];
  return [{ heading: "CALLER", cell: ({ caller }) => caller || "-", cut: true, leaveOut: 3 }];
}

/** When a page was read, by the server's clock (ms since 1970); undefined: an older server, which does not say. */
export function readAt({ readTime }: { readonly readTime?: Timestamp | undefined }): number | undefined {
  return readTime && timestampDate(readTime).getTime();
}

/** `in 8s`, for people; instants are by the server's clock, which may differ from that here. */
export function until(instant: Timestamp | undefined, now: number): string {
  return instant === undefined ? "-" : formatRoughly(Math.max(0, timestampDate(instant).getTime() - now));
}

function since(instant: Timestamp | undefined, now: number): string {
  return instant === undefined ? "-" : formatRoughly(Math.max(0, now - timestampDate(instant).getTime()));
}

function grantedWords({ limiter, key, permits }: GrantedClaim): string {
  return claimWords(limiter, key, permits);
}

function wantedWords({ limiter, key, permits = 1 }: Claim): string {
  return claimWords(limiter, key, permits);
}

/** `gpu`, `gpu ×2`, `db[tenant-7]`. */
function claimWords(limiter: string, key: string, permits: number): string {
  const name = key === "" ? limiter : `${limiter}[${key}]`;
  return permits === 1 ? name : `${name} ×${permits}`;
}

function tokenWords({ fencingToken }: GrantedClaim): string {
  return fencingToken.toString();
}

const STATES = new Map<LeaseState, string>([
  [LeaseState.ATTACHED, "attached"],
  [LeaseState.ORPHANED, "orphaned"],
  [LeaseState.DETACHED, "detached"],
]);

function stateWords({ state, revoking }: Lease): string {
  return revoking ? "revoking" : (STATES.get(state) ?? "-");
}
