/** What becomes of a lease, for scripts: the contract's messages, a line each. Never the secret. */

import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Lease, LeaseEnd } from "../../client/api/lease.ts";
import type { Reason } from "../../client/api/reasons.ts";
import {
  AcquireResponseSchema,
  ReleaseResponseSchema,
  TryAcquireResponseSchema,
} from "../../client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { type LeaseSchema, LeaseEnd as WireEnd } from "../../client/gen/ggen/backpressure/v1/lease_pb.ts";
import { Reason as WireReason } from "../../client/gen/ggen/backpressure/v1/reason_pb.ts";
import { msToDuration } from "../../client/wire/time.ts";
import type { Terminal } from "../session/terminal.ts";
import { sparseJsonLine } from "../text/json-line.ts";
import type { LeaseNews } from "./lease-news.ts";

export function createLeaseJson(terminal: Terminal): LeaseNews {
  const say = <S extends DescMessage>(schema: S, message: MessageInitShape<S>) =>
    terminal.print(sparseJsonLine(schema, create(schema, message)));
  const happens = (event: MessageInitShape<typeof AcquireResponseSchema>["event"]) =>
    say(AcquireResponseSchema, { event });

  return {
    waiting: ({ waitersAhead, estimatedWaitMs }) =>
      happens({ case: "waiting", value: { waitersAhead, estimatedWait: optionalDuration(estimatedWaitMs) } }),
    granted: (lease) => happens({ case: "granted", value: { lease: leaseToWire(lease) } }),
    refused({ reason, message, limiter, key, retryAfterMs, waitersAhead }) {
      const retryAfter = optionalDuration(retryAfterMs);
      const value = { reason: reasonToWire(reason), message, limiter, key, retryAfter, waitersAhead };
      say(TryAcquireResponseSchema, { result: { case: "refused", value } });
    },
    revoking: ({ endTime, message }) =>
      happens({ case: "revoking", value: { endTime: timestampFromDate(endTime), message } }),
    draining: ({ endTime }) => happens({ case: "draining", value: { endTime: timestampFromDate(endTime) } }),
    ended: (end) => say(ReleaseResponseSchema, { end: ENDS[end] }),
  };
}

function leaseToWire({ id, claims, holder, grantTime }: Lease): MessageInitShape<typeof LeaseSchema> {
  const held = claims.map((claim) => ({ ...claim, slots: [...claim.slots] }));
  return { id, claims: held, holder, grantTime: timestampFromDate(grantTime) };
}

function optionalDuration(ms: number | undefined) {
  return ms === undefined ? undefined : msToDuration(ms, "a span of time");
}

function reasonToWire(reason: Reason): WireReason {
  return reason === "UNKNOWN" ? WireReason.UNSPECIFIED : WireReason[reason];
}

/** Ends that the contract has no word for, since they are no ends to the server, are left unset. */
const ENDS: Record<LeaseEnd, WireEnd> = {
  released: WireEnd.RELEASED,
  cancelled: WireEnd.CANCELLED,
  expired: WireEnd.EXPIRED,
  revoked: WireEnd.REVOKED,
  deleted: WireEnd.DELETED,
  displaced: WireEnd.UNSPECIFIED,
  unconfirmed: WireEnd.UNSPECIFIED,
};
