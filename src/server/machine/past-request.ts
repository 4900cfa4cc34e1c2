import type { Claim } from "./claim.ts";
import type { Lease, LeaseEnd } from "./lease.ts";

/** A request id whose lease is gone: what it had stood for. */
export type PastRequest =
  | { readonly kind: "ended"; readonly call: Lease["call"]; readonly asked: readonly Claim[]; readonly end: LeaseEnd }
  /** The grant held nothing, so that no lease was kept. */
  | { readonly kind: "spent"; readonly call: Lease["call"]; readonly asked: readonly Claim[]; readonly lease: Lease };
