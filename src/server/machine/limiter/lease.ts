/** A timed right to permits, as the machine keeps it. */

import type { Held } from "../liveness.ts";
import type { Reason } from "../reasons.ts";
import type { Claim } from "./claim.ts";
import type { Instance, Limiter } from "./limiter.ts";
import type { LeaseEnd } from "./outcomes.ts";

/** What a lease holds of one instance. */
export interface HeldClaim {
  readonly instance: Instance;
  readonly permits: number;
  readonly tokens: number;
  readonly fencingToken: number;
  readonly slots: readonly number[];
}

export interface Lease extends Held {
  readonly kind: "lease";
  readonly id: string;
  /** Rises with each grant: the order of lists. */
  readonly serial: number;
  readonly holder: string;
  /** Whose it is: to any other it does not exist. */
  readonly caller: string;
  /** Which call was answered with it, and what that had asked for. */
  readonly call: "acquire" | "try-acquire";
  readonly asked: readonly Claim[];
  readonly claims: readonly HeldClaim[];
  readonly grantedAt: number;
  /** µs. 0: it ends with its stream, whichever way that ends. */
  readonly ttl: number;
  /** Whether its limiters believe a cancel; else it is a lost connection to them. */
  readonly trustCancel: boolean;
  readonly requestId: string;
  /** When an operator asked for it back. */
  revokedAt: number | undefined;
}

/** A lease that was asked back has a deadline of its own, whatever its session, which remembers that. */
export function noteRevoked({ id, revokedAt, attachment }: Lease): void {
  if (revokedAt !== undefined && attachment.kind === "in-session") attachment.term.session.revoked.add(id);
}

/** The limiters of which the lease holds permits, each once. */
export function heldLimiters({ claims }: Lease): readonly Limiter[] {
  return claims.filter((_, index) => isFirstHeld(claims, index)).map(({ instance }) => instance.limiter);
}

/** Whether a claim is the first of its lease that holds permits of its limiter. */
export function isFirstHeld(claims: readonly HeldClaim[], index: number): boolean {
  const { permits, instance } = claims[index] as HeldClaim;
  if (permits === 0) return false;
  for (let before = 0; before < index; before++) {
    const other = claims[before] as HeldClaim;
    if (other.permits > 0 && other.instance.limiter === instance.limiter) return false;
  }
  return true;
}

/** The reason that a holder hears whose lease has ended so, and a client that asks for it. */
export const END_REASONS: Record<LeaseEnd, Reason> = {
  released: "LEASE_ENDED",
  cancelled: "LEASE_ENDED",
  expired: "LEASE_EXPIRED",
  revoked: "LEASE_REVOKED",
  deleted: "LIMITER_DELETED",
};
