/** The leases of a session. */

import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import {
  type AcquireResponse,
  AcquireResponseSchema,
  type Draining,
  type Granted,
  GrantedSchema,
  type Revoking,
} from "../gen/ggen/backpressure/v1/admission_service_pb.ts";
import type { Status } from "../gen/google/rpc/status_pb.ts";
import type { Clock } from "../rpc/clock.ts";
import { durationToMs, msToDuration } from "../wire/time.ts";
import { errorOfReason, errorOfStatus } from "./errors.ts";
import type { EventQueue } from "./event-queue.ts";
import { createMembers, type Member, type Members } from "./members.ts";

export type LeaseStream = EventQueue<AcquireResponse>;
export type LeaseMember = Member<LeaseGrant, AcquireResponse>;

interface LeaseGrant {
  readonly granted: Granted;
  /** An operator has asked for it back. */
  revoking: Revoking | undefined;
}

export interface Leases extends Omit<Members<LeaseGrant, AcquireResponse>, "adopt" | "end" | "tell"> {
  /** Holds what was granted, over this stream if there is one. Returns undefined for a grant that holds nothing. */
  adopt(granted: Granted, stream: LeaseStream | undefined): LeaseMember | undefined;
  revoke(leaseId: string, revoking: Revoking): void;
  end(leaseId: string, status: Status): void;
  drain(draining: Draining): void;
}

/** `onHeld` is called with when it is overdue, in monotonic ms, unless it is wanted again. */
export function createLeases(clock: Clock, onHeld: (due: number) => void): Leases {
  const members = createMembers<LeaseGrant, AcquireResponse>();
  return {
    ...members,
    get living() {
      return members.living;
    },
    get attached() {
      return members.attached;
    },
    adopt(granted, stream) {
      const { lease } = granted;
      if (!lease?.claims.some(({ permits }) => permits > 0)) return undefined;
      const ttl = lease.ttl ? durationToMs(lease.ttl) : 0;
      const revoking = members.get(lease.id)?.grant?.revoking;
      const wantedAt = clock.now().monotonic;
      if (ttl > 0) onHeld(wantedAt + ttl);
      return members.adopt({ key: lease.id, grant: { granted, revoking }, ttl, wantedAt, stream }, () =>
        errorOfReason("LEASE_DISPLACED", Code.Aborted, "another request has taken the lease over"),
      );
    },
    revoke(leaseId, revoking) {
      const member = members.get(leaseId);
      if (member?.grant === undefined) return;
      member.grant.revoking = revoking;
      member.stream?.push(create(AcquireResponseSchema, { event: { case: "revoking", value: revoking } }));
    },
    end: (leaseId, status) => members.end(leaseId, status, status.code === 0 ? undefined : errorOfStatus(status)),
    drain: (draining) => members.tell(create(AcquireResponseSchema, { event: { case: "draining", value: draining } })),
  };
}

/**
 * Returns the grant as it was, confirmed by a renewal: `least` (ms) is what is the least for which anything of the session is valid.
 * One that is being revoked is valid for less than it was, and so for no more than that.
 */
export function confirmGrant({ granted, revoking }: LeaseGrant, least: number): Granted {
  const { validFor } = granted;
  const valid = revoking === undefined || validFor === undefined ? validFor : msToDuration(least, "valid_for");
  return create(GrantedSchema, { ...granted, resumed: true, validFor: valid });
}
