import type { Claim } from "./claim.ts";
import type { Lease } from "./lease.ts";
import type { LeaseEnd } from "./outcomes.ts";

/** A request id that is used up: what it had stood for. */
export type PastRequest =
  /** It was given up before it had a lease; its request may have yet to arrive. */
  | { readonly kind: "withdrawn" }
  | { readonly kind: "ended"; readonly call: Lease["call"]; readonly asked: readonly Claim[]; readonly end: LeaseEnd }
  /** The grant held nothing, so that no lease was kept. */
  | { readonly kind: "spent"; readonly call: Lease["call"]; readonly asked: readonly Claim[]; readonly lease: Lease };
