/** A timed right to permits, as the machine keeps it. */

import type { Claim, StreamId } from "./claim.ts";
import type { Due } from "./deadlines.ts";
import type { Instance, Limiter } from "./limiter.ts";
import type { Reason } from "./reasons.ts";

/** How a lease ended; each ends exactly once. */
export type LeaseEnd = "released" | "cancelled" | "expired" | "revoked" | "deleted";

/** How the guarded work went. */
export type WorkOutcome = "success" | "overloaded" | "ignored";

/** What a lease holds of one instance. */
export interface HeldClaim {
  readonly instance: Instance;
  readonly permits: number;
  readonly tokens: number;
  readonly fencingToken: number;
  readonly slots: readonly number[];
}

/** A stream is open. */
export interface Attached {
  readonly kind: "attached";
  readonly stream: StreamId;
  /** If the server cannot probe its connection (HTTP/1.1), the lease needs Renew all the same. */
  readonly probed: boolean;
  /**
   * Whether the grant went out over this stream. One that took the lease up later may be an attempt that its caller gave up
   * and that was overtaken by the next: its cancel may come while the holder relies on the lease, and frees nothing at once.
   */
  readonly first: boolean;
}

/** How the holder shows that it lives. */
export type Attachment =
  | Attached
  /** The stream's connection is lost; the ttl runs. */
  | { readonly kind: "orphaned" }
  /** It never had a stream. */
  | { readonly kind: "detached" };

/** What an open stream is to the lease that is granted over it. */
export function grantedOver(stream: StreamId, probed: boolean): Attached {
  return { kind: "attached", stream, probed, first: true };
}

/** What an open stream is to a lease that lives already. */
export function takenUpOver(stream: StreamId, probed: boolean): Attached {
  return { kind: "attached", stream, probed, first: false };
}

/** Whether the cancel of its stream is its holder's last word. */
export function heedsCancel(attachment: Attachment): boolean {
  return attachment.kind === "attached" && attachment.first;
}

export const ORPHANED: Attachment = { kind: "orphaned" };
export const DETACHED: Attachment = { kind: "detached" };

export interface Lease extends Due {
  readonly kind: "lease";
  readonly id: string;
  /** Rises with each grant: the order of lists. */
  readonly serial: number;
  readonly holder: string;
  /** Which call was answered with it, and what that had asked for. */
  readonly call: "acquire" | "try-acquire";
  readonly asked: readonly Claim[];
  readonly claims: readonly HeldClaim[];
  readonly grantedAt: number;
  /** µs. 0: it ends with its stream, whichever way that ends. */
  readonly ttl: number;
  readonly trustCancel: boolean;
  readonly requestId: string;
  attachment: Attachment;
  /** When an operator asked for it back. */
  revokedAt: number | undefined;
}

/** When the lease ends unless its holder shows itself; undefined while nothing runs out. */
export function expiresAt(lease: Lease): number | undefined {
  return lease.heapIndex === -1 ? undefined : lease.dueAt;
}

/** The limiters of which the lease holds permits, each once. */
export function heldLimiters({ claims }: Lease): Limiter[] {
  const limiters: Limiter[] = [];
  for (const { permits, instance } of claims) {
    if (permits > 0 && !limiters.includes(instance.limiter)) limiters.push(instance.limiter);
  }
  return limiters;
}

/** What is said to somebody whose lease has ended so, or who wants it. */
export const END_REASONS: Record<LeaseEnd, Reason> = {
  released: "LEASE_ENDED",
  cancelled: "LEASE_ENDED",
  expired: "LEASE_EXPIRED",
  revoked: "LEASE_REVOKED",
  deleted: "LIMITER_DELETED",
};
