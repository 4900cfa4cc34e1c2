/** How leases of a session have ended: the words of notices, streams and renewals for it. */

import { Code } from "@connectrpc/connect";
import type { Reason } from "../api/reasons.ts";
import { LeaseEnd } from "../gen/ggen/backpressure/v1/lease_pb.ts";
import type { Status } from "../gen/google/rpc/status_pb.ts";
import { errorOfReason, errorOfStatus, reasonIn } from "./errors.ts";

const REASONS: ReadonlyMap<LeaseEnd, Reason> = new Map<LeaseEnd, Reason>([
  [LeaseEnd.CANCELLED, "LEASE_ENDED"],
  [LeaseEnd.EXPIRED, "LEASE_EXPIRED"],
  [LeaseEnd.REVOKED, "LEASE_REVOKED"],
  [LeaseEnd.DELETED, "LIMITER_DELETED"],
]);

/** Returns what the stream of a lease ends with that has ended so; undefined: OK. */
export function errorOfEnd(end: LeaseEnd): Error | undefined {
  const reason = REASONS.get(end);
  return reason && errorOfReason(reason, Code.Aborted, `the lease has ended: ${reason}`);
}

/** Returns the end that the status of a notice says. */
export function endOfStatus(status: Status): LeaseEnd {
  if (status.code === 0) return LeaseEnd.RELEASED;
  const said = reasonIn(errorOfStatus(status));
  for (const [end, reason] of REASONS) if (reason === said) return end;
  return LeaseEnd.UNSPECIFIED;
}
