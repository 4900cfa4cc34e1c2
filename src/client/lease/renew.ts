/** One Renew call: many leases there, an answer each back. */

import type { LeaseEnd } from "../api/lease.ts";
import type { Reason } from "../api/reasons.ts";
import type { RenewResult } from "../gen/ggen/backpressure/v1/admission_service_pb.ts";
import type { Calls, UnaryOptions } from "../rpc/calls.ts";
import { leaseEndFromWire } from "../wire/lease.ts";
import { reasonFromWire } from "../wire/reason.ts";
import { durationToMs, timestampToDate } from "../wire/time.ts";

/** What the holder of a lease knows and others do not. */
export interface Credential {
  readonly leaseId: string;
  readonly secret: string;
}

/** What became of one lease. */
export type RenewAnswer =
  | {
      readonly kind: "renewed";
      /** ms from the moment when the request was sent; undefined: it ends with its stream. */
      readonly validFor: number | undefined;
      /** When it ends whatever is renewed, if an operator asked for it back. */
      readonly revokingUntil: Date | undefined;
    }
  | { readonly kind: "ended"; readonly end: LeaseEnd }
  | { readonly kind: "refused"; readonly reason: Reason };

/** Renews up to 1,000 leases; the answers stand in the order of the leases. */
export async function renew(
  calls: Calls,
  leases: readonly Credential[],
  options: UnaryOptions = {},
): Promise<readonly RenewAnswer[]> {
  const request = { leases: leases.map(({ leaseId, secret }) => ({ leaseId, secret })) };
  const { results } = await calls.unary((rpcOptions) => calls.admission.renew(request, rpcOptions), options);
  return leases.map((_, index) => toAnswer(results[index]));
}

function toAnswer(wire: RenewResult | undefined): RenewAnswer {
  switch (wire?.result.case) {
    case "renewed": {
      const { validFor, expireTime, revoking } = wire.result.value;
      return {
        kind: "renewed",
        validFor: validFor && durationToMs(validFor),
        revokingUntil: revoking && expireTime ? timestampToDate(expireTime) : undefined,
      };
    }
    case "ended":
      return { kind: "ended", end: leaseEndFromWire(wire.result.value) };
    case "refused":
      return { kind: "refused", reason: reasonFromWire(wire.result.value.reason) };
    default:
      return { kind: "refused", reason: "UNKNOWN" };
  }
}
