/** Claims: what callers write to protobuf, and what was granted back. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Claim, ClaimOptions, GrantedClaim } from "../api/claim.ts";
import type {
  ClaimSchema,
  Claim as WireClaim,
  GrantedClaim as WireGrantedClaim,
} from "../gen/ggen/backpressure/v1/lease_pb.ts";

/** A limiter's name with options, or claims: the two ways to ask. */
export type Wanted = string | readonly Claim[];

/** The claims that a call asks for, as they travel. Bounds are the server's to check; what is no count is refused here. */
export function claimsToWire(wanted: Wanted, options: ClaimOptions): MessageInitShape<typeof ClaimSchema>[] {
  if (typeof wanted === "string") return [claimToWire({ ...options, limiter: wanted })];
  return wanted.map(claimToWire);
}

export function claimFromWire({ limiter, key, permits = 1, tokens = 1, slots }: WireClaim): Claim {
  return { limiter, key, permits, tokens, slots };
}

export function grantedClaimFromWire({ limiter, key, permits, tokens, fencingToken, slots }: WireGrantedClaim) {
  return { limiter, key, permits, tokens, fencingToken, slots } satisfies GrantedClaim;
}

function claimToWire({ limiter, key, permits, tokens, slots }: Claim): MessageInitShape<typeof ClaimSchema> {
  requireCount("permits", permits);
  requireCount("tokens", tokens);
  return { limiter, key, permits, tokens, slots };
}

const MAX_UINT32 = 2 ** 32 - 1;

function requireCount(name: string, count: number | undefined): void {
  if (count === undefined || (Number.isInteger(count) && count >= 0 && count <= MAX_UINT32)) return;
  throw new RangeError(`${name} must be a whole number, 0 or more; it is ${count}`);
}
