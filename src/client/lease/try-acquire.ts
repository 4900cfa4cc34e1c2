/** Asking for a lease now or not at all. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import type { TryAcquireOptions } from "../api/client.ts";
import type { Refusal } from "../api/refusal.ts";
import type { ClaimSchema } from "../gen/ggen/backpressure/v1/lease_pb.ts";
import { askNow } from "../hold/retry-now.ts";
import { requestHeaders } from "../rpc/headers.ts";
import { grantFromWire, refusalFromWire } from "../wire/lease.ts";
import { msToDuration } from "../wire/time.ts";
import type { Admission, LeasePorts } from "./held-leases.ts";
import { withdrawAcquire } from "./release.ts";

export type Attempt = Admission | { readonly kind: "refused"; readonly refusal: Refusal };

export async function tryAcquire(
  ports: LeasePorts,
  claims: MessageInitShape<typeof ClaimSchema>[],
  options: TryAcquireOptions,
): Promise<Attempt> {
  const { calls, leases } = ports;
  const headers = requestHeaders(ports.headers, options.headers);
  const { holder, ttl, signal, onRevoking } = options;
  const request = { claims, holder, ttl: ttl === undefined ? undefined : msToDuration(ttl, "ttl") };
  const withdrawal = withdrawAcquire(calls);
  return askNow(ports, { ...options, withdrawal }, async ({ requestId, sentAt, within, signal: unwanted }) => {
    const asked = { ...request, requestId };
    const { result } = await calls.unary(
      (rpcOptions) => calls.admission.tryAcquire(asked, { ...rpcOptions, ...headers() }),
      { within },
    );
    switch (result.case) {
      case "granted": {
        const grant = grantFromWire(result.value);
        const admission = leases.admit({ grant, sentAt, attach: undefined, signal, onRevoking });
        if (unwanted.aborted && admission.kind === "held") void admission.lease.abandon(unwanted.reason);
        return admission;
      }
      case "refused":
        return { kind: "refused", refusal: refusalFromWire(result.value) };
      default:
        throw calls.unavailable("it answered with neither a grant nor a refusal");
    }
  });
}
